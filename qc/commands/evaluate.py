"""`hotline-qc evaluate`: how good the judgement is, measured on labelled calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from qc.catalogue import DEFAULT_PROFILE, load_catalogue
from qc.commands.common import ProfileName, console, output
from qc.errors import QcError


def evaluate(
    labelled: Annotated[list[Path], typer.Argument(help="带标注的通话（JSON Lines）。")],
    mistakes: Annotated[bool, typer.Option(help="列出每一处不一致及原话。")] = False,
    profile: ProfileName = DEFAULT_PROFILE,
    json_out: Annotated[Path | None, typer.Option("--json", help="把指标写成 JSON。")] = None,
) -> None:
    """用带标注的通话评测判定质量。"""
    from models.judge.classifier import load_classifier
    from qc.evaluation import measure, read_labelled
    from qc.inspect import inspect_call
    from qc.terminal import show_quality

    rules, classifier = load_catalogue(profile=profile), load_classifier()
    pairs = [
        (inspect_call(call, rules, classifier), labels) for call, labels in read_labelled(labelled)
    ]
    if not pairs:
        raise QcError("没有可评测的通话", "请检查文件内容")
    quality = measure(pairs)
    screen = console()
    show_quality(screen, quality)
    if mistakes:
        for m in quality.mistakes:
            told = f"{m.call_id}  {m.rule}  判为 {m.found}，标注 {m.labelled}：{m.quote}"
            screen.print(told, highlight=False, markup=False)
    if json_out is not None:
        with output(json_out) as out:
            out.write(json.dumps(quality.to_json(), ensure_ascii=False, indent=2) + "\n")
