"""The audit log: rows are only added, and each holds the hash of the one before.

A row that is changed, removed or slipped in breaks the chain. Rows cut off at the end do not:
for that an auditor keeps the last id and hash (`Head`) and has them looked for later.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.access import Actor
from api.database import now, transaction
from api.service import Service
from api.tables import AuditRow

GENESIS = "0" * 64  # what the first row gives as the hash before it
CHAIN_LOCK = 12345_001  # PostgreSQL advisory lock that serialises writers until they commit
MAX_SUBJECT = 200  # characters


@dataclass(frozen=True)
class Head:
    """The last row of the log at some time."""

    id: int
    hash: str


@dataclass(frozen=True)
class Verified:
    """Whether the log is as it was written."""

    broken: int | None  # the first row that is not (or is gone); None: all are
    last: Head  # the last row found right


def record(
    session: Session, actor: Actor | str, action: str, subject: str, detail: str = ""
) -> AuditRow:
    """Write down that somebody did something, in the caller's transaction.

    Args:
        session: of `service.engine`. The log is locked from here to the commit, so call it late.
        actor: or a name, such as `worker`, where no request asked.
        action: what was done: a noun and a verb, `recording.read`, `account.create`.
        subject: the id of what it was done to.
        detail: more of it; no personal data.
    """
    lock(session)
    session.flush()
    last = head(session)
    row = AuditRow(
        id=last.id + 1,
        at=now(),
        actor=actor if isinstance(actor, str) else actor.name,
        action=action,
        subject=subject[:MAX_SUBJECT],
        detail=detail,
        previous=last.hash,
    )
    row.hash = row_hash(row)
    session.add(row)
    session.flush()
    return row


def lock(session: Session) -> None:
    """Keep other writers of the log waiting until the commit; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CHAIN_LOCK)))


def record_read(
    service: Service, actor: Actor, action: str, subject: str, detail: str = ""
) -> None:
    """Write down a read, in a transaction of its own, before the data goes out."""
    with transaction(service.engine) as session:
        record(session, actor, action, subject, detail)


def head(session: Session) -> Head:
    """The last row; id 0 where there is none."""
    last = session.execute(
        select(AuditRow.id, AuditRow.hash).order_by(AuditRow.id.desc()).limit(1)
    ).first()
    return Head(*last) if last else Head(0, GENESIS)


def row_hash(row: AuditRow) -> str:
    """What the row's hash must be: SHA-256 of everything in it and the hash before."""
    content = [row.id, _moment(row.at), row.actor, row.action, row.subject, row.detail]
    return hashlib.sha256(
        json.dumps([*content, row.previous], ensure_ascii=False).encode()
    ).hexdigest()


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def verify(session: Session, known: Head | None = None) -> Verified:
    """Compare every row with its hash and with the row before.

    Args:
        session: a reading one will do.
        known: the last row as it was some time ago, to find out whether the end was cut off.
    """
    last = Head(0, GENESIS)
    rows = session.scalars(select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=1000))
    for row in rows:
        chained = row.id == last.id + 1 and row.previous == last.hash
        replaced = known is not None and row.id == known.id and row.hash != known.hash
        if not chained or row.hash != row_hash(row) or replaced:
            return Verified(min(row.id, last.id + 1), last)
        last = Head(row.id, row.hash)
        session.expunge(row)
    cut = known is not None and known.id > last.id
    return Verified(last.id + 1 if cut else None, last)
