"""Taking in a recording: from a stream of bytes to a row, a file and a job, or none of them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from anyio import to_thread
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record
from api.database import now, transaction
from api.jobs import PER_ORDER
from api.service import Service
from api.store import BLOCK, Incoming
from api.tables import RecordingRow, new_id
from qc.order import CallKind

MAX_FILE_NAME = 255  # characters
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Label:
    """What is said of a recording besides its bytes."""

    file_name: str
    kind: CallKind | None = None  # None: read off the words
    made_at: datetime | None = None  # when the call was made
    priority: int = PER_ORDER


@dataclass(frozen=True)
class Taken:
    """A recording that is now in."""

    recording_id: str
    job_id: str | None  # None where it was there already and has been inspected
    is_new: bool


def begin_receiving(service: Service) -> Incoming:
    """A new file within the size limit."""
    return service.store.receive(service.settings.max_upload_mb << 20)


async def receive(incoming: Incoming, chunks: AsyncIterator[bytes]) -> None:
    """Write what arrives; memory holds about one block of it.

    Raises:
        TooLarge: it is more than the limit.
    """
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        if len(waiting) >= BLOCK:
            await to_thread.run_sync(incoming.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await to_thread.run_sync(incoming.write, bytes(waiting))


def take_in(
    service: Service,
    actor: Actor,
    order_pk: str,
    incoming: Incoming,
    label: Label,
) -> Taken:
    """Keep a finished file as a recording of an order and have it inspected.

    The same bytes on the same order are the recording that is there already.
    """
    known = _known(service, order_pk, incoming.sha256)
    if known is not None:
        return known
    recording_id = new_id()
    path = stored_path(recording_id, label.file_name)
    incoming.keep(path)
    try:
        with transaction(service.engine) as session:
            row = _row(session, order_pk, incoming, label, recording_id, path)
            job = service.queue.enqueue_inspection(session, row, actor.name, label.priority)
            record(session, actor, "recording.upload", row.id, f"{incoming.size} 字节")
            return Taken(row.id, job.id, is_new=True)
    except IntegrityError:  # the same bytes came twice at once
        service.store.delete(path)
        known = _known(service, order_pk, incoming.sha256)
        if known is None:
            raise
        return known
    except BaseException:
        service.store.delete(path)
        raise


def stored_path(recording_id: str, file_name: str) -> str:
    """Where a recording lies: by its id, for file names may hold personal data."""
    suffix = _SUFFIX.fullmatch(PurePath(file_name).suffix)
    return f"{recording_id[:2]}/{recording_id}{suffix.group().lower() if suffix else ''}"


def _known(service: Service, order_pk: str, sha256: str) -> Taken | None:
    with transaction(service.reader) as session:
        row = session.scalar(
            select(RecordingRow).where(
                RecordingRow.order_pk == order_pk,
                RecordingRow.sha256 == sha256,
                RecordingRow.deleted_at.is_(None),
            )
        )
        return Taken(row.id, None, is_new=False) if row else None


def _row(
    session: Session,
    order_pk: str,
    incoming: Incoming,
    label: Label,
    recording_id: str,
    path: str,
) -> RecordingRow:
    """The row of a new recording, or of one that was deleted and has come back."""
    row = session.scalar(
        select(RecordingRow)
        .where(RecordingRow.order_pk == order_pk, RecordingRow.sha256 == incoming.sha256)
        .where(RecordingRow.deleted_at.is_not(None))
        .with_for_update()
    )
    if row is None:
        row = RecordingRow(id=recording_id, order_pk=order_pk, sha256=incoming.sha256)
        session.add(row)
    row.path, row.size, row.deleted_at = path, incoming.size, None
    row.file_name, row.uploaded_at = label.file_name[-MAX_FILE_NAME:], now()
    row.kind, row.made_at = label.kind, label.made_at
    session.flush()
    return row
