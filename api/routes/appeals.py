"""Appeals of departments, and their decisions."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed, visible
from api.appeals import AppealDecision, decide_appeal, file_appeal
from api.database import transaction
from api.masking import view_for
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import not_found
from api.routes.common import HEX_ID, OrdersReader, TheService, find_recording
from api.routes.reviews import MULTILINE, Rule, Turn
from api.tables import AppealRow, OrderRow, RecordingRow
from qc.filed import LOCAL
from qc.order import Order

router = APIRouter(prefix="/api/v1/appeals", tags=["申诉"])

Appellant = Annotated[Actor, Depends(allowed("appeals:write"))]
Judge = Annotated[Actor, Depends(allowed("appeals:decide"))]
AppealId = Annotated[str, Path(pattern=HEX_ID, description="申诉编号")]
Words = Annotated[str, Field(min_length=1, max_length=2000, pattern=MULTILINE)]


class NewAppeal(BaseModel):
    """An objection to a finding."""

    recording_id: str = Field(pattern=HEX_ID, description="录音编号")
    rule_id: Rule = Field(description="哪条规则", examples=["bh.promise"])
    turn: Turn | None = Field(default=None, description="第几句，从 0 起；不给则指每一处")
    grounds: Words = Field(description="理由", examples=["说的是政策规定的时限，不是随意许诺"])


class Decided(BaseModel):
    """The decision on an appeal."""

    decision: AppealDecision = Field(description="upheld 申诉成立，rejected 维持原结论")
    answer: Words = Field(description="答复", examples=["经复听，申诉成立"])


class AppealShown(BaseModel):
    """An appeal as shown."""

    id: str = Field(description="申诉编号")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    recording_id: str = Field(description="录音编号")
    department: str = Field(description="处置部门", examples=["城管中队"])
    rule_id: str = Field(description="哪条规则", examples=["bh.promise"])
    turn: int | None = Field(description="第几句，从 0 起")
    grounds: str = Field(description="理由，个人信息已遮盖")
    appealed_by: str = Field(description="谁提出的")
    appealed_at: datetime = Field(description="提出时间")
    decision: Literal["", "upheld", "rejected"] = Field(description="空为待处理")
    answer: str = Field(description="答复，个人信息已遮盖")
    decided_by: str = Field(description="谁处理的")
    decided_at: datetime | None = Field(description="处理时间")


@router.get("", summary="申诉列表")
def list_appeals(
    actor: OrdersReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    open_only: Annotated[bool, Query(description="只看待处理的")] = False,
) -> Page[AppealShown]:
    """新的在前；处置部门只看本部门的。"""
    rows = visible(select(AppealRow), actor, AppealRow.department)
    rows = rows.where(AppealRow.decision == "") if open_only else rows
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [AppealRow.appealed_at, AppealRow.id], wanted)
        items = [appeal_shown(session, actor, row) for row in found]
    return Page(items=items, next=after)


@router.post("", summary="提出申诉", status_code=201)
def post_appeal(wanted: NewAppeal, actor: Appellant, service: TheService) -> AppealShown:
    """处置部门只能就本部门的工单申诉；同一处只能申诉一次。"""
    with transaction(service.engine) as session:
        recording = find_recording(session, actor, wanted.recording_id, for_update=True)
        row = file_appeal(session, actor, recording, wanted.rule_id, wanted.turn, wanted.grounds)
        return appeal_shown(session, actor, row)


@router.post("/{appeal_id}:decide", summary="处理申诉")
def post_decision(
    appeal_id: AppealId, wanted: Decided, actor: Judge, service: TheService
) -> AppealShown:
    """申诉成立的，那项发现随即推翻，不再计入分数和统计。不能处理自己提出的申诉。"""
    with transaction(service.engine) as session:
        rows = visible(select(AppealRow), actor, AppealRow.department)
        row = session.scalar(rows.where(AppealRow.id == appeal_id).with_for_update())
        if row is None:
            raise not_found("申诉")
        decide_appeal(session, actor, row, wanted.decision, wanted.answer)
        return appeal_shown(session, actor, row)


def appeal_shown(session: Session, actor: Actor, row: AppealRow) -> AppealShown:
    """An appeal as the actor sees it."""
    order_row = session.scalars(
        select(OrderRow).join(RecordingRow).where(RecordingRow.id == row.recording_id)
    ).one()
    order, view = Order.model_validate(order_row.order), view_for(actor)
    return AppealShown.model_validate(
        {
            **{name: getattr(row, name) for name in _SAME},
            "order_id": order_row.order_id,
            "grounds": view.words(row.grounds, order),
            "answer": view.words(row.answer, order),
            "appealed_at": row.appealed_at.astimezone(LOCAL),
            "decided_at": row.decided_at.astimezone(LOCAL) if row.decided_at else None,
        }
    )


_SAME = (
    *("id", "recording_id", "department", "rule_id", "turn"),
    *("appealed_by", "decision", "decided_by"),
)
