"""`hotline-qc teach`: what reviewers decided becomes training data for the learned layer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from qc.catalogue import load_catalogue
from qc.commands.common import console, output, refuse_overwriting
from qc.errors import QcError


def teach_export(
    reviews: Annotated[list[Path], typer.Argument(help="复核意见（JSON Lines，每行一条）。")],
    calls: Annotated[
        list[Path], typer.Option("--calls", help="被复核的通话文字（JSON Lines），可给多个。")
    ],
    out: Annotated[Path, typer.Option(help="写到哪个文件（JSON Lines）。")],
    inspections: Annotated[
        Path | None,
        typer.Option(help="质检结果（inspect --calls 写出的），复核意见没写哪句话时用它查。"),
    ] = None,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="保留姓名、电话、门牌（慎用）。")
    ] = False,
) -> None:
    """把复核意见变成可以学习的句子。"""
    from qc.order import read_call, read_lines
    from qc.quality.reviews import learn_from, read_found_turns, read_reviews

    refuse_overwriting(out, *reviews, *calls, inspections)
    known = [
        read_call(line, f"{path.name} 第 {number} 行")
        for path in calls
        for number, line in read_lines(path)
    ]
    lesson = learn_from(
        read_reviews(reviews),
        known,
        load_catalogue(),
        read_found_turns(inspections) if inspections else None,
        unmasked=unmasked,
    )
    if not lesson.turns:
        reason = f"：{lesson.unused[0].reason}" if lesson.unused else ""
        raise QcError(f"没有一条复核意见能用{reason}", "请检查复核意见和通话文件")
    with output(out) as lines:
        for turn in lesson.turns:
            lines.write(turn.model_dump_json(exclude_defaults=True) + "\n")
    screen = console()
    screen.print(f"写出 {len(lesson.turns)} 句：{out}", highlight=False, markup=False)
    for unused in lesson.unused:
        about = f"没有用上：{unused.review.call_id} {unused.review.rule_id}，{unused.reason}"
        screen.print(about, highlight=False, markup=False, soft_wrap=True)


def teach_train(
    reviews: Annotated[
        list[Path], typer.Option("--reviews", help="teach export 写出的文件，可给多个。")
    ],
    out: Annotated[Path, typer.Option(help="新模型写到哪个文件（.npz）。")],
    accept_worse: Annotated[
        bool, typer.Option("--accept-worse", help="比原来差也写出（慎用）。")
    ] = False,
) -> None:
    """用复核过的句子再训练，与原来的比较；变差了就不写出。几分钟。"""
    from models.judge.retrain import retrain

    refuse_overwriting(out, *reviews)
    Console(stderr=True).print("正在训练并比较，约几分钟……")
    comparison = retrain(reviews, out, load_catalogue(), accept_worse=accept_worse)
    screen = console()
    screen.print(comparison.table())
    if comparison.left_out:
        screen.print(f"有 {comparison.left_out} 句来自用作考题的通话，没有拿来训练。")
    screen.print(f"新模型：{out}", highlight=False, markup=False, soft_wrap=True)
    screen.print("替换 models/weights/judge.npz 即可使用。")
