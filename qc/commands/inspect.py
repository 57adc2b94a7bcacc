"""`hotline-qc inspect`: recordings, or calls whose turns are given."""

from __future__ import annotations

import itertools
import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from qc.catalogue import DEFAULT_PROFILE
from qc.commands.common import Kind, ProfileName, Recogniser, console, output, refuse_overwriting
from qc.errors import OrderError, QcError
from qc.order import CallKind, Order, read_call, read_lines

if TYPE_CHECKING:
    from qc.inspector import Inspector


def inspect(
    recordings: Annotated[list[Path] | None, typer.Argument(help="一个或多个录音文件。")] = None,
    calls: Annotated[
        Path | None, typer.Option(help="已有文字的通话（JSON Lines），不做语音识别。")
    ] = None,
    kind: Kind = None,
    order: Annotated[Path | None, typer.Option(help="工单 JSON 文件。")] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    asr: Recogniser = "demo",
    json_out: Annotated[
        Path | None, typer.Option("--json", help="结果写入该文件，每通一行 JSON。")
    ] = None,
) -> None:
    """检查录音（或已有文字的通话）。"""
    from qc.inspector import Inspector
    from qc.manifest import read_order_file

    refuse_overwriting(json_out, calls, order, *(recordings or ()))
    if calls is not None and (recordings or order or kind):
        raise QcError("--calls 里已有工单和类型", "请不要再给录音、--order 或 --kind")
    if calls is not None:
        _inspect_calls(calls, Inspector.from_environment(asr, profile), json_out)
    elif recordings:
        said, filed = read_order_file(order) if order else (None, Order())
        _inspect_recordings(
            recordings, kind or said, filed, Inspector.from_environment(asr, profile), json_out
        )
    else:
        raise QcError("没有给出要检查的录音", "请写录音文件名，或用 --calls 指定通话文件")


def _inspect_calls(path: Path, inspector: Inspector, json_out: Path | None) -> None:
    """One output line a call, in order; a bad line becomes a line with its reason."""
    bad = count = 0
    lines = read_lines(path)
    first = list(itertools.islice(lines, 1))  # what cannot be read must not empty an older result
    with output(json_out) as out:
        for number, line in itertools.chain(first, lines):
            count += 1
            row: dict[str, Any] = {"call_id": f"line-{number}"}
            try:
                call = read_call(line, f"{path.name} 第 {number} 行")
                row["call_id"] = call.call_id or row["call_id"]
                row = inspector.inspect_call(call).to_json()
            except OrderError as error:
                row["error"] = str(error)
            except Exception as error:  # one call must not end the run
                row["error"] = f"内部错误（{type(error).__name__}），请把这一行发给开发者"
            bad += "error" in row
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    tail = f"，其中 {bad} 行有误（见结果中的 error）" if bad else ""
    Console(stderr=True).print(f"已检查 {count} 通{tail}。")
    if bad:
        raise typer.Exit(1)


def _inspect_recordings(
    recordings: list[Path],
    kind: CallKind | None,
    order: Order,
    inspector: Inspector,
    json_out: Path | None,
) -> None:
    from qc.fitness import UnusableRecording
    from qc.privacy import mask_file_name
    from qc.terminal import show_inspection

    screen = console()
    inspector.load()
    failed = 0
    with output(json_out) if json_out else nullcontext() as out:
        for path in recordings:
            shown = mask_file_name(path.name, order)
            try:
                inspection = inspector.inspect_file(path, kind, order)
                show_inspection(screen, inspection, shown)
                row = inspection.to_json()
            except QcError as error:
                failed += 1
                screen.print(f"✗ {shown}：{error}", style="red", highlight=False, markup=False)
                row = {"call_id": path.name, "error": str(error)}
                if isinstance(error, UnusableRecording):
                    row |= {"score": None, "recording": error.quality.to_json()}
            if out is not None:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
    if failed:
        raise typer.Exit(1)
