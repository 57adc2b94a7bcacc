"""Orders and their verdicts as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.masking import View
from api.same_sound import reuse_notes
from api.tables import JobRow, OrderRow, RecordingRow
from qc.filed import LOCAL, Filing
from qc.order import CallKind, Order


class OrderShown(BaseModel):
    """An order as shown, masked unless asked otherwise."""

    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    profile: str = Field(description="街镇配置", examples=["weifang"])
    department: str = Field(description="处置部门", examples=["城管中队"])
    handler: str = Field(description="经办人", examples=["李明"])
    score: int | None = Field(description="整单得分；还没有录音结论时为 null", examples=[86])
    recordings: int = Field(description="录音段数", examples=[2])
    order: Order = Field(description="工单")
    filing: Filing = Field(description="填报内容")
    version: int = Field(description="版本，即 ETag", examples=[3])
    received_at: datetime = Field(description="派单时间")
    created_at: datetime = Field(description="建立时间")
    updated_at: datetime = Field(description="最近更新时间")
    forgotten: bool = Field(description="已过保留期限，个人信息已删除")


class CallState(BaseModel):
    """One recording of an order."""

    recording_id: str = Field(description="录音编号")
    kind: CallKind | None = Field(description="先行联系或热线回复")
    status: Literal["queued", "running", "done", "failed"] = Field(description="检查进度")
    reason: str = Field(description="未能检查的原因")
    score: int | None = Field(description="得分")


class OrderVerdict(BaseModel):
    """The verdict on all calls of an order together."""

    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    status: Literal["pending", "done"] = Field(description="done 表示所有录音和整单都已检查")
    score: int | None = Field(description="整单得分", examples=[86])
    recordings: list[CallState] = Field(description="各段录音")
    missing: list[CallKind] = Field(description="缺少的录音")
    notes: list[str] = Field(description="要注意的情况", examples=[["同一录音用于两个工单"]])
    verdict: dict[str, Any] | None = Field(
        description="整单结论：问题、承诺台账、各通录音的结论；还没有时为 null"
    )


def shown(session: Session, rows: Sequence[OrderRow], view: View) -> list[OrderShown]:
    """Orders as a reader sees them."""
    counted = dict(
        session.execute(
            select(RecordingRow.order_pk, func.count())
            .where(RecordingRow.order_pk.in_([row.id for row in rows]), RecordingRow.path != "")
            .group_by(RecordingRow.order_pk)
        ).all()
    )
    return [_shown(row, counted.get(row.id, 0), view) for row in rows]


def _shown(row: OrderRow, recordings: int, view: View) -> OrderShown:
    order, filing = Order.model_validate(row.order), Filing.model_validate(row.filing)
    return OrderShown(
        order_id=row.order_id,
        profile=row.profile,
        department=row.department,
        handler=row.handler,
        score=row.score,
        recordings=recordings,
        order=view.order(order),
        filing=view.filing(filing, order),
        version=row.version,
        received_at=row.received_at.astimezone(LOCAL),
        created_at=row.created_at.astimezone(LOCAL),
        updated_at=row.updated_at.astimezone(LOCAL),
        forgotten=row.forgotten_at is not None,
    )


def verdict_of(session: Session, row: OrderRow, view: View) -> OrderVerdict:
    """The verdict on an order as a reader sees it, and how far its recordings are."""
    stored = select(RecordingRow).where(RecordingRow.order_pk == row.id, RecordingRow.path != "")
    recordings = session.scalars(stored.order_by(RecordingRow.uploaded_at)).all()
    states = [_state(recording) for recording in recordings]
    busy = session.scalar(
        select(func.count())
        .select_from(JobRow)
        .where(JobRow.order_pk == row.id, JobRow.status.in_(("queued", "running")))
    )
    order = Order.model_validate(row.order)
    return OrderVerdict(
        order_id=row.order_id,
        status="pending" if busy or row.verdict is None else "done",
        score=row.score,
        recordings=states,
        missing=[kind for kind in CallKind if kind not in {state.kind for state in states}],
        notes=reuse_notes(session, recordings, view.department),
        verdict=view.stored(row.verdict, order) if row.verdict else None,
    )


def _state(recording: RecordingRow) -> CallState:
    found = recording.inspection
    return CallState.model_validate(
        {
            "recording_id": recording.id,
            "kind": found.kind if found else recording.kind,
            "status": recording.status,
            "reason": recording.reason,
            "score": found.score if found else None,
        }
    )
