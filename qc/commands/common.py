"""What the commands share: how they speak, fail and write."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from qc.errors import QcError
from qc.order import CallKind

Result = TypeVar("Result")

Kind = Annotated[
    CallKind | None,
    typer.Option(help="录音类型：first_contact 先行联系，reply 热线回复；不给则自动判断。"),
]
ProfileName = Annotated[str, typer.Option("--profile", help="街镇配置，如 weifang、yichuan。")]
Recogniser = Annotated[
    str,
    typer.Option(
        "--asr",
        help="识别引擎：demo、turbo 等 Whisper 名称，权重文件路径，或识别服务的网址；"
        "前面加 fast: 用 faster-whisper 运行（如 fast:demo）。",
    ),
]


def console() -> Console:
    """Messages and tables; wide enough to read when the output is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=110)


def speaks_plainly(command: Callable[..., Result]) -> Callable[..., Result]:
    """Turn an expected failure into one sentence and exit code 2: no traceback reaches a user."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Result:
        try:
            return command(*args, **kwargs)
        except QcError as error:
            Console(stderr=True).print(f"✗ {error}", style="red", highlight=False, markup=False)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as stop:
            Console(stderr=True).print("已中断；已完成的结果都保留着。")
            raise typer.Exit(130) from stop

    return wrapped


def refuse_overwriting(out: Path | None, *inputs: Path | None) -> None:
    """A result file must not be one of the files it is made from."""
    for path in inputs:
        if out and path and out.exists() and path.exists() and path.samefile(out):
            raise QcError(f"结果文件 {out.name} 就是输入文件", "请换一个文件名")


def output(path: Path | None) -> Any:
    """The file to write results to, or standard output; used as a context."""
    if path is None:
        return open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise QcError(f"写不了 {path}", "请换一个有写权限的位置") from error
