"""Everything that was found, to filter and to page through."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from api.access import visible
from api.database import transaction
from api.masking import View, view_for
from api.orders import PLAIN
from api.paging import Page, Wanted, read_page, wanted_page
from api.routes.common import HEX_ID, OrdersReader, TheService, midnight
from api.tables import FindingRow, InspectionRow, OrderRow
from qc.order import Order

router = APIRouter(prefix="/api/v1/findings", tags=["录音"])

Family = Literal["element", "behaviour", "signal", "order"]


class FindingShown(BaseModel):
    """One thing that was found."""

    id: str = Field(description="编号；重新检查后同一问题的编号不变")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    recording_id: str | None = Field(description="录音编号；整单的问题为 null")
    department: str = Field(description="处置部门", examples=["城管中队"])
    handler: str = Field(description="经办人", examples=["李明"])
    family: Family = Field(description="话术要素、禁止行为、市民信号、整单问题")
    rule_id: str = Field(description="规则", examples=["bh.promise"])
    status: str = Field(description="话术要素的结果；其余为 found", examples=["found"])
    severity: str = Field(description="程度", examples=["major"])
    turn: int | None = Field(description="第几句，从 0 起")
    start: float | None = Field(description="位置（秒）", examples=[31.2])
    quote: str = Field(description="原话", examples=["我跟你保证明天肯定给你拆掉"])
    confidence: float | None = Field(description="把握，0 到 1")
    decision: str = Field(description="复核结果：confirm 属实，overturn 推翻，空为未复核")


class FindingFilter(BaseModel):
    """Which findings are wanted."""

    family: Family | None = Field(default=None, description="哪一类")
    rule_id: str | None = Field(default=None, max_length=50, pattern=PLAIN, description="哪条规则")
    status: Literal["met", "partial", "missing", "not_applicable", "found"] | None = Field(
        default=None, description="话术要素的结果；found 为其余各类"
    )
    severity: Literal["minor", "major", "fatal"] | None = Field(default=None, description="程度")
    department: str | None = Field(
        default=None, max_length=100, pattern=PLAIN, description="处置部门"
    )
    handler: str | None = Field(default=None, max_length=100, pattern=PLAIN, description="经办人")
    order_id: str | None = Field(
        default=None, max_length=100, pattern=PLAIN, description="工单编号"
    )
    recording_id: str | None = Field(default=None, pattern=HEX_ID, description="哪段录音")
    since: date | None = Field(default=None, description="派单日期从")
    until: date | None = Field(default=None, description="派单日期到（含）")

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """What a row must fulfil; rows are findings joined with orders and inspections."""
        columns: dict[str, InstrumentedAttribute[str]] = {
            "family": FindingRow.family,
            "rule_id": FindingRow.rule_id,
            "status": FindingRow.status,
            "severity": FindingRow.severity,
            "department": OrderRow.department,
            "handler": OrderRow.handler,
            "order_id": OrderRow.order_id,
            "recording_id": InspectionRow.recording_id,
        }
        for name, column in columns.items():
            if (value := getattr(self, name)) is not None:
                yield column == value
        if self.since is not None:
            yield OrderRow.received_at >= midnight(self.since)
        if self.until is not None and self.until < date.max:
            yield OrderRow.received_at < midnight(self.until + timedelta(days=1))


@router.get("", summary="问题列表")
def list_findings(
    actor: OrdersReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    chosen: Annotated[FindingFilter, Query()],
) -> Page[FindingShown]:
    """可按规则、部门、经办人、日期筛选；原话里的个人信息已遮盖。"""
    rows = (
        select(FindingRow)
        .join(OrderRow, OrderRow.id == FindingRow.order_pk)
        .outerjoin(InspectionRow, InspectionRow.id == FindingRow.inspection_id)
        .where(*chosen.conditions())
    )
    with transaction(service.reader) as session:
        seen = visible(rows, actor, OrderRow.department)
        found, after = read_page(session, seen, [FindingRow.id], wanted)
        of_page = select(OrderRow).where(OrderRow.id.in_([row.order_pk for row in found]))
        orders = {row.id: row for row in session.scalars(of_page)}
        items = [_shown(row, orders[row.order_pk], view_for(actor)) for row in found]
    return Page(items=items, next=after)


def _shown(row: FindingRow, order: OrderRow, view: View) -> FindingShown:
    return FindingShown.model_validate(
        {
            **{name: getattr(row, name) for name in _SAME},
            "order_id": order.order_id,
            "recording_id": row.inspection.recording_id if row.inspection else None,
            "department": order.department,
            "handler": order.handler,
            "quote": view.words(row.quote, Order.model_validate(order.order)),
        }
    )


_SAME = (
    *("id", "family", "rule_id", "status", "severity"),
    *("turn", "start", "confidence", "decision"),
)
