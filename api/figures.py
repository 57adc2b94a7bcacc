"""Figures from the tables: columns become the `Tables` of `qc.figures`, which computes everything.

Findings count as people left them: of a call that was reviewed, what stands (`api.standing`).
"""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import DateTime, func, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.database import Moment, now, transaction
from api.derived import counted
from api.service import Service
from api.standing import changes_anything, settled_of, standing
from api.tables import InspectionRow, OrderRow, RecordingRow, ReviewRow
from qc.figures.tables import Tables, tables_of
from qc.filed import LOCAL

FRESH = 60.0  # seconds for which figures may be old while calls keep coming in
READING_SHARE = 0.05  # of a process's time may go into reading them anew

_COLUMNS: tuple[tuple[str, InstrumentedAttribute[Any]], ...] = (
    ("order_id", OrderRow.order_id),
    ("department", OrderRow.department),
    ("handler", OrderRow.handler),
    ("visited", OrderRow.visited),
    ("cause", OrderRow.cause),
    ("call_id", InspectionRow.recording_id),
    ("kind", InspectionRow.kind),
    ("satisfaction", InspectionRow.satisfaction),
    ("heard_cause", InspectionRow.cause),
    ("attitude_score", InspectionRow.attitude_score),
    ("attitude_level", InspectionRow.attitude_level),
    ("score", InspectionRow.score),
    ("found", InspectionRow.found),
    ("received_at", OrderRow.received_at),
    ("made_at", RecordingRow.made_at),
    ("contact_due", OrderRow.contact_due),
    ("contacted_at", OrderRow.contacted_at),
    ("close_due", OrderRow.close_due),
    ("closed_at", OrderRow.closed_at),
)
_MOMENTS = ("received_at", "made_at", "contact_due", "contacted_at", "close_due", "closed_at")


@dataclass(frozen=True)
class _Kept:
    """Tables with what they were read from, and when."""

    state: tuple[Any, ...]
    good_until: float
    took: float  # seconds to read
    tables: Tables


class Figures:
    """The tables of one database, kept until something has changed; one a process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def tables(self, profile: str = "") -> Tables:
        """All calls and orders; of one street where a profile is given."""
        with self._lock, transaction(self._service.reader) as session:
            kept = self._kept.get(profile)
            if kept and time.monotonic() < kept.good_until:
                return kept.tables
            started, state = time.monotonic(), _state(session)
            if kept is None or kept.state != state:
                tables = read_tables(session, now().astimezone(LOCAL), profile)
                took = time.monotonic() - started
            else:
                tables, took = kept.tables, kept.took
            good_until = time.monotonic() + max(FRESH, took / READING_SHARE)
            self._kept[profile] = _Kept(state, good_until, took, tables)
            return tables


def _state(session: Session) -> tuple[Any, ...]:
    """What tells whether anything has changed; the hour, for orders become overdue."""
    return (
        *session.execute(select(func.count(), func.max(OrderRow.updated_at))).one(),
        *session.execute(select(func.count(), func.max(InspectionRow.made_at))).one(),
        *session.execute(select(func.count(), func.max(ReviewRow.made_at))).one(),
        now().replace(minute=0, second=0, microsecond=0),
    )


def read_tables(session: Session, at: datetime, profile: str = "") -> Tables:
    """Everything that figures are computed from, as it is at a moment."""
    rows = _rows(session, profile)
    _apply_reviews(session, rows)
    days = rows["made_at"].where(rows["made_at"].notna(), rows["received_at"])
    calls = rows.assign(
        call_id=rows["call_id"].fillna(""),
        satisfaction=rows["satisfaction"].fillna("none"),
        heard_cause=_known(rows["heard_cause"]),
        visited=_known(rows["visited"]),
        cause=_known(rows["cause"]),
        urgency="normal",
        on=days.dt.tz_convert(LOCAL).dt.tz_localize(None).dt.normalize(),
        contacted=_in_time(rows["contact_due"], rows["contacted_at"], at),
        on_time=_in_time(rows["close_due"], rows["closed_at"], at),
    )
    return tables_of(calls, _findings(rows["found"]))


def _rows(session: Session, profile: str) -> pd.DataFrame:
    """One row a call, and one an order without an inspected call."""
    wanted = (
        select(*(_plain(column) for _, column in _COLUMNS))
        .select_from(OrderRow)
        .outerjoin(InspectionRow, InspectionRow.order_pk == OrderRow.id)
        .outerjoin(RecordingRow, RecordingRow.id == InspectionRow.recording_id)
        .order_by(OrderRow.id, RecordingRow.uploaded_at, InspectionRow.id)
    )
    wanted = wanted.where(OrderRow.profile == profile) if profile else wanted
    columns = zip(*session.connection().execute(wanted).all(), strict=True)
    names = [name for name, _ in _COLUMNS]
    rows = pd.DataFrame(dict(zip(names, columns, strict=False)), columns=names)
    for name in _MOMENTS:
        rows[name] = pd.to_datetime(rows[name], utc=True)
    return rows


def _plain(column: InstrumentedAttribute[Any]) -> Any:
    """A moment without the conversion of every single value; all are UTC."""
    if isinstance(column.type, Moment):
        return type_coerce(column, DateTime(timezone=True))
    return column


def _known(column: pd.Series) -> pd.Series:
    return column.where(column.notna() & (column != ""), None)


def _in_time(due: pd.Series, done: pd.Series, at: datetime) -> np.ndarray:
    """1.0, 0.0, or NaN while it is open (`qc.deadlines.timeliness.in_time`)."""
    overdue = (due < pd.Timestamp(at)).to_numpy()
    late = np.where(done.notna(), (done > due).to_numpy(), overdue)
    known = done.notna().to_numpy() | overdue
    return np.where(known, np.where(late, 0.0, 1.0), np.nan)


def _findings(found: pd.Series) -> pd.DataFrame:
    """One row a rule of a call, from what `api.derived.counted` says of each."""
    lines = [
        (place, family, rule, value)
        for place, of_call in zip(found.index, found, strict=True)
        if of_call
        for family, rules in of_call.items()
        for rule, value in rules.items()
    ]
    table = pd.DataFrame(lines, columns=["call", "family", "rule", "value"])
    is_element = table["family"] == "element"
    status = table["value"].where(is_element, "found")
    return table.assign(status=status, times=table["value"].where(~is_element, 1))


def _apply_reviews(session: Session, rows: pd.DataFrame) -> None:
    """Replace what was found in reviewed calls by what stands."""
    ids = session.scalars(
        select(ReviewRow.recording_id).where(ReviewRow.decision != "confirm").distinct()
    ).all()
    settled = {id_: d for id_, d in settled_of(session, ids).items() if changes_anything(d)}
    if not settled:
        return
    places = pd.Series(rows.index, index=rows["call_id"])
    reviewed = session.execute(
        select(InspectionRow, OrderRow.profile)
        .join(OrderRow, OrderRow.id == InspectionRow.order_pk)
        .where(InspectionRow.recording_id.in_(settled))
    )
    for row, profile in reviewed:
        if row.recording_id not in places.index:
            continue
        place = places[row.recording_id]
        stands = standing(row.verdict, row.transcript, settled[row.recording_id], profile)
        rows.at[place, "found"] = counted(stands)
        rows.at[place, "score"] = stands["score"]
        rows.at[place, "attitude_score"] = stands["attitude"]["score"]
        rows.at[place, "attitude_level"] = stands["attitude"]["level"]
