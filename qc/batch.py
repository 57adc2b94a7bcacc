"""Spot check of many recordings: what to inspect, the run over it, and the results on disk.

A run may be killed at any moment and started again: each recording is one line of
`results.jsonl`, written whole before the next one, and what was inspected is not done again.
"""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import av
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qc.containers import OPEN_OPTIONS, SOUND_MAGICS
from qc.errors import OrderError, QcError
from qc.inspection import Inspection
from qc.order import KIND_TITLES, CallKind, Order
from qc.privacy import mask, mask_file_name
from qc.report import Row, call_page, duration, verdict, write_summary, write_workbook

SOUND_SUFFIXES = frozenset(
    f".{name}"
    for name in "wav mp3 m4a mp4 aac amr awb 3gp ogg oga opus spx flac wma asf gsm au aif aiff caf "
    "webm mka mkv avi mov voc vox w64 g729 g722".split()
)
MANIFESTS = ("manifest.csv", "manifest.xlsx", "清单.csv", "清单.xlsx")
ORDER_SUFFIX = ".order.json"
# Titles that a manifest's columns may have; the first of a line is the name used here.
_COLUMNS = """
recording 录音 录音文件 文件 文件名 file
kind 类型 录音类型
order 工单 工单文件
order_id 工单编号 工单号
petitioner 诉求人 诉求人姓名 姓名
gender 性别
issue 诉求 诉求内容 反映问题 问题
address 地址 诉求地址 发生地址
department 部门 处置部门 承办单位
reported_on 反映日期 受理日期 日期
category 诉求类型 类别
has_site 有无现场 有现场
resolved 是否解决 解决情况
missing_elements 缺失要素 需补充要素
handler 经办人 热线工作人员
"""
COLUMNS = {
    title: line.split()[0] for line in _COLUMNS.strip().splitlines() for title in line.split()
}
# Chinese words in a manifest's cells and what the order calls them.
WORDS: Mapping[str, Any] = {
    **{title: kind for kind, title in KIND_TITLES.items()},
    **{"先行": CallKind.FIRST_CONTACT, "回复": CallKind.REPLY},
    **{"投诉": "complaint", "求助": "help", "咨询": "consult", "建议": "suggestion"},
    **{"其他": "other", "男": "male", "女": "female"},
    **{"是": True, "有": True, "已解决": True, "否": False, "无": False, "未解决": False},
    **{"地址": "address", "时间": "time", "诉求": "issue", "联系方式": "contact"},
}
RESULTS, LOG, PAGES = "results.jsonl", "batch.log", "calls"

InspectOne = Callable[["BatchItem"], Inspection]


@dataclass(frozen=True)
class BatchItem:
    """One recording to inspect."""

    name: str  # as the manifest names it, or the path inside the folder
    recording: Path
    kind: CallKind | None = None  # None: nothing told it
    order: Order = Order()
    fault: str = ""  # why it cannot be inspected: the order or the manifest's line is wrong


@dataclass(frozen=True)
class BatchOutcome:
    """What a run did, and where its results lie."""

    total: int  # recordings of the source
    done: int  # inspected or tried in this run
    reused: int  # results of an earlier run
    failed: int  # of the total, without a verdict
    audio_seconds: float  # of this run
    results: Path
    workbook: Path
    summary: Path


@dataclass(frozen=True)
class _Task:
    """An item with what identifies it, ready for a worker."""

    item: BatchItem
    out: Path
    sha256: str  # empty where the file cannot be read
    key: str
    unmasked: bool

    @property
    def page(self) -> str:
        stem = Path(self.item.name).with_suffix("").as_posix().replace("/", "_").lstrip("._")
        shown = stem if self.unmasked else mask_file_name(stem, self.item.order)
        safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in shown)[:60]
        named = f"{self.item.name} {self.item.kind} {self.item.order.order_id}"
        return f"{PAGES}/{safe}-{hashlib.sha256(named.encode()).hexdigest()[:8]}.html"


