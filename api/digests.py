"""Daily, weekly and monthly digests (日报, 周报, 月报), and the interviews that follow a month.

A digest is filed once its period is over. Whoever looks for it later, after the service had been
down, files it then.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.database import transaction
from api.figures import read_tables
from api.notices import file_all, light_record
from api.service import Service
from api.tables import NoticeRow, OrderRow
from qc.figures.overview import last_three, months_among_last
from qc.figures.tables import Tables, narrow
from qc.filed import LOCAL
from qc.notices.digest_figures import (
    RANKED_BY,
    digest_figures,
    orders_to_look_after,
    share,
    span_of,
)
from qc.notices.digests import digest, interviews
from qc.notices.order_notices import Notice, OrderRecord, event_id
from qc.notices.rules import Event, NoticeRules, Period, load_notice_rules

SENT_FROM = time(8)  # in the morning after the period
LATE = timedelta(days=3)  # after which a digest that nobody filed is no longer sent
OPEN = timedelta(days=120)  # orders older than this are no longer listed as open


def file_digests(service: Service, now: datetime) -> int:
    """File the digests of the last day, week and month, where they are due and not filed."""
    if now.time() < SENT_FROM:
        return 0
    return sum(
        _file(service, profile, period, day, now) for profile, period, day in _due(service, now)
    )


def _due(service: Service, now: datetime) -> Iterator[tuple[str, Period, date]]:
    """Street, period and first day of each digest that is not filed yet."""
    with transaction(service.reader) as session:
        for period in Period:
            this, _ = span_of(period, now.date())
            first, last = span_of(period, this - timedelta(days=1))
            if now.date() - last > LATE:
                continue
            for profile in _streets(session, first, last):
                event = _event(load_notice_rules(profile), period, first)
                if event and session.get(NoticeRow, event) is None:
                    yield profile, period, first


def _streets(session: Session, first: date, last: date) -> Sequence[str]:
    """Streets that had an order in a period."""
    begin, end = (datetime.combine(d, time(), LOCAL) for d in (first, last + timedelta(days=1)))
    received = (OrderRow.received_at >= begin, OrderRow.received_at < end)
    return session.scalars(select(OrderRow.profile).where(*received).distinct()).all()


def _event(rules: NoticeRules, period: Period, first: date) -> str:
    """The id of a digest's event; "" where the street has no digest of that period."""
    rule = next((r for r in rules.of(Event.DIGEST) if r.period is period), None)
    return event_id(rule, rules.street, first.isoformat()) if rule else ""


def _file(service: Service, profile: str, period: Period, day: date, now: datetime) -> int:
    rules = load_notice_rules(profile)
    with transaction(service.reader) as session:
        tables = read_tables(session, now, profile)
        records = _open_orders(session, profile, now)
    orders = orders_to_look_after(records, rules, now)
    notices = [digest(digest_figures(tables, period, day, orders), rules)]
    if period is Period.MONTH:
        notices += _interviews(tables, day, rules)
    with transaction(service.engine) as session:
        return file_all(session, service.queue, notices)


def _open_orders(session: Session, profile: str, now: datetime) -> list[OrderRecord]:
    """Orders that may have to be looked after: open, or dissatisfied."""
    rows = session.scalars(
        select(OrderRow)
        .where(OrderRow.profile == profile, OrderRow.received_at >= now - OPEN)
        .where(OrderRow.forgotten_at.is_(None))
        .where(OrderRow.closed_at.is_(None) | (OrderRow.visited == "dissatisfied"))
        .order_by(OrderRow.received_at)
    )
    return [light_record(row, ()) for row in rows]


def _interviews(tables: Tables, month: date, rules: NoticeRules) -> tuple[Notice, ...]:
    """Who is to be talked to, being among the last three (松江区佘山镇 2025 二、（七）)."""
    first, last = span_of(Period.MONTH, month)
    ranked = last_three(narrow(tables, since=first, until=last), RANKED_BY)
    values = {
        str(department): share(float(value))
        for department, value in zip(ranked["department"], ranked[RANKED_BY], strict=True)
    }
    return interviews(months_among_last(tables, last), values, month, rules)
