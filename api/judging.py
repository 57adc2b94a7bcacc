"""The verdict on an order: what was filed, held against what all its calls said."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.inspecting import Inspectors, finish_job
from api.jobs import Queue
from api.results import (
    circumstances_of,
    keep_inspection,
    keep_order_findings,
    order_hash,
    quality_of,
    transcript_of,
)
from api.tables import InspectionRow, JobRow, OrderRow, RecordingRow
from qc.filed import LOCAL, Filing, OrderFile
from qc.inspect import inspect_transcript
from qc.inspection import Inspection
from qc.inspector import Inspector
from qc.order import Call, Order, SpokenTurn
from qc.orders.evidence import MISMATCH
from qc.orders.inspection import inspect_order


def judge_job(session: Session, queue: Queue, inspectors: Inspectors, job_id: str) -> None:
    """Judge a job's order, file the notices that follow, and end the job."""
    job = session.get_one(JobRow, job_id, with_for_update=True)
    if job.status == "cancelled" or job.order_pk is None:
        return
    judge_order(session, queue, inspectors, job.order_pk)
    finish_job(session, job_id)


def judge_order(session: Session, queue: Queue, inspectors: Inspectors, order_pk: str) -> None:
    """Judge an order anew and store the verdict, its findings, and the notices that follow.

    Calls that were heard before the order was changed are held against the order as it is now.
    """
    order = session.get_one(OrderRow, order_pk, with_for_update=True)
    if order.forgotten_at is not None:
        return
    inspector = inspectors.of(order.profile)
    filed = Order.model_validate(order.order)
    rows = session.scalars(
        select(InspectionRow)
        .join(RecordingRow, RecordingRow.id == InspectionRow.recording_id)
        .where(InspectionRow.order_pk == order_pk, RecordingRow.path != "")
    ).all()
    rows = sorted(rows, key=lambda row: row.recording.made_at or row.recording.uploaded_at)
    calls = [_judge_call(session, inspector, order, filed, row) for row in rows]
    moment = datetime.now(LOCAL)
    verdict = inspect_order(_file(filed, order, calls), calls, profile=order.profile, now=moment)
    session.execute(  # not through the row: its version is that of what people filed
        update(OrderRow)
        .where(OrderRow.id == order_pk)
        .values(verdict=verdict.to_json(), score=verdict.score)
    )
    session.refresh(order)
    keep_order_findings(session, order, verdict.findings)
    session.flush()
    _file_notices(session, queue, order, moment)


def _judge_call(
    session: Session, inspector: Inspector, order: OrderRow, filed: Order, row: InspectionRow
) -> Inspection:
    """The inspection of a stored call, from its words; stored anew where the order has changed."""
    kind, answered_by, ended_by = circumstances_of(row)
    found = inspect_transcript(
        transcript_of(row),
        kind,
        filed,
        inspector.catalogue,
        inspector.classifier,
        call_id=row.recording_id,
        answered_by=answered_by,
        ended_by=ended_by,
        semantic=inspector.semantic,
    )
    heard = (w for w in row.verdict["warnings"] if not w.startswith(MISMATCH))
    warnings = tuple(dict.fromkeys([*heard, *found.warnings]))
    found = replace(found, warnings=warnings, recording=quality_of(row))
    if row.verdict.get("judged_for") != order_hash(filed):
        keep_inspection(session, row.recording, order, found, row.setup)
    return found


def _file(filed: Order, order: OrderRow, calls: Sequence[Inspection]) -> OrderFile:
    return OrderFile(
        order=filed,
        filing=Filing.model_validate(order.filing),
        calls=tuple(_call(call) for call in calls),
    )


def _call(found: Inspection) -> Call:
    turns = tuple(SpokenTurn.model_validate(asdict(turn)) for turn in found.transcript.turns)
    return Call(
        call_id=found.call_id,
        kind=found.kind,
        order=found.order,
        turns=turns,
        answered_by=found.answered_by,
        ended_by=found.ended_by,
    )


def _file_notices(session: Session, queue: Queue, order: OrderRow, moment: datetime) -> None:
    """Write down whom to tell, in the same transaction as the verdict."""
    try:
        from api.notices import file_notices
    except ModuleNotFoundError as error:
        if error.name != "api.notices":
            raise
        return
    file_notices(session, queue, order, moment)