def run_batch(
    source: Path,
    out: Path,
    inspect_one: InspectOne,
    *,
    jobs: int = 1,
    unmasked: bool = False,
    fresh: bool = False,
    setup: str = "",
    console: Console | None = None,
) -> BatchOutcome:
    """Inspect every recording of a folder or manifest that has no result yet, and write reports.

    Args:
        inspect_one: the chain for one recording; with `jobs` > 1 it must be picklable.
        unmasked: show personal data; not in a folder that holds masked results, nor reversed.
        fresh: forget the results of earlier runs.
        setup: what the results depend on besides the recording, such as recogniser and profile.
        console: where to show the progress; None for silence.

    Raises:
        QcError: the source cannot be read, holds no recording, or `out` cannot be written.
    """
    items = list(find_items(source, leave_out=out))
    if not items:
        raise QcError("没有找到录音", "请检查文件夹，或清单里“录音”一列的路径")
    with _writing(out):
        if fresh:
            _forget(out)
        (out / PAGES).mkdir(parents=True, exist_ok=True)
        with _Results(out / RESULTS, unmasked) as results:
            tasks = (_identify(item, out, setup, unmasked) for item in items)
            done, reused, seconds = _run(tasks, len(items), results, inspect_one, jobs, console)
            write_workbook(results, out / "results.xlsx")
            write_summary(results, out / "summary.html", made_on=date.today(), source=source.name)
            failed = sum(row.verdict is None for row in results)
    return BatchOutcome(
        *(len(items), done, reused, failed, seconds),
        *(out / RESULTS, out / "results.xlsx", out / "summary.html"),
    )


def read_results(out: Path) -> Iterator[Row]:
    """The latest row of each recording of a finished or running spot check."""
    results = _Results(out / RESULTS, unmasked=None)
    with results:
        yield from results


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QcError(
            f"写不进结果文件夹 {out}（{error.strerror}）",
            "请检查权限和磁盘空间，并关闭已打开的 results.xlsx",
        ) from error


def _forget(out: Path) -> None:
    shutil.rmtree(out / PAGES, ignore_errors=True)
    (out / RESULTS).unlink(missing_ok=True)


def _identify(item: BatchItem, out: Path, setup: str, unmasked: bool) -> _Task:
    try:
        with item.recording.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _Task(item, out, "", "", unmasked)  # inspecting it will say what is wrong
    parts = [sha256, item.kind, item.order.model_dump_json(), setup]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return _Task(item, out, sha256, key, unmasked)


def _run(
    tasks: Iterable[_Task],
    total: int,
    results: "_Results",
    inspect_one: InspectOne,
    jobs: int,
    console: Console | None,
) -> tuple[int, int, float]:
    """Inspect what has no result yet; return done, reused and seconds of audio done."""
    done, reused, seconds = 0, 0, 0.0
    progress = Progress(
        *(TextColumn("检查录音"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("{task.fields[audio]}"), TextColumn("剩余"), TimeRemainingColumn()),
        console=console,
        disable=console is None,
    )
    with progress:
        bar = progress.add_task("", total=total, audio="")

        def unfinished() -> Iterator[_Task]:
            nonlocal reused
            for task in tasks:
                if results.reuse(task):
                    reused += 1
                    progress.advance(bar)
                else:
                    yield task

        for row in _examine_all(unfinished(), inspect_one, jobs):
            results.append(row)
            done += 1
            seconds += row.seconds or 0.0
            progress.update(bar, advance=1, audio=f"已听 {duration(seconds)}")
    return done, reused, seconds


def _examine(task: _Task, inspect_one: InspectOne) -> Row:
    """Inspect one recording and write its page; whatever goes wrong becomes a row."""
    item, reason, status, found, page = task.item, task.item.fault, "failed", None, ""
    kind = item.kind
    seconds = _seconds(item.recording) if task.sha256 else None
    if not reason:
        try:
            inspection = inspect_one(item)
            html = call_page(
                inspection, recording=item.name, seconds=seconds, unmasked=task.unmasked
            )
            (task.out / task.page).write_text(html, encoding="utf-8")
            found, page = verdict(inspection, unmasked=task.unmasked), task.page
            kind, status = inspection.kind, "ok"
        except QcError as error:
            reason = str(error)
        except Exception as error:  # one recording must not end the run; the log has the details
            status, reason = "error", f"内部错误（{type(error).__name__}），详情见 {LOG}"
            _log(task, traceback.format_exc())
    return _row(task, status, kind, reason, seconds=seconds, page=page, verdict=found)


def _row(task: _Task, status: str, kind: CallKind | None, reason: str, **more: Any) -> Row:
    order = task.item.order
    name = task.item.name
    return Row(
        key=task.key,
        recording=name if task.unmasked else mask_file_name(name, order),
        sha256=task.sha256,
        status=status,
        kind=kind,
        reason=reason if task.unmasked else mask_file_name(reason, order),
        order_id=order.order_id,
        department=order.department or "",
        handler=order.handler or "",
        unmasked=task.unmasked,
        **more,
    )


def _seconds(recording: Path) -> float | None:
    """Length that the header states; None where it states none."""
    try:
        with av.open(str(recording), options=OPEN_OPTIONS, metadata_errors="replace") as container:
            return container.duration / av.time_base if container.duration else None
    except (av.FFmpegError, OSError):
        return None


def _log(task: _Task, details: str) -> None:
    shown = details if task.unmasked else mask(details, task.item.order)
    with (task.out / LOG).open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {mask_file_name(task.item.name)}\n{shown}\n")
