"""Reviews of findings, and what can be learned from them."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed
from api.audit import record_read
from api.database import transaction
from api.masking import Unmasked, View, view_for
from api.orders import PLAIN
from api.plans import refuse_blind
from api.reviews import add_review, export_calls, export_reviews
from api.routes.common import OrdersReader, RecordingId, TheService, find_recording, midnight
from api.standing import settled_of, standing
from api.tables import RecordingRow, ReviewRow
from qc.filed import LOCAL
from qc.order import Order
from qc.quality.reviews import Decision

router = APIRouter(prefix="/api/v1", tags=["复核"])

Reviewer = Annotated[Actor, Depends(allowed("reviews:write"))]
Rule = Annotated[str, Field(min_length=1, max_length=50, pattern=PLAIN)]
Turn = Annotated[int, Field(ge=0, lt=100_000)]
MULTILINE = r"^[^\x00-\x08\x0b-\x1f]*$"  # text with line ends, without control characters
Since = Annotated[date | None, Query(description="复核日期从")]
Until = Annotated[date | None, Query(description="复核日期到（含）")]
LINES = "application/x-ndjson"


class NewReview(BaseModel):
    """A person's word on a finding."""

    rule_id: Rule = Field(description="哪条规则", examples=["bh.promise"])
    decision: Decision = Field(
        description="confirm 属实；overturn 推翻，不再计入分数和统计；"
        "missed 补报机器没有发现的，要写明是第几句",
        examples=["overturn"],
    )
    turn: Turn | None = Field(
        default=None, description="第几句，从 0 起；不给则指这项发现的每一处", examples=[4]
    )
    comment: str = Field(
        default="", max_length=2000, pattern=MULTILINE, description="意见", examples=["是转述"]
    )


class ReviewShown(BaseModel):
    """A review as shown."""

    id: str = Field(description="编号")
    rule_id: str = Field(description="哪条规则", examples=["bh.promise"])
    turn: int | None = Field(description="第几句，从 0 起；null 指每一处")
    decision: Decision = Field(description="属实、推翻、补报")
    comment: str = Field(description="意见，个人信息已遮盖")
    reviewer: str = Field(description="复核人", examples=["inspector"])
    made_at: datetime = Field(description="复核时间")


class Scores(BaseModel):
    """Scores of a call."""

    score: int = Field(description="得分", examples=[86])
    attitude_score: int = Field(description="态度分", examples=[90])
    attitude_level: str = Field(description="good、minor、serious", examples=["good"])


class ReviewsShown(BaseModel):
    """The reviews of a recording, and what they change."""

    reviews: list[ReviewShown] = Field(description="先后的复核；同一处以最后一次为准")
    found: Scores | None = Field(description="机器的分数；还没有检查时为 null")
    standing: Scores | None = Field(description="复核之后的分数，统计以此为准")


@router.post("/recordings/{recording_id}/reviews", summary="复核一项发现", status_code=201)
def post_review(
    recording_id: RecordingId, wanted: NewReview, actor: Reviewer, service: TheService
) -> ReviewShown:
    """确认、推翻，或补报机器漏掉的。被推翻的不再计入分数和统计，机器原来的结论仍保留。"""
    with transaction(service.engine) as session:
        recording = find_recording(session, actor, recording_id, for_update=True)
        row = add_review(
            session, actor, recording, wanted.rule_id, wanted.decision, wanted.turn, wanted.comment
        )
        return _shown(row, recording, view_for(actor))


@router.get("/recordings/{recording_id}/reviews", summary="一段录音的复核")
def get_reviews(
    recording_id: RecordingId, actor: OrdersReader, service: TheService
) -> ReviewsShown:
    """双人盲听的人，自己提交之前看不到。"""
    with transaction(service.reader) as session:
        recording = find_recording(session, actor, recording_id)
        refuse_blind(session, actor, recording_id)
        return reviews_shown(session, recording, view_for(actor))


def reviews_shown(session: Session, recording: RecordingRow, view: View) -> ReviewsShown:
    """The reviews of a recording with the scores before and after."""
    rows = session.scalars(
        select(ReviewRow)
        .where(ReviewRow.recording_id == recording.id)
        .order_by(ReviewRow.made_at, ReviewRow.id)
    )
    shown = [_shown(row, recording, view) for row in rows]
    inspection = recording.inspection
    if inspection is None:
        return ReviewsShown(reviews=shown, found=None, standing=None)
    settled = settled_of(session, [recording.id]).get(recording.id, {})
    profile = recording.order_row.profile
    stands = standing(inspection.verdict, inspection.transcript, settled, profile)
    return ReviewsShown(
        reviews=shown,
        found=Scores.model_validate(inspection, from_attributes=True),
        standing=Scores(
            score=stands["score"],
            attitude_score=stands["attitude"]["score"],
            attitude_level=stands["attitude"]["level"],
        ),
    )


def _shown(row: ReviewRow, recording: RecordingRow, view: View) -> ReviewShown:
    order = Order.model_validate(recording.order_row.order)
    return ReviewShown.model_validate(
        {
            **{name: getattr(row, name) for name in _SAME},
            "comment": view.words(row.comment, order),
            "made_at": row.made_at.astimezone(LOCAL),
        }
    )


_SAME = ("id", "rule_id", "turn", "decision", "reviewer")


@router.get(
    "/reviews/export",
    summary="导出复核意见",
    response_class=Response,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
def get_export(
    actor: Reviewer, service: TheService, since: Since = None, until: Until = None
) -> Response:
    """每行一条 JSON，供 `hotline-qc teach export` 使用；个人信息已遮盖。"""
    with transaction(service.reader) as session:
        return _lines(export_reviews(session, view_for(actor), *_span(since, until)))


@router.get(
    "/reviews/calls",
    summary="导出被复核的通话",
    response_class=Response,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
def get_calls(
    actor: Reviewer,
    service: TheService,
    since: Since = None,
    until: Until = None,
    unmasked: Unmasked = False,
) -> Response:
    """与复核意见配套的对话，每行一通，供 `hotline-qc teach export --calls` 使用。"""
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        answer = _lines(export_calls(session, view, *_span(since, until)))
    if unmasked:
        record_read(service, actor, "review.export_unmasked", "calls")
    return answer


def _span(since: date | None, until: date | None) -> tuple[datetime | None, datetime | None]:
    end = midnight(until + timedelta(days=1)) if until and until < date.max else None
    return (midnight(since) if since else None), end


def _lines(lines: Iterable[str]) -> Response:
    return Response("".join(lines), media_type=LINES)
