"""What time brings, looked for every minute: deadlines passed, repeats of a day, periods ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dbos import DBOS, ScheduleInput
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from api.database import transaction
from api.delivery import WORKFLOW, attempt, give_up_lost
from api.digests import file_digests
from api.notices import file_all, light_record, time_notices
from api.service import Service
from api.tables import InspectionRow, NoticeRow, OrderRow, RecordingRow
from api.workflows import MAX_RECOVERIES, Workshop
from qc.catalogue import profile_names
from qc.filed import LOCAL
from qc.notices.day_notices import CaseOfDay, notices_for_day
from qc.notices.rules import Event, load_notice_rules
from qc.order import Order

YOUNG = timedelta(days=2)  # orders that are looked at every minute, for hours count
EVERY = 10  # minutes between two looks at an older order
OLD = timedelta(days=120)  # orders that are no longer looked at
CLOSED = timedelta(days=14)  # after which a closed order is no longer looked at
AT_ONCE = 200  # orders read in one transaction


def register(shop: Workshop) -> list[ScheduleInput]:
    """Define the workflows of notices; call it before DBOS.launch()."""
    service = shop.service

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MAX_RECOVERIES)
    def deliver(delivery_id: str, number: str) -> None:
        attempt(service, delivery_id, int(number))

    @DBOS.workflow(name="watch", max_recovery_attempts=MAX_RECOVERIES)
    def watch(at: datetime, _: Any) -> None:
        look_around(service, datetime.now(LOCAL))
        give_up_lost(service)

    return [{"schedule_name": "watch", "workflow_fn": watch, "schedule": "0 * * * * *"}]


def look_around(service: Service, now: datetime) -> int:
    """File everything that time has brought about by now; return how many notices."""
    found = watch_orders(service, now) + watch_days(service, now)
    return found + file_digests(service, now)


# --- orders ---------------------------------------------------------------------------------------


def watch_orders(service: Service, now: datetime) -> int:
    """Deadlines and missing recordings of the orders whose turn it is in this minute."""
    wanted = _whose_turn(service, now)
    filed = 0
    for i in range(0, len(wanted), AT_ONCE):
        for order_pk in _with_news(service, wanted[i : i + AT_ONCE], now):
            with transaction(service.engine) as session:
                order = session.get_one(OrderRow, order_pk, with_for_update=True)
                record = light_record(order, _recordings(session, [order_pk])[order_pk])
                notices = time_notices(record, load_notice_rules(order.profile), now)
                filed += file_all(session, service.queue, notices, order)
    return filed


def _whose_turn(service: Service, now: datetime) -> Sequence[str]:
    """Orders that time can still bring something about: young ones always, others in turns."""
    with transaction(service.reader) as session:
        rows = session.execute(
            select(OrderRow.id, OrderRow.received_at)
            .where(OrderRow.received_at >= now - OLD, OrderRow.forgotten_at.is_(None))
            .where(or_(OrderRow.closed_at.is_(None), OrderRow.closed_at >= now - CLOSED))
        ).all()
    young, minute = now - YOUNG, now.minute % EVERY
    return [id_ for id_, at in rows if at >= young or int(id_[:8], 16) % EVERY == minute]


def _with_news(service: Service, order_pks: Sequence[str], now: datetime) -> list[str]:
    """Those of the orders that have a notice not filed yet; readers hold up nobody."""
    with transaction(service.reader) as session:
        orders = session.scalars(select(OrderRow).where(OrderRow.id.in_(order_pks))).all()
        recordings = _recordings(session, order_pks)
        due = {
            order.id: {
                notice.event_id
                for notice in time_notices(
                    light_record(order, recordings[order.id]), load_notice_rules(order.profile), now
                )
            }
            for order in orders
        }
        events = {event for found in due.values() for event in found}
        known = set(
            session.scalars(select(NoticeRow.event_id).where(NoticeRow.event_id.in_(events)))
        )
    return [order_pk for order_pk, found in due.items() if found - known]


def _recordings(
    session: Session, order_pks: Sequence[str]
) -> dict[str, list[tuple[str, str | None]]]:
    """Id and kind of the recordings of some orders."""
    found: dict[str, list[tuple[str, str | None]]] = {order_pk: [] for order_pk in order_pks}
    rows = session.execute(
        select(RecordingRow.order_pk, RecordingRow.id, RecordingRow.kind, InspectionRow.kind)
        .outerjoin(InspectionRow, InspectionRow.recording_id == RecordingRow.id)
        .where(RecordingRow.order_pk.in_(order_pks))
        .order_by(RecordingRow.uploaded_at, RecordingRow.id)
    )
    for order_pk, id_, filed, heard in rows:
        found[order_pk].append((id_, heard or filed))
    return found


# --- days -----------------------------------------------------------------------------------------


def watch_days(service: Service, now: datetime) -> int:
    """Repeats and cases of one kind among the orders of today, and of the day that just ended."""
    days = {now.date(), (now - timedelta(minutes=EVERY)).date()}
    streets = [name for name in profile_names() if _counts_days(name)]
    return sum(_watch_day(service, name, day, now) for name in streets for day in sorted(days))


def _counts_days(profile: str) -> bool:
    rules = load_notice_rules(profile)
    return bool(rules.of(Event.REPEATS) or rules.of(Event.SAME_KIND))


def _watch_day(service: Service, profile: str, day: Any, now: datetime) -> int:
    begin = datetime.combine(day, datetime.min.time(), LOCAL)
    with transaction(service.reader) as session:
        rows = session.execute(
            select(OrderRow.order, OrderRow.received_at, OrderRow.department)
            .where(OrderRow.profile == profile, OrderRow.received_at >= begin)
            .where(OrderRow.received_at < begin + timedelta(days=1))
            .order_by(OrderRow.received_at)
        ).all()
    cases = [_case(order, at, department) for order, at, department in rows]
    notices = notices_for_day(cases, load_notice_rules(profile), day)
    if not notices:
        return 0
    with transaction(service.engine) as session:
        return file_all(session, service.queue, notices)


def _case(filed: dict[str, Any], received_at: datetime, department: str) -> CaseOfDay:
    order = Order.model_validate(filed)
    return CaseOfDay(
        order_id=order.order_id,
        received_at=received_at,
        department=department,
        issue=order.issue or "",
        address=order.address or "",
        petitioner=order.petitioner or "",
    )
