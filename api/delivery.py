"""Delivering notices: each attempt is written down before anything is sent.

A worker that is killed leaves a row `sending`. Whoever takes its job over knows by it that the
message may have gone out: to a webhook, whose receiver drops what it has by the `webhook-id`, it
is sent again; to people it is not, the delivery stays `uncertain` until a person settles it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

import structlog
from dbos import DBOS
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record
from api.channels import Channel, Message, Outcome, open_channel
from api.database import now, transaction
from api.jobs import Queue
from api.problems import Problem
from api.service import Service
from api.tables import ContactRow, DeliveryRow, NoticeRow, OrderRow
from qc.errors import QcError
from qc.filed import LOCAL
from qc.notices.text import LINK

NOTICES = "notices"  # the queue
WORKFLOW = "deliver"
BACK_OFF = (2.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)  # seconds before each further attempt
ROUND = len(BACK_OFF) + 1  # attempts until a delivery is dead
LONGEST_WAIT = timedelta(hours=2).total_seconds()  # that a receiver may ask for
CUT_OFF = "发送时程序中断，不能确定对方是否收到"
LOST = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")  # what the queue calls jobs that it gave up

Settlement = Literal["sent", "resend"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Task:
    """A message that is to be sent now."""

    address: str
    message: Message
    again: bool  # an earlier run of the same attempt may have sent it


def queue_delivery(session: Session, queue: Queue, delivery: DeliveryRow) -> None:
    """Put the next attempt of a delivery into the queue, with the caller's changes."""
    number = delivery.attempts + 1
    _enqueue(session, queue, delivery, number, None)


def _enqueue(
    session: Session, queue: Queue, row: DeliveryRow, number: int, delay: float | None
) -> None:
    workflow_id = f"notify:{row.event_id}:{row.contact_id}"
    if number > 1:
        workflow_id += f":{number}"
    queue.enqueue(session, WORKFLOW, workflow_id, row.id, str(number), queue=NOTICES, delay=delay)


def attempt(service: Service, delivery_id: str, number: int) -> None:
    """Send a delivery for the `number`-th time, unless that was done; run twice, it sends once.

    Where an earlier run was cut off in the middle, see the head of this file.
    """
    task = _begin(service, delivery_id, number)
    if task is None:
        return
    try:
        channel = open_channel(task.address, _secret(service))
    except QcError as error:
        _finish(service, delivery_id, number, Outcome("refused", str(error)), False)
        return
    if task.again and not channel.tells_doubles:
        outcome = Outcome("unknown", CUT_OFF)
    else:
        outcome = _send(channel, task.message)
    _finish(service, delivery_id, number, outcome, channel.tells_doubles)


def _secret(service: Service) -> str | None:
    secret = service.settings.webhook_secret
    return secret.get_secret_value() if secret else None


def _send(channel: Channel, message: Message) -> Outcome:
    try:
        return channel.send(message)
    except Exception as error:  # a library's fault must not leave the delivery hanging
        log.exception("delivery", delivery=message.id)
        return Outcome("unknown", f"发送时出错：{type(error).__name__}")


def _begin(service: Service, delivery_id: str, number: int) -> Task | None:
    with transaction(service.engine) as session:
        row = session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None:
            return None
        again = row.status == "sending" and row.attempts == number
        if not again and (row.status != "queued" or row.attempts != number - 1):
            return None
        contact = session.get_one(ContactRow, row.contact_id)
        if not contact.active:
            row.status, row.reason = "dead", "联系人已停用"
            return None
        row.status, row.attempts = "sending", number
        notice = session.get_one(NoticeRow, row.event_id)
        message = message_of(session, service.settings.site, notice, row.id)
        return Task(contact.channel_url, message, again)


def message_of(session: Session, site: str, notice: NoticeRow, delivery_id: str) -> Message:
    """A notice as it goes out, with the address of its page."""
    order_id = ""
    if notice.order_pk:
        order_id = session.get_one(OrderRow, notice.order_pk).order_id
    link = link_of(site, order_id)
    text = notice.text.replace(LINK, link)
    facts = {
        "event_id": notice.event_id,
        "event": notice.event,
        "level": notice.level,
        "title": notice.title,
        "text": text,
        "order_id": order_id,
        "department": notice.department,
        "link": link,
        "made_at": notice.made_at.astimezone(LOCAL).isoformat(timespec="seconds"),
    }
    return Message(delivery_id, notice.title, text, facts)


def link_of(site: str, order_id: str) -> str:
    """The page that a notice points to."""
    return f"{site}/orders/{quote(order_id, safe='')}" if order_id else f"{site}/notices"


def _finish(
    service: Service, delivery_id: str, number: int, outcome: Outcome, tells_doubles: bool
) -> None:
    """Write down what became of an attempt; what another has settled meanwhile stands."""
    with transaction(service.engine) as session:
        row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
        own = row.status == "sending" or (row.status == "uncertain" and outcome.result == "sent")
        if row.attempts != number or not own:
            return
        row.reason = outcome.reason
        if outcome.result == "sent":
            row.status, row.sent_at = "sent", now()
        elif outcome.result == "unknown" and not tells_doubles:
            row.status = "uncertain"
        elif outcome.result == "refused" or number % ROUND == 0:
            row.status = "dead"
        else:
            row.status = "queued"
            delay = min(max(BACK_OFF[number % ROUND - 1], outcome.wait or 0.0), LONGEST_WAIT)
            _enqueue(session, service.queue, row, number + 1, delay)


def settle(
    session: Session, service: Service, actor: Actor, row: DeliveryRow, settlement: Settlement
) -> None:
    """A person's word on a delivery that is uncertain or dead: it arrived, or send it again.

    Raises:
        Problem: 409 there is nothing to settle.
    """
    if row.status not in ("uncertain", "dead"):
        raise Problem(409, "这条通知没有待处理的情况。", kind="settled")
    row.settled_by = actor.name
    if settlement == "sent":
        row.status, row.sent_at = "sent", now()
    else:
        row.status, row.reason = "queued", ""
        queue_delivery(session, service.queue, row)
    record(session, actor, f"delivery.{settlement}", row.id)


def give_up_lost(service: Service) -> None:
    """Show as uncertain what the queue gave up because its workers died again and again."""
    lost = DBOS.list_workflows(status=list(LOST), name=[WORKFLOW], limit=100, load_output=False)
    if not lost:
        return
    with transaction(service.engine) as session:
        for job in lost:
            delivery_id = job.input["args"][0] if job.input else ""
            row = session.get(DeliveryRow, delivery_id, with_for_update=True)
            if row is not None and row.status in ("queued", "sending"):
                row.status, row.reason = "uncertain", CUT_OFF
    DBOS.delete_workflows([job.workflow_id for job in lost])
