"""The queue as requests see it: jobs are put in with the change they belong to, by id only."""

import logging
from collections.abc import Sequence

from dbos import DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.database import connect, now, transaction
from api.problems import too_many
from api.settings import Settings
from api.tables import InspectionRow, JobRow, RecordingRow, new_id

CALLS, ORDERS = "calls", "orders"  # queues: recordings to inspect, orders to judge
PER_ORDER, BATCH = 1, 10  # priorities; the smaller goes first
RETRY_AFTER = 30  # seconds, told to who comes when the queue is full
UNFINISHED = ("queued", "running")


class Queue:
    """Puts jobs into the durable queue. It runs none: that is the workers' business."""

    def __init__(self, settings: Settings) -> None:
        logging.getLogger("dbos").setLevel(logging.WARNING)  # its notes are for developers
        self._max_queued = settings.max_queued
        self._reader = connect(settings.database, read_only=True)
        self._client = DBOSClient(
            system_database_url=settings.database,
            serializer=DBOSPortableJSONSerializer(),
            lazy=True,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.destroy()
        self._reader.dispose()

    def enqueue(
        self,
        session: Session,
        workflow: str,
        workflow_id: str,
        *ids: str,
        queue: str,
        priority: int | None = None,
        delay: float | None = None,
    ) -> None:
        """Put a job in, as part of the caller's transaction; the same id again is ignored.

        Args:
            ids: what the workflow gets. Only ids: the queue's tables hold no personal data.
            delay: seconds before it may begin.
        """
        options: dict[str, object] = {"queue_name": queue, "workflow_name": workflow}
        chosen = {"workflow_id": workflow_id, "priority": priority, "delay_seconds": delay}
        options |= {name: value for name, value in chosen.items() if value is not None}
        session.flush()
        self._client.enqueue_in_transaction(session, options, *ids)  # type: ignore[arg-type]

    def enqueue_inspection(
        self,
        session: Session,
        recording: RecordingRow,
        asked_by: str,
        priority: int = PER_ORDER,
    ) -> JobRow:
        """Have a recording inspected (anew); one that waits already is not queued twice.

        Args:
            session: of a write transaction.
            recording: a row that is in the database (flushed).
        """
        session.refresh(recording, with_for_update=True)  # two at once: the second sees the first
        jobs = _jobs_of(session, recording)
        if waiting := next((job for job in jobs if job.status in UNFINISHED), None):
            return waiting
        job = JobRow(
            id=f"inspect:{recording.id}:{len(jobs) + 1}",
            kind="inspect",
            recording_id=recording.id,
            order_pk=recording.order_pk,
            asked_by=asked_by,
            status="queued",
            stage="等待检查",
        )
        session.add(job)
        recording.status, recording.reason = "queued", ""
        self.enqueue(session, "inspect", job.id, job.id, queue=CALLS, priority=priority)
        return job

    def enqueue_order(self, session: Session, order_pk: str, asked_by: str) -> JobRow:
        """Have an order judged from what was filed and what its calls said.

        A job that has not begun yet will see this transaction's changes, so that one is enough.
        """
        rows = select(JobRow).where(JobRow.order_pk == order_pk, JobRow.kind == "order")
        waiting = session.scalars(rows.where(JobRow.status == "queued").with_for_update()).first()
        if waiting is not None:
            return waiting
        job = JobRow(
            id=f"judge:{order_pk}:{new_id()[:8]}",
            kind="order",
            order_pk=order_pk,
            asked_by=asked_by,
            status="queued",
            stage="等待汇总",
        )
        session.add(job)
        self.enqueue(session, "judge", job.id, job.id, queue=ORDERS, priority=PER_ORDER)
        return job

    def depth(self) -> int:
        """Recordings that wait to be inspected."""
        with transaction(self._reader) as session:
            waiting = (JobRow.status == "queued", JobRow.kind == "inspect")
            return session.scalar(select(func.count()).select_from(JobRow).where(*waiting)) or 0

    def admit(self) -> None:
        """Let a request that will make a job through, as long as the queue is not full.

        Raises:
            Problem: 429 with Retry-After.
        """
        if self.depth() >= self._max_queued:
            raise too_many("排队等待检查的录音太多", RETRY_AFTER)

    def withdraw(self, job_id: str) -> None:
        """Take a cancelled job out of the queue; one that is running ends at its next step."""
        self._client.cancel_workflow(job_id)


def cancel_job(session: Session, job: JobRow) -> None:
    """Note that a job is cancelled; its recording keeps the result that it has, if any."""
    job.status, job.reason, job.finished_at = "cancelled", "已取消", now()
    if job.kind == "inspect" and job.recording_id:
        recording = session.get_one(RecordingRow, job.recording_id)
        inspected = session.scalar(
            select(InspectionRow.id).where(InspectionRow.recording_id == recording.id)
        )
        recording.status = "done" if inspected else "failed"
        recording.reason = "" if inspected else "检查已取消"


def _jobs_of(session: Session, recording: RecordingRow) -> Sequence[JobRow]:
    rows = select(JobRow).where(JobRow.recording_id == recording.id, JobRow.kind == "inspect")
    return session.scalars(rows).all()
