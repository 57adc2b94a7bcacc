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
import re
import shutil
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import av
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from qc.containers import OPEN_OPTIONS, SOUND_MAGICS
from qc.errors import OrderError, QcError
from qc.inspection import Inspection
from qc.order import CallKind, Order, read_order
from qc.privacy import mask, mask_file_name
from qc.report import Row, RowStatus, call_page, duration, verdict, write_summary, write_workbook

_SUFFIXES = """
.wav .mp3 .m4a .mp4 .aac .amr .awb .3gp .ogg .oga .opus .spx .flac .wma .asf .gsm .au .aif .aiff
.caf .webm .mka .mkv .avi .mov .voc .vox .w64 .g729 .g722
"""
SOUND_SUFFIXES = frozenset(_SUFFIXES.split())
MANIFESTS = ("manifest.csv", "manifest.xlsx", "清单.csv", "清单.xlsx")
ORDER = ".order.json"
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
_WORDS = """
先行=first_contact 先行联系=first_contact 回复=reply 热线回复=reply 男=male 女=female
投诉=complaint 求助=help 咨询=consult 建议=suggestion 其他=other
是=true 有=true 已解决=true 否=false 无=false 未解决=false
地址=address 时间=time 诉求=issue 联系方式=contact
"""
WORDS = dict(word.split("=") for word in _WORDS.split())
KINDS = {word: CallKind(name) for word, name in WORDS.items() if name in list(CallKind)}
KINDS |= {kind.value: kind for kind in CallKind}
CODED = frozenset(("gender", "category", "has_site", "resolved"))
RESULTS, LOG, PAGES = "results.jsonl", "batch.log", "calls"

InspectOne = Callable[["BatchItem"], Inspection]


@dataclass(frozen=True)
class BatchItem:
    """One recording to inspect."""

    name: str  # as the manifest names it, or the path inside the folder
    recording: Path
    kind: CallKind | None = None  # None: nothing told it
    order: Order = field(default_factory=Order)
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
            write_summary(
                results, out / "summary.html", made_on=date.today(), source=source.resolve().name
            )
            failed = sum(row.verdict is None for row in results)
    return BatchOutcome(
        *(len(items), done, reused, failed, seconds),
        *(out / RESULTS, out / "results.xlsx", out / "summary.html"),
    )


def read_results(out: Path) -> Iterator[Row]:
    """The latest row of each recording of a finished or running spot check.

    Raises:
        QcError: `out` holds no results.
    """
    if not (out / RESULTS).is_file():
        raise QcError(f"{out} 里没有检查结果", "请先运行 hotline-qc batch")
    with _Results(out / RESULTS) as results:
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
    if not item.recording.is_file():  # a pipe would wait for ever
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
    item, reason, kind = task.item, task.item.fault, task.item.kind
    status: RowStatus = "failed"
    found, page = None, ""
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
            kind, status = inspection.kind, "ok"
        except QcError as error:
            reason = str(error)
        except Exception as error:  # one recording must not end the run; the log has the details
            status, reason = "error", f"内部错误（{type(error).__name__}），详情见 {LOG}"
            _log(task, traceback.format_exc())
    return _row(task, status, kind, reason, seconds=seconds, page=page, verdict=found)


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


def _examine_all(tasks: Iterator[_Task], inspect_one: InspectOne, jobs: int) -> Iterator[Row]:
    if jobs > 1:
        yield from _examine_in_processes(tasks, inspect_one, jobs)
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


