"""Who listened to what: a player asks for many parts of a file, which are one listening."""

from datetime import timedelta

from sqlalchemy import select

from api.access import Actor
from api.audit import record_read
from api.database import now, transaction
from api.service import Service
from api.tables import AuditRow

LISTENING = "recording.listen"
ONE_LISTENING = timedelta(minutes=10)


def note_listening(service: Service, actor: Actor, recording_id: str) -> None:
    """Write a listening down, unless the same person's is, from the last minutes."""
    with transaction(service.reader) as session:
        noted = session.scalar(
            select(AuditRow.id)
            .where(AuditRow.subject == recording_id, AuditRow.actor == actor.name)
            .where(AuditRow.action == LISTENING, AuditRow.at > now() - ONE_LISTENING)
            .limit(1)
        )
    if noted is None:
        record_read(service, actor, LISTENING, recording_id)
