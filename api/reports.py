"""Reports as files: periodic ones (日报, 周报, 月报) and coaching reports, from what is stored.

Coaching reports are built from the words as they are stored; only those that a report shows are
masked, for masking all of them would take minutes.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from api.access import Actor
from api.standing import settled_of, standing
from api.tables import InspectionRow, OrderRow, RecordingRow, TrainingRow
from qc.catalogue import load_catalogue
from qc.coaching.documents import write_coaching
from qc.coaching.habits import GoodCall, Habit, Moment, Strength
from qc.coaching.report import CoachingReport, HeardCall, Subject, Training, coach
from qc.documents import Format
from qc.figures.overview import Every
from qc.figures.rule_titles import rule_titles
from qc.figures.tables import Tables
from qc.filed import LOCAL
from qc.order import Order
from qc.periodic.documents import write_periodic
from qc.periodic.report import report_on
from qc.privacy import mask, mask_file_name
from qc.report import Row, Verdict

HALF_YEAR = timedelta(weeks=26)  # looked back where no date is given (half-yearly training)
OTHERS = 3000  # latest calls of others, for comparison
OWN = 20_000  # latest calls of the subject
MEDIA_TYPES: Mapping[Format, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


Calls: TypeAlias = "Select[RecordingRow, InspectionRow, OrderRow]"


@dataclass(frozen=True)
class File:
    """A report to be sent."""

    name: str
    media_type: str
    content: bytes


def periodic_file(tables: Tables, every: Every, day: date, wanted: Format, profile: str) -> File:
    """The report on the day, week or month that holds `day`."""
    titles = rule_titles(load_catalogue(profile=profile))
    report = report_on(tables, every, day, titles)
    today = datetime.now(LOCAL).date()
    return _written(
        wanted, lambda folder: write_periodic(report, folder, made_on=today, formats=(wanted,))
    )


def coaching_file(report: CoachingReport, wanted: Format, site: str) -> File:
    """A coaching report; in HTML its moments lead to the pages of the calls."""
    today = datetime.now(LOCAL).date()
    return _written(
        wanted,
        lambda folder: write_coaching(
            report, folder, made_on=today, formats=(wanted,), links=f"{site}/calls/"
        ),
    )


def _written(wanted: Format, write: Callable[[Path], list[Path]]) -> File:
    with tempfile.TemporaryDirectory(prefix="hotline-qc-") as folder:
        (path,) = write(Path(folder))
        return File(path.name, MEDIA_TYPES[wanted], path.read_bytes())


# --- coaching -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stored:
    """A call from the tables, with what is needed to mask its words."""

    call: HeardCall
    order: Order


def coaching_report(
    session: Session,
    actor: Actor,
    subject: Subject,
    since: date | None,
    until: date | None,
    profile: str,
) -> CoachingReport:
    """The report on a subject, beside others as far as the actor sees them.

    Args:
        since, until: days of the calls, both included; else from half a year before today, or
            before the training.

    Raises:
        QcError: the subject has no call.
    """
    last = until or datetime.now(LOCAL).date()
    reference = subject.training.held_on if subject.training else last
    rows = _period(since or reference - HALF_YEAR, last)
    rows = rows.where(OrderRow.department == actor.department) if actor.department else rows
    own, others = _of(rows, subject)
    stored = {
        found.call.row.id: found
        for wanted, limit in ((own, OWN), (others, OTHERS))
        for found in _read(session, wanted.limit(limit))
    }
    calls = [found.call for found in stored.values()]
    report = coach(calls, subject, load_catalogue(profile=profile), unmasked=True)
    return _masked(report, {id_: found.order for id_, found in stored.items()})


def training_of(row: TrainingRow) -> Training:
    """A stored training session."""
    return Training(
        title=row.title,
        held_on=row.held_on.astimezone(LOCAL).date(),
        people=tuple(row.people),
        topics=tuple(row.topics),
    )


def _period(first: date, last: date) -> Calls:
    """Inspected calls of a period, the latest first."""
    made_at = func.coalesce(RecordingRow.made_at, OrderRow.received_at)
    begin, end = (datetime.combine(d, time(), LOCAL) for d in (first, last + timedelta(days=1)))
    return (
        select(RecordingRow, InspectionRow, OrderRow)
        .join(InspectionRow, InspectionRow.recording_id == RecordingRow.id)
        .join(OrderRow, OrderRow.id == RecordingRow.order_pk)
        .where(made_at >= begin, made_at < end)
        .order_by(made_at.desc(), RecordingRow.id)
    )


def _of(rows: Calls, subject: Subject) -> tuple[Calls, Calls]:
    """The subject's calls, and those of others."""
    own = []
    if subject.department:
        own.append(OrderRow.department == subject.department)
    if subject.handler:
        own.append(OrderRow.handler == subject.handler)
    if subject.training and subject.training.people:
        own.append(OrderRow.handler.in_(subject.training.people))
    if not own:
        return rows, rows.where(false())
    mine = own[0]
    for condition in own[1:]:
        mine = mine & condition
    return rows.where(mine), rows.where(~mine)


def _read(session: Session, rows: Calls) -> list[_Stored]:
    found = session.execute(rows).all()
    settled = settled_of(session, [recording.id for recording, _, _ in found])
    return [
        _stored(recording, inspection, order, settled.get(recording.id, {}))
        for recording, inspection, order in found
    ]


def _stored(
    recording: RecordingRow, inspection: InspectionRow, order: OrderRow, settled: Mapping[Any, str]
) -> _Stored:
    stands = standing(inspection.verdict, inspection.transcript, settled, order.profile)
    row = Row.model_validate(
        {
            "id": recording.id,
            "key": "",
            "recording": recording.file_name,
            "status": "ok",
            "page": recording.id,
            "sha256": recording.sha256,
            "kind": inspection.kind,
            "order_id": order.order_id,
            "department": order.department,
            "handler": order.handler,
            "seconds": recording.seconds,
            "unmasked": True,
            "verdict": Verdict.model_validate({**stands, "turns": inspection.transcript}),
        }
    )
    made_at = recording.made_at or order.received_at
    on = made_at.astimezone(LOCAL).date()
    return _Stored(HeardCall(row, on), Order.model_validate(order.order))


def _masked(report: CoachingReport, orders: Mapping[str, Order]) -> CoachingReport:
    """The report with every word of a call masked."""

    def row(shown: Row) -> Row:
        name = mask_file_name(shown.recording, orders[shown.id])
        return shown.model_copy(update={"recording": name})

    def moment(shown: Moment) -> Moment:
        order = orders[shown.row.id]
        said, before = mask(shown.said, order), mask(shown.before, order)
        return replace(shown, row=row(shown.row), said=said, before=before)

    def habit(shown: Habit) -> Habit:
        example = moment(shown.example) if shown.example else None
        return replace(shown, moments=tuple(map(moment, shown.moments)), example=example)

    def strength(shown: Strength) -> Strength:
        return replace(shown, moment=moment(shown.moment) if shown.moment else None)

    def good_call(shown: GoodCall) -> GoodCall:
        order = orders[shown.row.id]
        said = tuple((title, mask(words, order)) for title, words in shown.said)
        return replace(shown, row=row(shown.row), said=said)

    return replace(
        report,
        unmasked=False,
        strengths=tuple(map(strength, report.strengths)),
        habits=tuple(map(habit, report.habits)),
        examples=tuple(map(good_call, report.examples)),
    )