class _Results:
    """`results.jsonl`: rows that are appended, the latest of each recording counting.

    Only names and positions are held in memory. With `unmasked` None it is opened for reading.
    """

    def __init__(self, path: Path, unmasked: bool | None = None) -> None:
        self._path, self._unmasked = path, unmasked
        self._latest: dict[str, tuple[str, int]] = {}  # id -> recording, offset of its last line
        self._verdict_at: dict[str, int] = {}  # key -> offset of a line with a verdict
        self._file: IO[bytes]

    def __enter__(self) -> "_Results":
        self._file = self._path.open("rb" if self._unmasked is None else "a+b")
        if self._unmasked is not None:
            self._lock()
        self._file.seek(0)
        offset = 0
        for line in self._file:
            if not line.endswith(b"\n"):  # half written when the run was killed
                break
            self._index(line, offset)
            offset += len(line)
        if self._unmasked is not None:
            self._file.truncate(offset)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Row]:
        for _, offset in sorted(self._latest.values()):
            yield self._read(offset)

    def reuse(self, task: _Task) -> bool:
        """Whether a verdict on the same recording for the same order is there already.

        One that is filed under another name is taken over.
        """
        if not task.key or task.key not in self._verdict_at:
            return False
        row = self._read(self._verdict_at[task.key])
        if row.id != task.id and row.verdict is not None:
            note = f"与录音“{row.recording}”内容相同，沿用其结果"
            found = row.verdict.model_copy(update={"warnings": (note, *row.verdict.warnings)})
            row = row.model_copy(update={"id": task.id, "recording": task.name, "verdict": found})
        self.append(row)
        return True

    def append(self, row: Row) -> None:
        """Store a row, unless it says what the latest row of its recording says."""
        if row.id in self._latest and self._read(self._latest[row.id][1]) == row:
            return
        offset = self._file.seek(0, os.SEEK_END)
        line = row.model_dump_json().encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._index(line, offset)

    def _read(self, offset: int) -> Row:
        self._file.seek(offset)
        return Row.model_validate_json(self._file.readline())

    def _index(self, line: bytes, offset: int) -> None:
        try:
            row = Row.model_validate_json(line)
        except ValidationError:  # damaged on the disk: as if it had not been inspected
            return
        if self._unmasked not in (None, row.unmasked):
            raise QcError(
                f"结果文件夹里已有{'未' if row.unmasked else '已'}隐去个人信息的结果",
                "请换一个结果文件夹",
            )
        self._latest[row.id] = row.recording, offset
        if row.verdict is not None:
            self._verdict_at.setdefault(row.key, offset)

    def _lock(self) -> None:
        with suppress(ImportError):  # not on Windows
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise QcError("另一个批量检查正在写这个结果文件夹", "请等它结束") from error


# ---- What to inspect: a folder with sidecar orders, or a manifest ----


def find_items(source: Path, leave_out: Path | None = None) -> Iterator[BatchItem]:
    """Recordings of a folder (and its subfolders) or of a manifest, with their orders.

    Args:
        source: a folder, or a table (CSV in UTF-8 or GB18030, XLSX) with a column of recordings.
        leave_out: a folder inside `source` that holds results.

    Raises:
        QcError: the folder or the table cannot be read. A wrong line is an item with its `fault`.
    """
    if source.is_dir():
        yield from _folder_items(source, leave_out)
    elif not source.exists():
        raise QcError(f"找不到 {source}", "请给出录音文件夹，或清单文件（CSV、XLSX）")
    elif source.suffix.lower() in (".csv", ".tsv", ".xlsx", ".xlsm"):
        yield from _manifest_items(source)
    else:
        raise QcError(
            f"{source.name} 不是文件夹，也不是 CSV 或 XLSX 清单", "单个录音请用 hotline-qc inspect"
        )


def _folder_items(folder: Path, leave_out: Path | None) -> Iterator[BatchItem]:
    listed: dict[Path, BatchItem] = {}
    for manifest in (folder / name for name in MANIFESTS):
        if manifest.is_file():
            listed |= {item.recording.resolve(): item for item in _manifest_items(manifest)}
    for path in _recordings(folder, leave_out):
        name = path.relative_to(folder).as_posix()
        where = path.resolve()
        yield listed.pop(where) if where in listed else _with_sidecar(BatchItem(name, path))
    yield from listed.values()  # the manifest names them, but they are not here


