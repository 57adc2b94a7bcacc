"""`hotline-qc batch` and `hotline-qc demo`: spot check of many recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qc.catalogue import DEFAULT_PROFILE
from qc.commands.common import ProfileName, Recogniser, console
from qc.errors import QcError

if TYPE_CHECKING:
    from qc.batch import BatchItem, BatchOutcome
    from qc.inspection import Inspection

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def demo(
    out: Annotated[Path, typer.Option(help="结果放在哪个文件夹。")] = Path("out/demo"),
    asr: Recogniser = "demo",
) -> None:
    """试一试：把自带的样例录音从头到尾检查一遍，并生成报告。"""
    from qc.batch import run_batch
    from qc.inspector import Inspector
    from qc.terminal import show_inspection

    screen, inspector = console(), Inspector(asr)
    inspector.load()

    def inspect_and_show(item: BatchItem) -> Inspection:
        inspection = inspector.inspect_item(item)
        show_inspection(screen, inspection, item.recording.stem)
        return inspection

    outcome = run_batch(SAMPLES / "manifest.csv", out, inspect_and_show, fresh=True)
    _say_where(screen, outcome)


def batch(
    source: Annotated[Path, typer.Argument(help="录音文件夹，或清单（CSV／XLSX）。")],
    out: Annotated[Path, typer.Option(help="结果文件夹：表格、逐通结果、汇总页。")],
    profile: ProfileName = DEFAULT_PROFILE,
    asr: Recogniser = "demo",
    jobs: Annotated[int, typer.Option(min=1, help="同时检查几通（进程数）。")] = 1,
    together: Annotated[
        int, typer.Option(min=1, help="一次合并识别几通（有显卡时用，不能与 --jobs 同用）。")
    ] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="不沿用以前的结果，全部重查。")] = False,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="结果里不隐去姓名、电话、门牌（慎用）。")
    ] = False,
) -> None:
    """批量抽检：可中断后继续；坏录音记为一行并写明原因。"""
    from models.gathering import GatheringRecogniser
    from qc.batch import run_batch
    from qc.inspector import Inspector

    inspector = Inspector.from_environment(asr, profile)
    inspector.load()
    if together > 1:
        if jobs > 1:
            raise QcError(
                "--jobs 和 --together 不能同时用", "没有显卡用 --jobs，有显卡用 --together"
            )
        inspector.recogniser = GatheringRecogniser(inspector.recogniser, together)
    outcome = run_batch(
        source,
        out,
        inspector.inspect_item,
        jobs=jobs,
        together=together,
        unmasked=unmasked,
        fresh=fresh,
        setup=inspector.setup,
        console=Console(stderr=True),
    )
    _say_where(console(), outcome)


def _say_where(console: Console, outcome: BatchOutcome) -> None:
    reused = f"，其中 {outcome.reused} 通沿用已有结果（查过或内容相同）" if outcome.reused else ""
    failed = f"，{outcome.failed} 通没有结果（原因见表）" if outcome.failed else ""
    invalid = f"，{outcome.invalid} 段录音无效（原因见表）" if outcome.invalid else ""
    console.print(f"共 {outcome.total} 通录音{reused}{invalid}{failed}。", highlight=False)
    where = f"汇总页：{outcome.summary}\n明细表：{outcome.workbook}"
    console.print(where, highlight=False, markup=False, soft_wrap=True)
