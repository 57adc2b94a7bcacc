"""Spot check of many recordings: the run over them.

A run may be killed at any moment and started again: each recording is one line of
`results.jsonl`, written whole before the next one, and what was inspected is not done again.
"""

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qc.containers import OPEN_OPTIONS
from qc.errors import QcError
from qc.fingerprint import available
from qc.fitness import UnusableRecording
from qc.inspection import Inspection
from qc.manifest import BatchItem, find_items, is_file
from qc.order import CallKind
from qc.privacy import mask, mask_file_name
from qc.report import Row, RowStatus, call_page, duration, verdict, write_summary
from qc.results import Results
from qc.same_sound import mark_same_sound
from qc.workbook import write_workbook

__all__ = ["BatchItem", "BatchOutcome", "find_items", "read_results", "run_batch"]

RESULTS, LOG, PAGES = "results.jsonl", "batch.log", "calls"

InspectOne = Callable[["BatchItem"], Inspection]


@dataclass(frozen=True)
class BatchOutcome:
    """What a run did, and where its results lie."""

    total: int  # recordings of the source
    done: int  # inspected or tried in this run
    reused: int  # results of an earlier run
    failed: int  # recordings in the results that could not be inspected
    invalid: int  # those that hold no call to be judged
    audio_seconds: float  # of this run
    results: Path
    workbook: Path
    summary: Path


@dataclass(frozen=True)
class _Task:
    """An item with what identifies it, ready for a worker."""

    item: BatchItem
    out: Path
    unmasked: bool
    sha256: str  # empty where the file cannot be read
    key: str  # of what the result depends on; empty likewise

    @property
    def id(self) -> str:
        """Of the row: one recording for one order, whatever is in the file."""
        named = f"{self.item.name} {self.item.kind} {self.item.order.order_id}"
        return hashlib.sha256(named.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        item = self.item
        return item.name if self.unmasked else mask_file_name(item.name, item.order)

    @property
    def page(self) -> str:
        stem = Path(self.name).with_suffix("").as_posix()
        safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem)
        return f"{PAGES}/{safe.lstrip('.')[-60:]}-{self.id}.html"


