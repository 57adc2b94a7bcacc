"""Notices and their deliveries: what people were told of, and what went wrong with telling them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed, visible
from api.database import transaction
from api.delivery import Settlement, link_of, settle
from api.notices import deliveries_by_event
from api.orders import PLAIN
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import not_found
from api.routes.common import HEX_ID, Filter, TheService, midnight
from api.service import Service
from api.tables import ContactRow, DeliveryRow, NoticeRow, OrderRow
from qc.filed import LOCAL
from qc.notices.rules import Level, Recipient
from qc.notices.text import LINK

router = APIRouter(prefix="/api/v1", tags=["通知"])

NoticesReader = Annotated[Actor, Depends(allowed("notices:read"))]
NoticesSettler = Annotated[Actor, Depends(allowed("notices:settle"))]
EventId = Annotated[
    str, Path(max_length=150, pattern=PLAIN, description="通知编号；同一件事的编号不变")
]
DeliveryId = Annotated[str, Path(pattern=HEX_ID, description="发送编号")]
Status = Literal["queued", "sending", "sent", "uncertain", "dead"]


class DeliveryShown(BaseModel):
    """One notice on its way to one contact."""

    id: str = Field(description="发送编号，也是 webhook 的 webhook-id")
    event_id: str = Field(description="通知编号")
    title: str = Field(description="通知标题", examples=["回访不满意 20240611-000417"])
    role: str = Field(description="联系人的职务", examples=["department_head"])
    contact: str = Field(description="联系人", examples=["城管中队负责人"])
    status: Status = Field(
        description="queued 待发，sending 正在发，sent 已发，"
        "uncertain 不能确定是否收到、请人工确认，dead 发不出去"
    )
    attempts: int = Field(description="发过几次", examples=[1])
    reason: str = Field(description="没有发出的原因", examples=["对方回答 HTTP 503"])
    created_at: datetime = Field(description="建立时间")
    sent_at: datetime | None = Field(description="发出时间")
    settled_by: str = Field(description="由谁人工处理；空为自动", examples=[""])


class NoticeShown(BaseModel):
    """Something that people were told of."""

    event_id: str = Field(description="通知编号；同一件事的编号不变")
    event: str = Field(description="依据哪条通知规则", examples=["nt.dissatisfied"])
    level: Level = Field(description="报送、催办、督办、预警、通报、约谈")
    department: str = Field(description="处置部门；涉及几个部门时为空", examples=["城管中队"])
    order_id: str | None = Field(description="工单编号", examples=["20240611-000417"])
    title: str = Field(description="标题", examples=["回访不满意 20240611-000417"])
    text: str = Field(description="正文，个人信息已遮盖")
    untold: list[Recipient] = Field(description="没有登记联系人、因而没有发到的职务")
    made_at: datetime = Field(description="建立时间")
    deliveries: list[DeliveryShown] = Field(description="发给谁、是否发到；早已过去的事不再发")


class Settled(BaseModel):
    """A person's word on a delivery."""

    settlement: Settlement = Field(
        description="sent：已确认对方收到；resend：再发一次", examples=["resend"]
    )


@router.get("/notices", summary="通知列表")
def list_notices(
    actor: NoticesReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    event: Annotated[
        str | None, Query(max_length=50, pattern=PLAIN, description="哪条通知规则")
    ] = None,
    level: Annotated[Level | None, Query(description="哪一级")] = None,
    department: Filter = None,
    since: Annotated[date | None, Query(description="建立日期从")] = None,
    until: Annotated[date | None, Query(description="建立日期到（含）")] = None,
) -> Page[NoticeShown]:
    """新的在前；处置部门只看本部门的。"""
    rows = visible(select(NoticeRow), actor, NoticeRow.department)
    for column, value in (
        (NoticeRow.event, event),
        (NoticeRow.level, level.value if level else None),
        (NoticeRow.department, department),
    ):
        rows = rows.where(column == value) if value is not None else rows
    rows = rows.where(NoticeRow.made_at >= midnight(since)) if since else rows
    if until and until < date.max:
        rows = rows.where(NoticeRow.made_at < midnight(until + timedelta(days=1)))
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [NoticeRow.made_at, NoticeRow.event_id], wanted)
        items = notices_shown(session, service, found)
    return Page(items=items, next=after)


