"""People's word on findings: confirmed, overturned, or heard where the machine missed it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record
from api.masking import View
from api.problems import Problem
from api.results import circumstances_of, transcript_of
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow, ReviewRow
from qc.catalogue import load_catalogue
from qc.filed import LOCAL
from qc.order import Call, CallKind, Order, SpokenTurn
from qc.quality.reviews import Decision, Review
from qc.transcript import Role


def add_review(
    session: Session,
    actor: Actor,
    recording: RecordingRow,
    rule_id: str,
    decision: Decision,
    turn: int | None = None,
    comment: str = "",
) -> ReviewRow:
    """Write a review down and mark the findings that it is about.

    Args:
        turn: of the transcript, from 0; None for every place of the finding. What was missed is at
            some turn. Of a script element that was found, it does not matter.

    Raises:
        Problem: 409 the recording was not inspected yet; 422 there is no such rule or finding.
    """
    inspection = recording.inspection
    if inspection is None:
        raise Problem(409, "这段录音还没有检查结论，不能复核。", kind="not-inspected")
    family = _family(inspection, recording.order_row.profile, rule_id)
    if decision == "missed":
        _check_place(inspection, family, turn)
    else:
        turn = None if family == "element" else turn
        if not findings_of(session, inspection, rule_id, turn):
            raise no_finding()
    row = settle_findings(session, actor, inspection, rule_id, decision, turn, comment)
    record(session, actor, "review.add", recording.id, f"{rule_id} {decision}")
    return row


def settle_findings(
    session: Session,
    actor: Actor,
    inspection: InspectionRow,
    rule_id: str,
    decision: Decision,
    turn: int | None,
    comment: str,
) -> ReviewRow:
    """The review's row, and its mark on the findings."""
    row = ReviewRow(
        recording_id=inspection.recording_id,
        rule_id=rule_id,
        turn=turn,
        decision=decision,
        comment=comment,
        reviewer=actor.name,
    )
    session.add(row)
    for finding in findings_of(session, inspection, rule_id, turn):
        lapse = finding.family == "element" and finding.status != "met"
        heard: Decision = "overturn" if lapse else "confirm"
        finding.decision = heard if decision == "missed" else decision
    session.flush()
    return row


def findings_of(
    session: Session, inspection: InspectionRow, rule_id: str, turn: int | None
) -> list[FindingRow]:
    """Findings of a rule; those at a turn where one is given, an element's wherever it is."""
    rows = session.scalars(
        select(FindingRow)
        .where(FindingRow.inspection_id == inspection.id, FindingRow.rule_id == rule_id)
        .with_for_update()
    )
    return [row for row in rows if turn is None or row.family == "element" or row.turn == turn]


def no_finding() -> Problem:
    """422."""
    return Problem(422, "这段录音里没有这项发现，请核对规则和句子。", kind="no-finding")


def _family(inspection: InspectionRow, profile: str, rule_id: str) -> str:
    catalogue = load_catalogue(profile=profile)
    families = {
        "element": {rule.id for rule in catalogue.elements[CallKind(inspection.kind)]},
        "behaviour": {rule.id for rule in catalogue.behaviours},
        "signal": {rule.id for rule in catalogue.signals},
    }
    for family, rules in families.items():
        if rule_id in rules:
            return family
    raise Problem(422, f"没有编号为 {rule_id} 的规则，或它不用于这种通话。", kind="no-rule")


def _check_place(inspection: InspectionRow, family: str, turn: int | None) -> None:
    if turn is None or not 0 <= turn < len(inspection.transcript):
        raise Problem(422, "补报请写明是第几句（turn，从 0 数起）。", kind="no-turn")
    role = Role.CITIZEN if family == "signal" else Role.AGENT
    if inspection.transcript[turn]["role"] != role:
        who = "市民" if role is Role.CITIZEN else "经办人"
        raise Problem(422, f"这一句不是{who}说的，请核对 turn。", kind="wrong-speaker")


# --- for training ---------------------------------------------------------------------------------


def export_reviews(
    session: Session, view: View, since: datetime | None, until: datetime | None
) -> Iterator[str]:
    """Reviews as `hotline-qc teach export` reads them, one JSON object a line.

    A review of every place of a finding becomes one of each.
    """
    for row, order in session.execute(_reviewed(since, until).order_by(ReviewRow.made_at)):
        filed = Order.model_validate(order.order)
        for turn in _turns(session, row):
            review = Review.model_validate(
                {
                    "call_id": row.recording_id,
                    "rule_id": row.rule_id,
                    "decision": row.decision,
                    "turn": turn,
                    "comment": view.words(row.comment, filed),
                    "reviewer": row.reviewer,
                    "at": row.made_at.astimezone(LOCAL),
                }
            )
            yield review.model_dump_json(exclude_none=True) + "\n"


def _reviewed(since: datetime | None, until: datetime | None) -> "Select[ReviewRow, OrderRow]":
    rows = (
        select(ReviewRow, OrderRow)
        .join(RecordingRow, RecordingRow.id == ReviewRow.recording_id)
        .join(OrderRow, OrderRow.id == RecordingRow.order_pk)
    )
    rows = rows.where(ReviewRow.made_at >= since) if since else rows
    return rows.where(ReviewRow.made_at < until) if until else rows


def _turns(session: Session, row: ReviewRow) -> list[int | None]:
    if row.turn is not None:
        return [row.turn]
    found = session.scalars(
        select(FindingRow.turn)
        .join(InspectionRow, InspectionRow.id == FindingRow.inspection_id)
        .where(InspectionRow.recording_id == row.recording_id, FindingRow.rule_id == row.rule_id)
        .where(FindingRow.turn.is_not(None))
        .order_by(FindingRow.turn)
    )
    return list(found) or [None]


def export_calls(
    session: Session, view: View, since: datetime | None, until: datetime | None
) -> Iterator[str]:
    """The reviewed calls with their turns, as `hotline-qc teach export --calls` reads them."""
    ids = {row.recording_id for row, _ in session.execute(_reviewed(since, until))}
    rows = session.execute(
        select(InspectionRow, OrderRow)
        .join(OrderRow, OrderRow.id == InspectionRow.order_pk)
        .where(InspectionRow.recording_id.in_(ids))
        .order_by(InspectionRow.recording_id)
    )
    for row, order_row in rows:
        order = Order.model_validate(order_row.order)
        kind, answered_by, ended_by = circumstances_of(row)
        turns = [asdict(turn) for turn in transcript_of(row).turns]
        call = Call(
            call_id=row.recording_id,
            kind=kind,
            order=view.order(order),
            turns=tuple(
                SpokenTurn.model_validate({**turn, "text": view.words(turn["text"], order)})
                for turn in turns
            ),
            answered_by=answered_by,
            ended_by=ended_by,
        )
        content = call.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        yield json.dumps(content, ensure_ascii=False) + "\n"
