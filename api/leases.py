"""Signs of life of the workers; the jobs of one that gives none are taken over by the others."""

import threading
import time

import structlog
from dbos import DBOS
from sqlalchemy import Engine, delete, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from api.database import now, transaction
from api.tables import JobRow, LeaseRow, RecordingRow

LEASE_SECONDS = 5.0  # without a beat for so long, a worker is dead
BEAT_SECONDS = 1.0
FORGOTTEN_SECONDS = 24 * 3600.0  # after which a lease's row is removed

# Seconds since 1970 by the database's clock, the one clock that all workers share.
_CLOCK = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",  # unixepoch('subsec') needs 3.42
    "postgresql": "extract(epoch FROM clock_timestamp())",
}
LOST = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")  # what the queue calls jobs that it gave up

log = structlog.get_logger()


def clock(session: Session) -> float:
    """The database's time, in seconds since 1970."""
    return float(session.scalar(text(f"SELECT {_CLOCK[session.get_bind().dialect.name]}")) or 0.0)


def beat(engine: Engine, executor_id: str) -> None:
    """Give a sign of life."""
    with transaction(engine) as session:
        is_postgresql = engine.dialect.name == "postgresql"
        insert = (postgresql.insert if is_postgresql else sqlite.insert)(LeaseRow)
        seen_at = clock(session)
        session.execute(
            insert.values(executor_id=executor_id, seen_at=seen_at).on_conflict_do_update(
                index_elements=["executor_id"], set_={"seen_at": seen_at}
            )
        )
        session.execute(delete(LeaseRow).where(LeaseRow.seen_at < seen_at - FORGOTTEN_SECONDS))


def release(engine: Engine, executor_id: str) -> None:
    """A worker has ended: its jobs may be taken over at once."""
    with transaction(engine) as session:
        session.execute(delete(LeaseRow).where(LeaseRow.executor_id == executor_id))


def living(session: Session) -> set[str]:
    """Workers that have given a sign of life just now."""
    oldest = clock(session) - LEASE_SECONDS
    return set(session.scalars(select(LeaseRow.executor_id).where(LeaseRow.seen_at >= oldest)))


class Reaper(threading.Thread):
    """Beats, and takes over the jobs of the dead, until stopped. Begin it before DBOS.launch()."""

    def __init__(self, engine: Engine, executor_id: str) -> None:
        super().__init__(name="reaper", daemon=True)
        self._engine, self._executor_id = engine, executor_id
        self._stop_asked = threading.Event()
        self.launched = threading.Event()  # set when DBOS runs: before that only beats

    def run(self) -> None:
        while not self._stop_asked.is_set():
            started = time.monotonic()
            try:
                beat(self._engine, self._executor_id)
                if self.launched.is_set():
                    take_over(self._engine)
                    settle_lost(self._engine)
            except Exception as error:  # the database is away for a moment: beat on
                log.warning("reaper", error=type(error).__name__)
            self._stop_asked.wait(max(0.0, BEAT_SECONDS - (time.monotonic() - started)))

    def stop(self) -> None:
        """End, and release the lease."""
        self._stop_asked.set()
        self.join(timeout=2 * BEAT_SECONDS)
        release(self._engine, self._executor_id)


def take_over(engine: Engine) -> None:
    """Queue again every running job whose worker is dead.

    Dead is who owns a running job and has no fresh lease, so that one that was killed before its
    first beat is found, too.
    """
    running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    owners = {job.executor_id for job in running if job.executor_id}
    if not owners:
        return
    with transaction(engine) as session:
        dead = sorted(owners - living(session))
    if dead:
        log.warning("taking over", workers=len(dead), jobs=len(running))
        DBOS._recover_pending_workflows(dead)


def settle_lost(engine: Engine) -> None:
    """Tell people of the jobs that the queue gave up: they killed their worker again and again."""
    lost = DBOS.list_workflows(
        status=list(LOST), name=["inspect", "judge"], limit=100, load_input=False, load_output=False
    )
    if not lost:
        return
    reason = "检查时工作进程多次意外退出，已停止重试；录音可能损坏，请换一份或联系管理员"
    with transaction(engine) as session:
        for job in lost:
            fail_job(session, job.workflow_id, reason)
    DBOS.delete_workflows([job.workflow_id for job in lost])


def fail_job(session: Session, job_id: str, reason: str) -> None:
    """A job has ended without its result."""
    job = session.get(JobRow, job_id, with_for_update=True)
    if job is None or job.status not in ("queued", "running"):
        return
    job.status, job.reason, job.finished_at = "failed", reason, now()
    recording = session.get(RecordingRow, job.recording_id) if job.recording_id else None
    if recording is not None and job.kind == "inspect":
        recording.status, recording.reason = "failed", reason
