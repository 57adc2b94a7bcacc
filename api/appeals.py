"""Appeals (申诉): a department objects to a finding on its own order, an inspector decides."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record
from api.database import now
from api.problems import Problem
from api.reviews import findings_of, no_finding, settle_findings
from api.tables import AppealRow, RecordingRow

AppealDecision = Literal["upheld", "rejected"]
DECISION_TITLES: dict[str, str] = {"": "待处理", "upheld": "申诉成立", "rejected": "维持原结论"}


def file_appeal(
    session: Session,
    actor: Actor,
    recording: RecordingRow,
    rule_id: str,
    turn: int | None,
    grounds: str,
) -> AppealRow:
    """Object to a finding.

    Args:
        recording: one that the actor sees.
        turn: of the transcript, from 0; None for every place of the finding.

    Raises:
        Problem: 409 somebody has objected to it already, or it was overturned; 422 there is no
            such finding.
    """
    inspection = recording.inspection
    found = findings_of(session, inspection, rule_id, turn) if inspection else []
    if not found:
        raise no_finding()
    if found[0].family == "element":
        turn = None
    if all(finding.decision == "overturn" for finding in found):
        raise Problem(409, "这项发现已被推翻，不必申诉。", kind="overturned")
    _check_first(session, recording.id, rule_id, turn)
    row = AppealRow(
        recording_id=recording.id,
        rule_id=rule_id,
        turn=turn,
        department=recording.order_row.department,
        grounds=grounds,
        appealed_by=actor.name,
    )
    session.add(row)
    session.flush()
    record(session, actor, "appeal.file", row.id, rule_id)
    return row


def _check_first(session: Session, recording_id: str, rule_id: str, turn: int | None) -> None:
    filed = select(AppealRow).where(
        AppealRow.recording_id == recording_id, AppealRow.rule_id == rule_id
    )
    if before := [row for row in session.scalars(filed) if row.turn == turn]:
        said = "还在处理中" if any(not row.decision for row in before) else "已有处理结果"
        raise Problem(409, f"这项发现已经申诉过，{said}。", kind="appealed")


def decide_appeal(
    session: Session, actor: Actor, row: AppealRow, decision: AppealDecision, answer: str
) -> None:
    """Decide an appeal; the finding of one that is upheld is overturned.

    Args:
        row: read for update.

    Raises:
        Problem: 403 the actor has filed it; 409 it is decided already.
    """
    if row.decision:
        raise Problem(409, "这项申诉已经处理过了。", kind="decided")
    if row.appealed_by == actor.name:
        raise Problem(403, "不能处理自己提出的申诉，请由别人处理。", kind="own-appeal")
    row.decision, row.answer = decision, answer
    row.decided_by, row.decided_at = actor.name, now()
    recording = session.get_one(RecordingRow, row.recording_id)
    if decision == "upheld" and recording.inspection is not None:
        settle_findings(
            session, actor, recording.inspection, row.rule_id, "overturn", row.turn, answer
        )
    record(session, actor, f"appeal.{decision}", row.id, row.rule_id)
