"""What to inspect: a folder with orders beside the recordings, or a manifest."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from pydantic import ValidationError

from qc.containers import SOUND_MAGICS
from qc.errors import OrderError, QcError
from qc.order import CallKind, Order, read_order

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


@dataclass(frozen=True)
class BatchItem:
    """One recording to inspect."""

    name: str  # as the manifest names it, or the path inside the folder
    recording: Path
    kind: CallKind | None = None  # None: nothing told it
    order: Order = field(default_factory=Order)
    fault: str = ""  # why it cannot be inspected: the order or the manifest's line is wrong


def find_items(source: Path, leave_out: Path | None = None) -> Iterator[BatchItem]:
    """Recordings of a folder (and its subfolders) or of a manifest, with their orders.

    Args:
        source: a folder, or a table (CSV in UTF-8 or GB18030, XLSX) with a column of recordings.
        leave_out: a folder inside `source` that holds results.

    Raises:
        QcError: the folder or the table cannot be read. A wrong line is an item with its `fault`.
    """
    try:
        is_folder, is_there = source.is_dir(), source.exists()
    except OSError as error:
        raise QcError(f"读不了 {source}（{error.strerror}）", "请检查路径和权限") from error
    if is_folder:
        yield from _folder_items(source, leave_out)
    elif not is_there:
        raise QcError(f"找不到 {source}", "请给出录音文件夹，或清单文件（CSV、XLSX）")
    elif source.suffix.lower() in (".csv", ".tsv", ".xlsx", ".xlsm"):
        yield from _manifest_items(source)
    else:
        raise QcError(
            f"{source.name} 不是文件夹，也不是 CSV 或 XLSX 清单", "单个录音请用 hotline-qc inspect"
        )


def is_file(path: Path) -> bool:
    """Whether there is such a file; False where the name is absurd or access is denied."""
    try:
        return path.is_file()
    except OSError:
        return False


def _folder_items(folder: Path, leave_out: Path | None) -> Iterator[BatchItem]:
    listed: dict[Path, BatchItem] = {}
    for manifest in (folder / name for name in MANIFESTS):
        if is_file(manifest):
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
        if is_file(beside):
            try:
                kind, order = read_order_file(beside)
            except OrderError as error:
                return replace(item, fault=str(error))
            return replace(item, kind=item.kind or kind or _kind_in(item.name), order=order)
    return replace(item, kind=item.kind or _kind_in(item.name))


def read_order_file(path: Path) -> tuple[CallKind | None, Order]:
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
            said, order = read_order_file(path.parent / filed)
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
    import pandas as pd  # slow

    try:
        table = pd.read_excel(path, header=None, dtype=object)
    except (BadZipFile, OSError, KeyError, ValueError, IndexError, SyntaxError) as error:
        raise QcError(f"打不开清单 {path.name}", "请用 Excel 打开后另存为 XLSX") from error
    for row in table.itertuples(index=False):
        yield [_cell_text(value) for value in row]


def _cell_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, float):
        return "" if isnan(value) else str(int(value) if value.is_integer() else value)
    return "" if value is None else str(value)