def _recordings(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise QcError(f"读不了文件夹 {error.filename}", "请检查权限") from error

    left_out = leave_out.resolve() if leave_out else None
    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and (here / f).resolve() != left_out
        )
        for path in (here / name for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in SOUND_SUFFIXES or _sounds(path):
                yield path


def _sounds(path: Path) -> bool:
    """Whether a file of another suffix begins like a recording."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return (head.startswith(SOUND_MAGICS) or head[4:8] == b"ftyp") and head[8:] != b"WEBP"


def _with_sidecar(item: BatchItem) -> BatchItem:
    """The item with the order that lies beside the recording, NAME.order.json."""
    path = item.recording
    for beside in (path.with_name(path.name + ORDER), path.with_name(path.stem + ORDER)):
        if beside.is_file():
            try:
                kind, order = _read_order(beside)
            except OrderError as error:
                return replace(item, fault=str(error))
            return replace(item, kind=item.kind or kind or _kind_in(item.name), order=order)
    return replace(item, kind=item.kind or _kind_in(item.name))


def _read_order(path: Path) -> tuple[CallKind | None, Order]:
    """An order file: the order's fields, or `order` with them; `kind` beside them."""
    order = read_order(path)  # says what is wrong with the file
    fields = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(fields.get("order"), dict):
        order = _order(fields["order"])
    return _kind(str(fields.get("kind") or "")), order


def _order(fields: Mapping[str, Any]) -> Order:
    try:
        return Order.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise OrderError(
            f"工单的“{'.'.join(map(str, wrong['loc']))}”填的是“{wrong['input']}”，不符合要求"
        ) from error


def _kind(text: str) -> CallKind | None:
    if text and text not in KINDS:
        raise OrderError(f"录音类型“{text}”不认识", "请写先行联系或热线回复")
    return KINDS.get(text)


def _kind_in(name: str) -> CallKind | None:
    """The kind that the name of a file or its folder says, where it says just one."""
    said = {kind for word, kind in KINDS.items() if word in name}
    return said.pop() if len(said) == 1 else None


def _manifest_items(path: Path) -> Iterator[BatchItem]:
    rows = _workbook_rows(path) if path.suffix.lower().startswith(".xls") else _csv_rows(path)
    header = [COLUMNS.get(title.strip().lower(), "") for title in next(rows, ())]
    if "recording" not in header:
        raise QcError(f"清单 {path.name} 里没有“录音”这一列", "请把第一行写成列名")
    for number, cells in enumerate(rows, 2):
        values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
        if any(values.values()):
            yield _manifest_item(path, number, values)


def _manifest_item(path: Path, number: int, cells: dict[str, str]) -> BatchItem:
    name = cells.pop("recording", "").replace("\\", "/")
    item = BatchItem(name or f"{path.name} 第 {number} 行", path.parent / name)
    try:
        if not name:
            raise OrderError("这一行没有写录音文件")
        kind, filed, order = _kind(cells.pop("kind", "")), cells.pop("order", ""), Order()
        if filed.lower().endswith(".json"):
            said, order = _read_order(path.parent / filed)
            kind = kind or said
        elif filed:
            cells["order_id"] = cells.get("order_id") or filed
        fields = {name: _cell(name, text) for name, text in cells.items() if text}
        if fields:
            order = _order(order.model_dump() | fields)
    except OrderError as error:
        return replace(item, fault=str(error))
    item = replace(item, kind=kind, order=order)
    return _with_sidecar(item) if order == Order() else replace(item, kind=kind or _kind_in(name))


def _cell(name: str, text: str) -> Any:
    """A cell as the order's field wants it."""
    if name == "missing_elements":
        words = [WORDS.get(word, word) for word in re.split(r"[、,，;；/\s]+", text)]
        return tuple(word for word in words if word not in ("", "false"))
    if name == "reported_on" and (day := re.match(r"(\d{4})\D(\d{1,2})\D(\d{1,2})", text)):
        return f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}"
    return WORDS.get(text, text) if name in CODED else text


def _csv_rows(path: Path) -> Iterator[list[str]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise QcError(f"读不了清单 {path.name}", "请检查权限") from error
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            text = raw.decode(encoding)
            break
    else:
        raise QcError(f"认不出清单 {path.name} 的文字编码", "请另存为 UTF-8 编码的 CSV 或 XLSX")
    first = text.partition("\n")[0]
    delimiter = max(",\t;，", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise QcError(f"清单 {path.name} 不是有效的 CSV（{error}）", "请另存为 XLSX") from error


def _workbook_rows(path: Path) -> Iterator[list[str]]:
    import openpyxl  # slow

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_cell_text(value) for value in row]
    except (BadZipFile, OSError, KeyError, ValueError, IndexError, SyntaxError) as error:
        raise QcError(f"打不开清单 {path.name}", "请用 Excel 打开后另存为 XLSX") from error


def _cell_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
