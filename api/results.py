"""What an inspection leaves in the tables: its verdict, and one row for each thing found."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from api.database import now
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow, ReviewRow
from qc.fitness import Quality, QualityLevel
from qc.inspection import Inspection, Quote
from qc.order import AnsweredBy, CallKind, EndedBy, Order
from qc.orders.finding import OrderFinding
from qc.report import verdict
from qc.transcript import Role, Transcript, Turn


def keep_inspection(
    session: Session, recording: RecordingRow, order: OrderRow, found: Inspection, setup: str
) -> InspectionRow:
    """Store the verdict on a recording in place of an earlier one, with its findings."""
    row = session.scalar(
        select(InspectionRow).where(InspectionRow.recording_id == recording.id).with_for_update()
    )
    if row is None:
        row = InspectionRow(recording_id=recording.id, order_pk=order.id, run=0)
        session.add(row)
    row.department, row.handler = order.department, order.handler
    row.kind, row.score, row.satisfaction = found.kind.value, found.score, found.satisfaction
    row.attitude_score, row.attitude_level = found.attitude.score, found.attitude.level
    row.confidence = float(min((s.confidence for s in _doubtable(found)), default=1.0))
    row.transcript = _plain([asdict(turn) for turn in found.transcript.turns])
    row.verdict = stored_verdict(found)
    row.setup, row.run, row.made_at = setup, row.run + 1, now()
    session.flush()
    session.execute(delete(FindingRow).where(FindingRow.inspection_id == row.id))
    session.add_all(_findings(session, recording, order, row, found))
    return row


def _plain(data: Any) -> Any:
    """JSON without numpy's numbers, which come from the sound."""
    return json.loads(json.dumps(data, default=lambda number: number.item()))


def _doubtable(found: Inspection) -> Iterator[Quote]:
    for behaviour in found.behaviours:
        yield from behaviour.quotes
    for element in found.elements:
        yield from element.evidence


def stored_verdict(found: Inspection) -> dict[str, Any]:
    """The verdict as it is stored, unmasked, with what is needed to judge the words again."""
    data = verdict(found, unmasked=True).model_dump(mode="json")
    data["role_margin"] = found.transcript.role_margin
    data["judged_for"] = order_hash(found.order)
    plain: dict[str, Any] = _plain(data)
    return plain


def order_hash(order: Order) -> str:
    """Tells whether an order is the one that a call was held against."""
    content = json.dumps(order.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def transcript_of(row: InspectionRow) -> Transcript:
    """The words of a stored inspection."""
    turns = (Turn(**{**turn, "role": Role(turn["role"])}) for turn in row.transcript)
    return Transcript(tuple(turns), role_margin=row.verdict.get("role_margin", 1.0))


def circumstances_of(row: InspectionRow) -> tuple[CallKind, AnsweredBy, EndedBy]:
    """Kind of call, who answered and who ended it, as found when it was heard."""
    return CallKind(row.kind), row.verdict["answered_by"], row.verdict["ended_by"]


def quality_of(row: InspectionRow) -> Quality | None:
    """The quality of its recording, where it was measured."""
    found = row.verdict.get("recording")
    return Quality(QualityLevel(found["quality"]), tuple(found["reasons"])) if found else None


def _findings(
    session: Session,
    recording: RecordingRow,
    order: OrderRow,
    row: InspectionRow,
    found: Inspection,
) -> Iterator[FindingRow]:
    decisions = _decisions(session, recording.id)

    def finding(family: str, rule: str, quote: Quote | None, **more: Any) -> FindingRow:
        turn = quote.turn.index if quote else None
        decision = decisions.get((rule, turn)) or decisions.get((rule, None), "")
        return FindingRow(
            id=finding_id(recording.id, rule, turn),
            inspection_id=row.id,
            order_pk=order.id,
            family=family,
            rule_id=rule,
            turn=turn,
            start=_seconds(quote),
            quote=quote.text if quote else "",
            decision=decision,
            confidence=float(quote.confidence) if quote else None,
            **({"status": "found"} | more),
        )

    for element in found.elements:
        first = element.evidence[0] if element.evidence else None
        yield finding("element", element.id, first, status=element.status)
    for behaviour in found.behaviours:
        for quote in _one_a_turn(behaviour.quotes):
            yield finding("behaviour", behaviour.id, quote, severity=behaviour.severity)
    for signal in found.citizen:
        for quote in _one_a_turn(signal.quotes):
            yield finding("signal", signal.id, quote)


def _seconds(quote: Quote | None) -> float | None:
    return None if quote is None or quote.turn.start is None else float(quote.turn.start)


def _one_a_turn(quotes: Sequence[Quote]) -> list[Quote]:
    return list({quote.turn.index: quote for quote in reversed(quotes)}.values())[::-1]


def _decisions(session: Session, recording_id: str) -> dict[tuple[str, int | None], str]:
    """What people said of the findings before: it holds for the same rule at the same turn."""
    reviews = session.scalars(
        select(ReviewRow).where(ReviewRow.recording_id == recording_id).order_by(ReviewRow.made_at)
    )
    return {(r.rule_id, r.turn): r.decision for r in reviews if r.decision != "missed"}


def keep_order_findings(
    session: Session, order: OrderRow, findings: Sequence[OrderFinding]
) -> None:
    """Store what was found about the order as a whole in place of what was found before."""
    old = select(FindingRow).where(FindingRow.order_pk == order.id, FindingRow.family == "order")
    decisions = {row.id: row.decision for row in session.scalars(old)}
    session.execute(
        delete(FindingRow).where(FindingRow.order_pk == order.id, FindingRow.family == "order")
    )
    rows = {}
    for found in findings:
        quote = found.quotes[0]
        id_ = finding_id(order.id, found.id, f"{quote.call}:{quote.turn}:{quote.field}")
        rows[id_] = FindingRow(
            id=id_,
            order_pk=order.id,
            family="order",
            rule_id=found.id,
            status="found",
            severity=found.severity,
            turn=quote.turn,
            start=quote.start,
            quote=quote.text,
            decision=decisions.get(id_, ""),
        )
    session.add_all(rows.values())


def finding_id(subject: str, rule: str, place: object) -> str:
    """The same for the same finding, also after it was inspected anew: links keep working."""
    return hashlib.sha256(f"{subject} {rule} {place}".encode()).hexdigest()[:32]
