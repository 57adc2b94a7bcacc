"""`hotline-qc convert`: a Whisper checkpoint for faster-whisper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qc.commands.common import console


def convert(
    checkpoint: Annotated[
        str, typer.Argument(help="Whisper 模型：demo，或权重文件（.pt）的路径。")
    ],
    out: Annotated[Path, typer.Option(help="写到哪个文件夹。")],
) -> None:
    """把 Whisper 模型转换成 faster-whisper 的格式（不用联网），识别更快。"""
    from models.conversion import convert as convert_model
    from models.recogniser import find_checkpoint
    from models.torch_whisper import open_checkpoint

    convert_model(open_checkpoint(find_checkpoint(checkpoint), "cpu"), out)
    console().print(
        f"已转换到 {out}。使用时写 --asr fast:{out}", highlight=False, soft_wrap=True, markup=False
    )