def run_batch(
    source: Path,
    out: Path,
    inspect_one: InspectOne,
    *,
    jobs: int = 1,
    together: int = 1,
    unmasked: bool = False,
    fresh: bool = False,
    setup: str = "",
    console: Console | None = None,
) -> BatchOutcome:
    """Inspect every recording of a folder or manifest that has no result yet, and write reports.

    Args:
        inspect_one: the chain for one recording; with `jobs` > 1 it must be picklable.
        jobs: processes that inspect at the same time.
        together: threads that do so where `jobs` is 1, for a recogniser that gathers.
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
        with Results(out / RESULTS, unmasked) as results:
            tasks = (_identify(item, out, setup, unmasked) for item in items)
            done, reused, seconds = _run(
                tasks, len(items), results, inspect_one, (jobs, together), console
            )
            mark_same_sound(results)
            write_workbook(results, out / "results.xlsx")
            write_summary(
                *(results, out / "summary.html"),
                made_on=date.today(),
                source=source.resolve().name,
                compared=available(),
            )
            states = Counter(row.status for row in results)
    return BatchOutcome(
        total=len(items),
        done=done,
        reused=reused,
        failed=states["failed"] + states["error"],
        invalid=states["invalid"],
        audio_seconds=seconds,
        results=out / RESULTS,
        workbook=out / "results.xlsx",
        summary=out / "summary.html",
    )


def read_results(out: Path) -> Iterator[Row]:
    """The latest row of each recording of a finished or running spot check.

    Raises:
        QcError: `out` holds no results.
    """
    if not (out / RESULTS).is_file():
        raise QcError(f"{out} 里没有检查结果", "请先运行 hotline-qc batch")
    with Results(out / RESULTS) as results:
        yield from results


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QcError(
            f"写不进结果文件夹 {out}（{error.strerror or error}）",
            "请检查权限和磁盘空间，并关闭已打开的 results.xlsx",
        ) from error


def _forget(out: Path) -> None:
    shutil.rmtree(out / PAGES, ignore_errors=True)
    (out / RESULTS).unlink(missing_ok=True)


def _identify(item: BatchItem, out: Path, setup: str, unmasked: bool) -> _Task:
    if not is_file(item.recording):  # a pipe would wait for ever
        return _Task(item, out, unmasked, "", "")
    try:
        with item.recording.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _Task(item, out, unmasked, "", "")  # inspecting it will say what is wrong
    parts = [sha256, item.kind, item.order.model_dump_json(), setup]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return _Task(item, out, unmasked, sha256, key)


def _run(
    tasks: Iterable[_Task],
    total: int,
    results: Results,
    inspect_one: InspectOne,
    workers: tuple[int, int],
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
                if results.reuse(task.key, task.id, task.name):
                    reused += 1
                    progress.advance(bar)
                else:
                    yield task

        for row in _examine_all(unfinished(), inspect_one, *workers):
            results.append(row)
            done += 1
            seconds += row.seconds or 0.0
            progress.update(bar, advance=1, audio=f"已听 {duration(seconds)}")
    return done, reused, seconds


def _examine(task: _Task, inspect_one: InspectOne) -> Row:
    """Inspect one recording and write its page; whatever goes wrong becomes a row."""
    item, reason, kind = task.item, task.item.fault, task.item.kind
    status: RowStatus = "failed"
    found, page, printed = None, "", ""
    seconds = None
    if not reason:
        try:
            inspection = inspect_one(item)
            seconds = _seconds(item.recording)
            html = call_page(
                inspection, recording=item.name, seconds=seconds, unmasked=task.unmasked
            )
            (task.out / task.page).write_text(html, encoding="utf-8")
            found, page = verdict(inspection, unmasked=task.unmasked), task.page
            kind, status, printed = inspection.kind, "ok", inspection.fingerprint
        except UnusableRecording as error:
            status, reason = "invalid", "；".join(error.quality.reasons)
            seconds = _seconds(item.recording)
        except QcError as error:
            reason = str(error)
        except Exception as error:  # one recording must not end the run; the log has the details
            status, reason = "error", f"内部错误（{type(error).__name__}），详情见 {LOG}"
            _log(task, traceback.format_exc())
    more = {"seconds": seconds, "page": page, "verdict": found, "fingerprint": printed}
    return _row(task, status, kind, reason, **more)


def _row(task: _Task, status: RowStatus, kind: CallKind | None, reason: str, **more: Any) -> Row:
    order = task.item.order
    return Row(
        id=task.id,
        key=task.key,
        recording=task.name,
        sha256=task.sha256,
        status=status,
        kind=kind,
        reason=reason if task.unmasked else mask(reason, order),
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
        log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {task.name}\n{shown}\n")


def _examine_all(
    tasks: Iterator[_Task], inspect_one: InspectOne, jobs: int, together: int
) -> Iterator[Row]:
    if jobs > 1:
        yield from _examine_in_processes(tasks, inspect_one, jobs)
    elif together > 1:
        with ThreadPoolExecutor(together) as pool:
            while some := list(islice(tasks, together)):
                yield from pool.map(lambda task: _examine(task, inspect_one), some)
    else:
        for task in tasks:
            yield _examine(task, inspect_one)


def _examine_in_processes(
    tasks: Iterator[_Task], inspect_one: InspectOne, jobs: int
) -> Iterator[Row]:
    """Rows as they are finished. A recording that kills its process becomes a row, too."""
    pool = _pool(inspect_one, jobs)
    running: dict[Future[Row], _Task] = {}
    try:
        while True:
            lost: list[_Task] = []
            for task in islice(tasks, 2 * jobs - len(running)):
                try:
                    running[pool.submit(_examine_here, task)] = task
                except BrokenProcessPool:
                    lost.append(task)
            if not running and not lost:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    lost.append(task)
            if lost:  # nobody knows whose fault it was: each on its own, then on with a new pool
                yield from (_examine_alone(t, inspect_one) for t in (*lost, *running.values()))
                running.clear()
                pool = _pool(inspect_one, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _examine_alone(task: _Task, inspect_one: InspectOne) -> Row:
    with _pool(inspect_one, 1) as pool:
        try:
            return pool.submit(_examine_here, task).result()
        except BrokenProcessPool:
            reason = "内部错误：检查这段录音的进程意外退出（可能内存不足）"
            return _row(task, "error", task.item.kind, reason)


def _pool(inspect_one: InspectOne, jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _start_worker, (inspect_one, jobs)
    )


_worker: dict[str, InspectOne] = {}  # of a worker process


def _start_worker(inspect_one: InspectOne, jobs: int) -> None:
    """Keep the chain for all recordings of this process, share the cores, end with the parent."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    _worker["inspect_one"] = inspect_one
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)  # killed: nobody is left to take the results


def _examine_here(task: _Task) -> Row:
    return _examine(task, _worker["inspect_one"])
