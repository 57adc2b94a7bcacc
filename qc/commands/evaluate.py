"""`hotline-qc evaluate`: how good the judgement is, measured on labelled calls."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from qc.catalogue import DEFAULT_PROFILE, load_catalogue
from qc.commands.common import ProfileName, console, output, refuse_overwriting
from qc.errors import QcError


def evaluate(
    labelled: Annotated[list[Path], typer.Argument(help="带标注的通话（JSON Lines）。")],
    mistakes: Annotated[bool, typer.Option(help="列出每一处不一致及原话。")] = False,
    robustness: Annotated[
        bool, typer.Option(help="再换几种写法各判一遍：同音错字、无标点、繁体、数字换写法。")
    ] = False,
    profile: ProfileName = DEFAULT_PROFILE,
    json_out: Annotated[Path | None, typer.Option("--json", help="把结果写成 JSON。")] = None,
    html_out: Annotated[Path | None, typer.Option("--html", help="把结果写成网页。")] = None,
) -> None:
    """用带标注的通话评测判定质量：各项指标及区间、混淆表、不一致之处。"""
    from models.judge.classifier import load_classifier
    from qc.inspect import inspect_call
    from qc.quality.assessment import assess
    from qc.quality.distortion import DISTORTIONS, distort
    from qc.quality.evaluation import read_labelled
    from qc.quality.report import quality_page, show_assessment, show_mistakes

    for out in (json_out, html_out):
        refuse_overwriting(out, *labelled)
    rules, classifier = load_catalogue(profile=profile), load_classifier()
    calls = read_labelled(labelled)
    if not calls:
        raise QcError("没有可评测的通话", "请检查文件内容")
    pairs = [(inspect_call(call, rules, classifier), labels) for call, labels in calls]
    distorted = {
        title: [
            (inspect_call(distort(call, title), rules, classifier), labels)
            for call, labels in calls
        ]
        for title in (DISTORTIONS if robustness else ())
    }
    assessment = assess(pairs, rules, distorted)
    screen = console()
    show_assessment(screen, assessment, rules)
    if mistakes:
        show_mistakes(screen, assessment.quality.mistakes, rules)
    if json_out is not None:
        with output(json_out) as out:
            out.write(json.dumps(assessment.to_json(), ensure_ascii=False, indent=2) + "\n")
    if html_out is not None:
        source = "、".join(path.name for path in labelled)
        with output(html_out) as out:
            out.write(quality_page(assessment, rules, made_on=date.today(), source=source))
