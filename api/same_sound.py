"""Recordings of different orders that hold the same sound: 同一录音用于两个工单."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from api.database import now
from api.tables import RecordingRow, SameSoundRow
from qc.fingerprint import ITEM_SECONDS, MAX_SHIFT, from_text, matching

LOOK_BACK = timedelta(days=180)  # an order is closed and visited long before
MAX_DIFFERENCE = (MAX_SHIFT + 1) * ITEM_SECONDS  # seconds between the lengths of two that match
BLOCK = 500  # fingerprints in memory at a time, some 2 KB each


def link_same_sound(session: Session, recording: RecordingRow) -> None:
    """Find the recordings of other orders with the sound of one that was just heard."""
    if not recording.fingerprint or recording.seconds is None:
        return
    wanted = from_text(recording.fingerprint)
    known = set(session.scalars(select(RecordingRow.id).where(_linked(recording))))
    candidates = select(RecordingRow.id, RecordingRow.fingerprint).where(
        RecordingRow.order_pk != recording.order_pk,
        RecordingRow.fingerprint != "",
        RecordingRow.seconds.between(
            recording.seconds - MAX_DIFFERENCE, recording.seconds + MAX_DIFFERENCE
        ),
        RecordingRow.uploaded_at > now() - LOOK_BACK,
    )
    found: list[str] = []
    for part in session.execute(candidates.execution_options(yield_per=BLOCK)).partitions():
        found += matching(wanted, {row.id: from_text(row.fingerprint) for row in part})
    session.add_all(
        SameSoundRow(recording_id=recording.id, other_id=other)
        for other in found
        if other not in known
    )


def others_with(session: Session, recording: RecordingRow) -> list[RecordingRow]:
    """Recordings of other orders that are the same file or hold the same sound, oldest first."""
    same = or_(RecordingRow.sha256 == recording.sha256, _linked(recording))
    rows = select(RecordingRow).where(same, RecordingRow.order_pk != recording.order_pk)
    return list(session.scalars(rows.order_by(RecordingRow.uploaded_at, RecordingRow.id)))


def reuse_notes(
    session: Session, recordings: Sequence[RecordingRow], department: str = ""
) -> list[str]:
    """What to tell a reader of recordings of one order that other orders have, too.

    Args:
        department: whose orders the reader sees; other orders are not named. "" sees all.
    """
    others = [other for recording in recordings for other in others_with(session, recording)]
    if not others:
        return []
    orders = [other.order_row for other in others]
    seen = [order.order_id for order in orders if department in ("", order.department)]
    return [f"同一录音用于两个工单{'，另见 ' if seen else ''}{'、'.join(dict.fromkeys(seen))}"]


def _linked(recording: RecordingRow) -> ColumnElement[bool]:
    """Whether a row was found to hold the same sound, then or by the later of the two."""
    later = select(SameSoundRow.recording_id).where(SameSoundRow.other_id == recording.id)
    earlier = select(SameSoundRow.other_id).where(SameSoundRow.recording_id == recording.id)
    return or_(RecordingRow.id.in_(later), RecordingRow.id.in_(earlier))
