"""Orders from a table (CSV or XLSX): one row an order, and a wrong row spoils no other."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

from openpyxl import load_workbook
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor
from api.database import transaction
from api.orders import add_order, change_order, merged, read_fields, sound_order
from api.problems import Problem
from api.service import Service
from api.tables import OrderRow
from qc import manifest
from qc.errors import QcError
from qc.manifest import CODED, COLUMNS, WORDS
from qc.order import Order

MAX_BYTES = 20 << 20
MAX_ROWS = 5000
AT_ONCE = 50  # rows in one transaction: other writers wait for it

# Titles of what was filed; the first of a line is the name in qc.filed.Filing.
_FILING = """
urgency 紧急程度 件别
received_at 派单时间 受理时间
accepted_at 接单时间
first_contact_at 首次联系时间 先行联系时间
replied_at 回复时间 热线回复时间
closed_at 办结时间
extension_requested_at 申请延期时间
extended 是否延期
returned_at 退单时间
return_reason 退单原因
first_contact_description 先行联系情况
fact_finding 是否属实 事实认定
handling_result 处理结果 办理结果
reply_summary 答复要点
closing_report 办结报告
satisfaction 满意情况 满意度
"""
FILING = {title: line.split()[0] for line in _FILING.strip().splitlines() for title in line.split()}
_FILED_WORDS = """
普通=normal 一般件=normal 紧急=urgent 紧急件=urgent 扬言件=threat 随申拍=snapshot 直派件=direct
复核件=recheck 重办件=redo 满意=satisfied 基本满意=basically 一般=neutral 不满意=dissatisfied
未表态=none
"""
FILED_WORDS = dict(word.split("=") for word in _FILED_WORDS.split())
_YES_NO = {"是": True, "否": False, "true": True, "false": False}


class ImportedRow(BaseModel):
    """What became of one row."""

    row: int = Field(description="表格的第几行", examples=[2])
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    outcome: Literal["created", "changed", "unchanged", "failed"] = Field(description="结果")
    reason: str = Field(default="", description="没有导入的原因", examples=[""])


class Imported(BaseModel):
    """What became of a table."""

    created: int = Field(description="新建的工单数")
    changed: int = Field(description="更新的工单数")
    unchanged: int = Field(description="与已有内容相同的工单数")
    failed: int = Field(description="有错而没有导入的行数")
    rows: list[ImportedRow] = Field(description="逐行结果")


def import_orders(
    service: Service, actor: Actor, content: bytes, profile: str | None = None
) -> Imported:
    """Create or update an order for each row of a table.

    Raises:
        QcError: the table cannot be read or has no column of order numbers.
    """
    done: list[ImportedRow] = []
    rows = read_table(content)
    while chunk := list(islice(rows, AT_ONCE)):
        with transaction(service.engine) as session:
            for number, fields in chunk:
                done.append(_import_row(session, service, actor, number, fields, profile))
    counts = {name: sum(row.outcome == name for row in done) for name in _OUTCOMES}
    return Imported(**counts, rows=done)


_OUTCOMES = ("created", "changed", "unchanged", "failed")


def _import_row(
    session: Session,
    service: Service,
    actor: Actor,
    number: int,
    fields: Mapping[str, str],
    profile: str | None,
) -> ImportedRow:
    order_id = fields.get("order_id", "")
    try:
        with session.begin_nested():
            row = session.scalar(
                select(OrderRow).where(OrderRow.order_id == order_id).with_for_update()
            )
            if row is not None and not actor.sees(row.department):
                raise QcError("工单不属于您的部门")
            known = (row.order, row.filing) if row else ({}, {})
            given_order = {k: _cell(k, v) for k, v in fields.items() if k in Order.model_fields}
            given_filing = {k: _filed(k, v) for k, v in fields.items() if k in FILING.values()}
            order, filing = read_fields(
                merged(known[0], given_order), merged(known[1], given_filing)
            )
            sound_order(order)
            if row is None:
                add_order(session, service, actor, order, filing, profile)
                outcome = "created"
            else:
                changed = change_order(session, service, actor, row, order, filing, profile)
                outcome = "changed" if changed else "unchanged"
    except Problem as error:
        return _failed(number, order_id, error.detail)
    except (QcError, ValueError) as error:
        return _failed(number, order_id, str(error))
    return ImportedRow.model_validate({"row": number, "order_id": order_id, "outcome": outcome})


def _failed(number: int, order_id: str, reason: str) -> ImportedRow:
    return ImportedRow(row=number, order_id=order_id[:100], outcome="failed", reason=reason)


def read_table(content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and fields of each row that holds something; empty cells are left out.

    Raises:
        QcError: the table cannot be read, is too long, or has no column of order numbers.
    """
    rows = _workbook_rows(content) if content[:4] == b"PK\x03\x04" else _csv_rows(content)
    titles = COLUMNS | FILING
    header = [titles.get(title.strip().lower(), "") for title in next(rows, [])]
    if "order_id" not in header:
        raise QcError("表格里没有“工单编号”这一列", "请把第一行写成列名")
    for number, cells in enumerate(rows, 2):
        if number > MAX_ROWS + 1:
            raise QcError(f"表格超过 {MAX_ROWS} 行", "请分成几个文件导入")
        fields = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name}
        fields = {name: cell for name, cell in fields.items() if cell}
        if fields:
            yield number, fields


def _csv_rows(content: bytes) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(prefix="hotline-qc-") as folder:
        path = Path(folder) / "导入的表格.csv"
        path.write_bytes(content)
        yield from manifest._csv_rows(path)


def _workbook_rows(content: bytes) -> Iterator[list[str]]:
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        for row in sheet.iter_rows(values_only=True, max_row=MAX_ROWS + 2):
            yield [_text(value) for value in row]
    except (BadZipFile, KeyError, ValueError, IndexError, OSError, SyntaxError) as error:
        raise QcError("打不开这个表格", "请用 Excel 打开后另存为 XLSX，或存为 CSV") from error


def _text(value: object) -> str:
    if isinstance(value, datetime):
        whole_day = value.time() == time()
        return value.date().isoformat() if whole_day else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _cell(name: str, text: str) -> Any:
    """A cell as the order's field wants it."""
    return WORDS.get(text, text) if name in CODED else manifest._cell(name, text)


def _filed(name: str, text: str) -> Any:
    """A cell as the filing's field wants it."""
    if name == "extended":
        return _YES_NO.get(text.lower(), text)
    return FILED_WORDS.get(text, text) if name in ("urgency", "satisfaction") else text
