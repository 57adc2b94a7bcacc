"""The audit log only grows, and shows when somebody has meddled with it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text

from api.audit import Head, head, record, row_hash, verify
from api.database import now, transaction
from api.service import Service
from api.tables import AuditRow

WRITERS, EACH = 8, 15


@pytest.fixture
def log(service: Service) -> Iterator[Service]:
    """A log of five rows at least; what a test does to it is undone."""
    with transaction(service.engine) as session:
        for number in range(5):
            record(session, "system", "recording.listen", f"recording-{number}")
        before = list(session.scalars(select(AuditRow).order_by(AuditRow.id)))
    yield service
    with transaction(service.engine) as session:
        as_database_owner(session)
        session.execute(AuditRow.__table__.delete())
        columns = [column.name for column in AuditRow.__table__.columns]
        rows = [{name: getattr(row, name) for name in columns} for row in before]
        session.execute(AuditRow.__table__.insert(), rows)


def as_database_owner(session) -> None:  # type: ignore[no-untyped-def]
    """Do what only the owner of the database can: take the guard away."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
        session.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
    else:
        session.execute(text("DROP TRIGGER IF EXISTS audit_only_grows ON audit"))


def broken(service: Service, known: Head | None = None) -> int | None:
    with transaction(service.reader) as session:
        return verify(session, known).broken


def test_many_writers_leave_no_gap(service: Service) -> None:
    with transaction(service.reader) as session:
        first = head(session).id

    def write(writer: int) -> None:
        for number in range(EACH):
            with transaction(service.engine) as session:
                record(session, f"writer-{writer}", "recording.listen", f"{number}")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    with transaction(service.reader) as session:
        assert head(session).id == first + WRITERS * EACH
        assert session.scalar(select(func.count()).select_from(AuditRow)) == head(session).id
    assert broken(service) is None


def test_what_is_rolled_back_leaves_no_gap(service: Service) -> None:
    with pytest.raises(RuntimeError), transaction(service.engine) as session:
        record(session, "system", "order.create", "never")
        raise RuntimeError
    with transaction(service.engine) as session:
        record(session, "system", "order.create", "after")
    assert broken(service) is None


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody else"},
        {"action": "nothing"},
        {"subject": "another"},
        {"detail": "added"},
        {"at": now()},
        {"previous": "f" * 64},
        {"hash": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_is_found(log: Service, change: dict[str, object]) -> None:
    with transaction(log.engine) as session:
        as_database_owner(session)
        last = head(session).id
        session.execute(AuditRow.__table__.update().where(AuditRow.id == last - 2).values(change))
    assert broken(log) == last - 2


def test_a_row_changed_with_a_fitting_hash_is_found(log: Service) -> None:
    with transaction(log.engine) as session:
        as_database_owner(session)
        row = session.get(AuditRow, head(session).id - 2)
        assert row
        row.actor = "somebody else"
        row.hash = row_hash(row)
        changed = row.id
    assert broken(log) == changed + 1


def test_a_removed_row_is_found(log: Service) -> None:
    with transaction(log.engine) as session:
        as_database_owner(session)
        gone = head(session).id - 2
        session.execute(AuditRow.__table__.delete().where(AuditRow.id == gone))
    assert broken(log) == gone


def test_an_inserted_row_is_found(log: Service) -> None:
    """A row slipped in before the last one, which is moved up to make room."""
    with transaction(log.engine) as session:
        as_database_owner(session)
        last = session.get(AuditRow, head(session).id)
        assert last
        place = last.id
        session.execute(
            AuditRow.__table__.update().where(AuditRow.id == place).values(id=place + 1)
        )
        session.expunge_all()
        row = AuditRow(
            id=place,
            at=now(),
            actor="x",
            action="x",
            subject="x",
            previous=last.previous,
            detail="",
        )
        row.hash = row_hash(row)
        session.add(row)
    assert broken(log) == place + 1


def test_rows_cut_off_at_the_end_are_found_by_what_the_auditor_kept(log: Service) -> None:
    with transaction(log.engine) as session:
        kept = head(session)
        as_database_owner(session)
        session.execute(AuditRow.__table__.delete().where(AuditRow.id > kept.id - 2))
    assert broken(log) is None
    assert broken(log, kept) == kept.id - 1


def test_an_end_that_was_written_anew_is_found_by_what_the_auditor_kept(log: Service) -> None:
    with transaction(log.engine) as session:
        kept = head(session)
        as_database_owner(session)
        session.execute(AuditRow.__table__.delete().where(AuditRow.id >= kept.id))
        record(session, "system", "recording.listen", "something else")
    assert broken(log) is None
    assert broken(log, kept) == kept.id


def test_the_auditor_verifies_the_log_over_the_api(
    log: Service, sign_in: Callable[..., TestClient]
) -> None:
    auditor = sign_in("auditor")
    found = auditor.get("/api/v1/audit/verification").json()
    assert found["intact"] and found["broken"] is None
    kept = {"known_id": found["last_id"] + 1000, "known_hash": "0" * 64}
    assert not auditor.get("/api/v1/audit/verification", params=kept).json()["intact"]


def test_the_log_is_filtered_and_paged(log: Service, sign_in: Callable[..., TestClient]) -> None:
    with transaction(log.engine) as session:
        for number in range(5):
            record(session, "filter-me", "order.read_unmasked", f"order-{number}")
    auditor = sign_in("auditor")
    query = {"actor": "filter-me", "limit": 2}
    first = auditor.get("/api/v1/audit", params=query).json()
    second = auditor.get("/api/v1/audit", params={**query, "after": first["next"]}).json()
    subjects = [item["subject"] for item in first["items"] + second["items"]]
    assert subjects == ["order-4", "order-3", "order-2", "order-1"]
    late = {"actor": "filter-me", "since": "2100-01-01 00:00"}
    assert auditor.get("/api/v1/audit", params=late).json()["items"] == []
