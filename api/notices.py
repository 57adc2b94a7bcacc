"""Notices: what an order, a day or a period gives occasion for is filed once, and sent out.

The rules are those of `qc.notices`; here they meet the tables. A notice is filed in the transaction
of the change that caused it, together with its deliveries and their jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dbos import ScheduleInput
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.database import now as present
from api.delivery import queue_delivery
from api.jobs import Queue
from api.standing import settled_of, standing
from api.tables import (
    ContactRow,
    DeliveryRow,
    InspectionRow,
    NoticeRow,
    OrderRow,
    RecordingRow,
)
from qc.filed import Filing
from qc.notices.order_notices import HeardCall, Notice, OrderRecord, notices_for_order
from qc.notices.rules import Event, NoticeRules, Recipient, load_notice_rules
from qc.order import CallKind, Order
from qc.report import Verdict

if TYPE_CHECKING:
    from api.workflows import Workshop

HISTORY = timedelta(days=2)  # what was over so long before the order came to us is nobody's news
BY_TIME = frozenset({Event.RECORDING_MISSING, Event.OVERDUE, Event.SOON, Event.UNCLOSED})
NOT_ITS_FAULT = ("检查已取消", "程序处理时出错", "录音已删除")  # reasons that no recording has


def file_notices(session: Session, queue: Queue, order: OrderRow, now: datetime) -> None:
    """File what people must be told about an order, in the transaction that stores its verdict.

    What was filed before is left alone, so that this may be called at any time.
    """
    record = order_record(session, order)
    rules = load_notice_rules(order.profile)
    file_all(session, queue, notices_for_order(record, rules, now), order)


def file_all(
    session: Session, queue: Queue, notices: Sequence[Notice], order: OrderRow | None = None
) -> int:
    """File those of the notices that are new; return how many."""
    known = select(NoticeRow.event_id).where(
        NoticeRow.event_id.in_([notice.event_id for notice in notices])
    )
    old = set(session.scalars(known)) if notices else set()
    return sum(
        file_notice(session, queue, notice, order)
        for notice in notices
        if notice.event_id not in old
    )


def file_notice(
    session: Session, queue: Queue, notice: Notice, order: OrderRow | None = None
) -> bool:
    """File a notice with a delivery for each contact; False where it was filed before."""
    news = order is None or not _is_history(session, notice, order)
    contacts, untold = contacts_for(session, notice) if news else ([], [])
    if not _insert(session, notice, order, untold):
        return False
    for contact in contacts:
        delivery = DeliveryRow(event_id=notice.event_id, contact_id=contact.id, attempts=0)
        session.add(delivery)
        session.flush()
        queue_delivery(session, queue, delivery)
    return True


def _insert(
    session: Session, notice: Notice, order: OrderRow | None, untold: Sequence[Recipient]
) -> bool:
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = (postgresql.insert if is_postgresql else sqlite.insert)(NoticeRow)
    single = len(notice.departments) == 1
    row = {
        "event_id": notice.event_id,
        "event": notice.rule_id,
        "level": notice.level.value,
        "order_pk": order.id if order else None,
        "department": notice.departments[0] if single else "",
        "title": notice.title,
        "text": notice.text,
        "untold": [office.value for office in untold],
        "made_at": present(),
    }
    added = session.execute(
        insert.values(row).on_conflict_do_nothing().returning(NoticeRow.event_id)
    )
    return added.first() is not None


def _is_history(session: Session, notice: Notice, order: OrderRow) -> bool:
    """Whether the event was over when the order came to us, as on an import of old orders."""
    happened = notice.happened_at
    if happened is None and notice.call_id:
        made_at = session.scalar(
            select(RecordingRow.made_at).where(RecordingRow.id == notice.call_id)
        )
        happened = made_at or order.received_at
    return happened is not None and happened < order.created_at - HISTORY


# --- to whom --------------------------------------------------------------------------------------


def contacts_for(session: Session, notice: Notice) -> tuple[list[ContactRow], list[Recipient]]:
    """Active contacts of the notice's offices, and the offices that have none.

    An address that several offices share is told once.
    """
    rows = session.scalars(
        select(ContactRow)
        .where(ContactRow.active, ContactRow.role.in_([r.value for r in notice.recipients]))
        .order_by(ContactRow.id)
    ).all()
    chosen: dict[str, ContactRow] = {}
    untold = []
    for office in notice.recipients:
        told = [row for row in rows if row.role == office and _is_for(row, office, notice)]
        for row in told:
            chosen.setdefault(row.channel_url, row)
        if not told:
            untold.append(office)
    return list(chosen.values()), untold


def _is_for(contact: ContactRow, office: Recipient, notice: Notice) -> bool:
    """A notice that is about no order (a digest) goes to every department."""
    if not contact.department or not (notice.order_ids or notice.departments):
        return True
    return contact.department in notice.departments


# --- what is known of an order --------------------------------------------------------------------


def order_record(session: Session, order: OrderRow) -> OrderRecord:
    """All that is known of an order, as people left it: overturned findings are none."""
    filed = Order.model_validate(order.order)
    rows = session.execute(
        select(RecordingRow, InspectionRow)
        .outerjoin(InspectionRow, InspectionRow.recording_id == RecordingRow.id)
        .where(RecordingRow.order_pk == order.id, RecordingRow.deleted_at.is_(None))
        .order_by(RecordingRow.uploaded_at, RecordingRow.id)
    ).all()
    settled = settled_of(session, [recording.id for recording, _ in rows])
    calls: list[HeardCall] = []
    for recording, inspection in rows:
        verdict = None
        if inspection is not None:
            decided = settled.get(recording.id, {})
            stands = standing(inspection.verdict, inspection.transcript, decided, order.profile)
            verdict = Verdict.model_validate(stands)
        kind = (inspection.kind if inspection else None) or recording.kind
        calls.append(
            HeardCall(
                recording.id,
                CallKind(kind) if kind else _likely_kind(calls),
                verdict,
                trouble=_trouble(recording) if inspection is None else "",
                handler=inspection.handler if inspection else order.handler,
            )
        )
    return OrderRecord(filed, Filing.model_validate(order.filing), tuple(calls))


def light_record(order: OrderRow, recordings: Sequence[tuple[str, str | None]]) -> OrderRecord:
    """What is needed to tell what time brings (`BY_TIME`).

    Args:
        recordings: id and kind of each.
    """
    calls: list[HeardCall] = []
    for id_, kind in recordings:
        calls.append(HeardCall(id_, CallKind(kind) if kind else _likely_kind(calls)))
    filed, filing = Order.model_validate(order.order), Filing.model_validate(order.filing)
    return OrderRecord(filed, filing, tuple(calls))


def time_notices(record: OrderRecord, rules: NoticeRules, now: datetime) -> list[Notice]:
    """What time alone has brought about an order."""
    return [n for n in notices_for_order(record, rules, now) if n.event in BY_TIME]


def _likely_kind(before: Sequence[HeardCall]) -> CallKind:
    """Of a recording that was not heard (yet): the kind that the order has no recording of."""
    heard = {call.kind for call in before}
    return CallKind.REPLY if CallKind.FIRST_CONTACT in heard else CallKind.FIRST_CONTACT


def _trouble(recording: RecordingRow) -> str:
    own = recording.status == "failed" and not recording.reason.startswith(NOT_ITS_FAULT)
    return recording.reason if own else ""


def deliveries_by_event(
    session: Session, event_ids: Sequence[str]
) -> Mapping[str, list[tuple[DeliveryRow, ContactRow]]]:
    """Deliveries of some notices with their contacts."""
    found: dict[str, list[tuple[DeliveryRow, ContactRow]]] = {id_: [] for id_ in event_ids}
    rows = session.execute(
        select(DeliveryRow, ContactRow)
        .join(ContactRow, ContactRow.id == DeliveryRow.contact_id)
        .where(DeliveryRow.event_id.in_(event_ids))
        .order_by(DeliveryRow.created_at, DeliveryRow.id)
    )
    for delivery, contact in rows:
        found[delivery.event_id].append((delivery, contact))
    return found


def register(shop: Workshop) -> list[ScheduleInput]:
    """Define the workflows of notices; the worker calls it before it begins."""
    from api.watch import register as register_watch  # which builds on this module

    return register_watch(shop)