@router.get("/notices/{event_id}", summary="一条通知")
def get_notice(event_id: EventId, actor: NoticesReader, service: TheService) -> NoticeShown:
    """正文，以及发给谁、是否发到。"""
    with transaction(service.reader) as session:
        rows = visible(select(NoticeRow), actor, NoticeRow.department)
        row = session.scalar(rows.where(NoticeRow.event_id == event_id))
        if row is None:
            raise not_found("通知")
        return notices_shown(session, service, [row])[0]


@router.get("/deliveries", summary="发送情况")
def list_deliveries(
    actor: NoticesReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    status: Annotated[Status | None, Query(description="uncertain 和 dead 需要人工处理")] = None,
) -> Page[DeliveryShown]:
    """新的在前；处置部门只看本部门的。"""
    rows = select(DeliveryRow).join(NoticeRow, NoticeRow.event_id == DeliveryRow.event_id)
    rows = visible(rows, actor, NoticeRow.department)
    rows = rows.where(DeliveryRow.status == status) if status else rows
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [DeliveryRow.created_at, DeliveryRow.id], wanted)
        items = [delivery_shown(session, row) for row in found]
    return Page(items=items, next=after)


@router.post("/deliveries/{delivery_id}:settle", summary="人工处理一次发送")
def post_settlement(
    delivery_id: DeliveryId, wanted: Settled, actor: NoticesSettler, service: TheService
) -> DeliveryShown:
    """只用于不能确定是否收到、或发不出去的通知：确认收到，或再发一次。"""
    with transaction(service.engine) as session:
        rows = select(DeliveryRow).join(NoticeRow, NoticeRow.event_id == DeliveryRow.event_id)
        rows = visible(rows, actor, NoticeRow.department)
        rows = rows.where(DeliveryRow.id == delivery_id)
        row = session.scalar(rows.with_for_update(of=DeliveryRow))
        if row is None:
            raise not_found("发送记录")
        settle(session, service, actor, row, wanted.settlement)
        return delivery_shown(session, row)


def notices_shown(
    session: Session, service: Service, rows: Sequence[NoticeRow]
) -> list[NoticeShown]:
    """Notices with their deliveries."""
    deliveries = deliveries_by_event(session, [row.event_id for row in rows])
    keys = [row.order_pk for row in rows if row.order_pk]
    numbers = dict(
        session.execute(select(OrderRow.id, OrderRow.order_id).where(OrderRow.id.in_(keys))).all()
    )
    return [
        NoticeShown.model_validate(
            {
                **{name: getattr(row, name) for name in _SAME},
                "order_id": numbers.get(row.order_pk or ""),
                "text": row.text.replace(
                    LINK, link_of(service.settings.site, numbers.get(row.order_pk or "", ""))
                ),
                "made_at": row.made_at.astimezone(LOCAL),
                "deliveries": [_delivery(d, c, row) for d, c in deliveries[row.event_id]],
            }
        )
        for row in rows
    ]


_SAME = ("event_id", "event", "level", "department", "title", "untold")


def delivery_shown(session: Session, row: DeliveryRow) -> DeliveryShown:
    """A delivery with whom it goes to."""
    contact = session.get_one(ContactRow, row.contact_id)
    return _delivery(row, contact, session.get_one(NoticeRow, row.event_id))


def _delivery(row: DeliveryRow, contact: ContactRow, notice: NoticeRow) -> DeliveryShown:
    return DeliveryShown.model_validate(
        {
            **{name: getattr(row, name) for name in _OF_DELIVERY},
            "title": notice.title,
            "role": contact.role,
            "contact": contact.title,
            "created_at": row.created_at.astimezone(LOCAL),
            "sent_at": row.sent_at.astimezone(LOCAL) if row.sent_at else None,
        }
    )


_OF_DELIVERY = ("id", "event_id", "status", "attempts", "reason", "settled_by")
