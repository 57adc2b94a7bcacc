"""The verdict on one recording, and having it made anew."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.audit import record_read
from api.database import transaction
from api.masking import Unmasked, view_for
from api.plans import refuse_blind
from api.problems import Problem
from api.routes.common import (
    OrdersReader,
    OrdersWriter,
    RecordingId,
    TheService,
    find_recording,
)
from qc.filed import LOCAL
from qc.order import CallKind, Order

router = APIRouter(prefix="/api/v1", tags=["录音"])


class Said(BaseModel):
    """One turn of a call."""

    index: int = Field(description="第几句，从 0 起")
    role: Literal["agent", "citizen"] = Field(description="经办人或市民")
    text: str = Field(description="说的话", examples=["您好，请问您是王先生吗？"])
    start: float | None = Field(description="开始（秒）", examples=[0.4])
    end: float | None = Field(description="结束（秒）", examples=[2.6])
    confidence: float | None = Field(description="识别的把握，0 到 1")


class InspectionShown(BaseModel):
    """The verdict on one recording."""

    recording_id: str = Field(description="录音编号")
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    kind: CallKind = Field(description="先行联系或热线回复")
    score: int = Field(description="得分", examples=[86])
    run: int = Field(description="第几次检查", examples=[1])
    setup: str = Field(description="识别引擎、街镇配置和规则的版本")
    made_at: datetime = Field(description="检查时间")
    transcript: list[Said] = Field(description="对话")
    verdict: dict[str, Any] = Field(
        description="话术要素、禁止行为、市民信号、态度，各有原话和条款"
    )


@router.get("/recordings/{recording_id}/inspection", summary="一段录音的结论")
def get_inspection(
    recording_id: RecordingId,
    actor: OrdersReader,
    service: TheService,
    unmasked: Unmasked = False,
) -> InspectionShown:
    """还没有结论时回 404。"""
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        refuse_blind(session, actor, recording_id)
        found, order = row.inspection, Order.model_validate(row.order_row.order)
        if found is None:
            raise Problem(404, "这段录音还没有检查结论。", kind="not-inspected")
        answer = InspectionShown(
            recording_id=row.id,
            order_id=row.order_row.order_id,
            kind=CallKind(found.kind),
            score=found.score,
            run=found.run,
            setup=found.setup,
            made_at=found.made_at.astimezone(LOCAL),
            transcript=[
                Said.model_validate({**turn, "text": view.words(turn["text"], order)})
                for turn in found.transcript
            ],
            verdict=view.stored(found.verdict, order),
        )
    if unmasked:
        record_read(service, actor, "recording.read_unmasked", recording_id)
    return answer


class Queued(BaseModel):
    """A job that was queued."""

    job: str = Field(description="任务编号")


@router.post("/recordings/{recording_id}:inspect", summary="重新检查录音", status_code=202)
def post_inspection(recording_id: RecordingId, actor: OrdersWriter, service: TheService) -> Queued:
    """排队重新识别和检查；新结论替换旧的。已在排队时返回那个任务。"""
    service.queue.admit()
    with transaction(service.engine) as session:
        row = find_recording(session, actor, recording_id, for_update=True)
        if not row.path:
            raise Problem(409, "录音文件已删除，不能重新检查。", kind="deleted")
        job = service.queue.enqueue_inspection(session, row, actor.name)
        return Queued(job=job.id)
