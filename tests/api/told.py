"""Contacts, and notices on their way to them."""

import secrets
from pathlib import Path

from api.database import transaction
from api.delivery import queue_delivery
from api.notices import file_all
from api.service import Service, open_service
from api.tables import ContactRow, DeliveryRow, NoticeRow, OrderRow
from qc.catalogue import Source
from qc.notices.order_notices import Notice
from qc.notices.rules import Event, Level, Recipient
from tests.api.people import settings_for
from tests.api.receivers import SECRET


def signing_service(folder: Path, url: str) -> Service:
    """A service with a secret for webhooks."""
    return open_service(
        settings_for(folder, url, webhook_secret=SECRET, public_url="https://qc.street.cn")
    )


def add_contact(service: Service, url: str, role: str = "department_head", **more: object) -> str:
    """A contact; gives its id."""
    with transaction(service.engine) as session:
        row = ContactRow(role=role, channel_url=url, **more)
        session.add(row)
        session.flush()
        return row.id


def add_delivery(service: Service, url: str, contact_id: str = "") -> str:
    """A notice on its way to a contact of that address; gives the delivery's id."""
    contact_id = contact_id or add_contact(service, url, role="test")
    with transaction(service.engine) as session:
        notice = NoticeRow(
            event_id=f"nt.test:{secrets.token_hex(8)}",
            event="nt.test",
            level="supervise",
            title="回访不满意",
            text="【督办】回访不满意\n详情：{链接}",
        )
        session.add(notice)
        session.flush()
        row = DeliveryRow(event_id=notice.event_id, contact_id=contact_id, attempts=0)
        session.add(row)
        session.flush()
        queue_delivery(session, service.queue, row)
        return row.id


def delivery(service: Service, delivery_id: str) -> DeliveryRow:
    """The delivery as it is now."""
    with transaction(service.reader) as session:
        return session.get_one(DeliveryRow, delivery_id)


def notice(
    event_id: str = "", *recipients: Recipient, departments: tuple[str, ...] = ("城管中队",)
) -> Notice:
    """Something to tell."""
    return Notice(
        event_id=event_id or f"nt.test:{secrets.token_hex(8)}",
        rule_id="nt.test",
        event=Event.DISSATISFIED,
        level=Level.SUPERVISE,
        recipients=recipients or (Recipient.DEPARTMENT_HEAD,),
        order_ids=("x",),
        departments=departments,
        call_id="",
        title="回访不满意",
        text="【督办】回访不满意\n详情：{链接}",
        source=Source(document="weifang-2024", clause="三"),
    )


def file(service: Service, *notices: Notice, order_pk: str = "") -> int:
    """File notices in a transaction of their own; gives how many were new."""
    with transaction(service.engine) as session:
        order = session.get(OrderRow, order_pk) if order_pk else None
        return file_all(session, service.queue, notices, order)
