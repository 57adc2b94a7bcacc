"""`hotline-qc sample`: which recordings to spot-check."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from qc.commands.common import console, refuse_overwriting
from qc.errors import QcError


def sample(
    orders: Annotated[
        Path,
        typer.Argument(help="工单或录音清单（CSV、XLSX、JSONL；batch 的 results.jsonl 亦可）。"),
    ],
    plan: Annotated[Path | None, typer.Option(help="抽检方案（YAML）。")] = None,
    share: Annotated[str, typer.Option(help="按比例抽，如 5%。")] = "",
    precision: Annotated[str, typer.Option(help="按精度抽，如 3%（95% 置信区间的半宽）。")] = "",
    at_least: Annotated[int | None, typer.Option(min=0, help="每位经办人至少几件。")] = None,
    seed: Annotated[int | None, typer.Option(help="随机种子；相同则抽到的相同。")] = None,
    out: Annotated[Path, typer.Option(help="抽检清单写到哪里（.xlsx 或 .csv）。")] = Path(
        "picks.xlsx"
    ),
) -> None:
    """抽检选件：按部门和经办人分层抽取，逐件写明原因。"""
    from qc.sampling.pick_list import write_picks
    from qc.sampling.plan import Plan, draw, read_plan
    from qc.sampling.population import read_population

    refuse_overwriting(out, orders, plan)
    if sum(map(bool, (plan, share, precision))) != 1:
        raise QcError("抽多少没有说清", "--plan、--share、--precision 请给出其中一个")
    if plan:
        chosen = read_plan(plan)
    elif share:
        chosen = Plan(share=_percent(share, "--share", 1.0))
    else:
        chosen = Plan(precision=_percent(precision, "--precision", 0.499))
    given = {"at_least": at_least, "seed": seed}
    chosen = chosen.model_copy(update={k: v for k, v in given.items() if v is not None})
    drawn = draw(read_population(orders), chosen)
    write_picks(drawn, out)
    screen = console()
    said = Counter(
        reason.partition("（")[0] for pick in drawn.picks for reason in pick.reason.split("、")
    )
    raised = "（因“每位经办人至少”有所增加）" if drawn.raised else ""
    screen.print(f"{drawn.population} 件中抽取 {len(drawn.picks)} 件{raised}。", highlight=False)
    for reason, count in said.most_common():
        screen.print(f"  {reason}：{count} 件", highlight=False, markup=False)
    screen.print(f"清单：{out}", highlight=False, markup=False, soft_wrap=True)


def _percent(text: str, option: str, most: float) -> float:
    """5%, 5％ or 0.05."""
    try:
        value = float(text.rstrip("%％")) / (100 if text[-1] in "%％" else 1)
    except ValueError as error:
        raise QcError(f"{option} 的“{text}”不是比例", "请写成 5% 或 0.05") from error
    if not 0 < value <= most:
        raise QcError(f"{option} 的“{text}”超出范围", f"请写 0 到 {most:.0%} 之间的比例")
    return value
