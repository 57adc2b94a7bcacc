"""What a worker does with a recording: from the store through the inspector into the tables."""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.database import now, transaction
from api.leases import fail_job
from api.playback import find_peaks, write_playback
from api.results import keep_inspection
from api.same_sound import link_same_sound
from api.service import Service
from api.settings import Settings
from api.tables import JobRow, OrderRow, RecordingRow
from models.gathering import GatheringRecogniser
from models.second_opinion import settings_from_environment
from qc.audio import Recording, read_recording
from qc.errors import QcError
from qc.fitness import QualityLevel, UnusableRecording
from qc.inspection import Inspection
from qc.inspector import Inspector
from qc.order import CallKind, Order

KEPT = 0.9  # progress of a job whose result is stored: it is not stored again
LISTENING, JUDGING = "识别和检查", "汇总工单"

log = structlog.get_logger()


class Inspectors:
    """The inspector of each street. They share one recogniser, for all jobs of this process."""

    def __init__(self, settings: Settings) -> None:
        self._asr, self._default = settings.asr, settings.profile
        self._at_once = settings.worker_concurrency
        self._by_profile: dict[str, Inspector] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Load the default street's, so that what is missing shows at the start.

        Raises:
            QcError: the recogniser or the catalogue cannot be loaded.
        """
        self.of(self._default).load()

    def of(self, profile: str) -> Inspector:
        """The inspector by a street's standards."""
        with self._lock:
            if profile not in self._by_profile:
                made = Inspector(self._asr, profile, second_opinion=settings_from_environment())
                if first := next(iter(self._by_profile.values()), None):
                    made.recogniser = first.recogniser
                elif self._at_once > 1:
                    made.recogniser = GatheringRecogniser(made.recogniser, self._at_once)
                self._by_profile[profile] = made
            return self._by_profile[profile]


@dataclass(frozen=True)
class Task:
    """A recording to inspect, as it was when the job began."""

    job_id: str
    recording_id: str
    path: str
    file_name: str
    kind: CallKind | None
    order: Order
    profile: str
    has_playback: bool


def inspect_recording(service: Service, inspectors: Inspectors, job_id: str) -> None:
    """Inspect a job's recording and store the result once, however often this is run.

    What is the recording's fault ends the job as failed, with the reason. Anything else is raised,
    to be tried again.
    """
    task = begin(service, job_id)
    if task is None:
        return
    try:
        with tempfile.TemporaryDirectory(prefix="hotline-qc-") as folder:
            found, seconds = _inspect(service, inspectors, task, Path(folder))
        setup = inspectors.of(task.profile).setup
        keep(service, task, found, seconds, setup)
        with transaction(service.engine) as session:  # one of two heard at once sees the other
            link_same_sound(session, session.get_one(RecordingRow, task.recording_id))
    except QcError as error:
        reason = str(error).replace(Path(task.path).name, task.file_name)
        with transaction(service.engine) as session:
            fail_job(session, job_id, reason)
            if isinstance(error, UnusableRecording):
                _mark_unusable(session, task.recording_id)


def begin(service: Service, job_id: str) -> Task | None:
    """Mark a job as running; None where nothing is left to be done for its recording."""
    with transaction(service.engine) as session:
        job = session.get(JobRow, job_id, with_for_update=True)
        if job is None or job.status not in ("queued", "running") or job.progress >= KEPT:
            return None
        recording = session.get_one(RecordingRow, job.recording_id)
        order = session.get_one(OrderRow, recording.order_pk)
        job.status, job.stage, job.attempts = "running", LISTENING, job.attempts + 1
        job.started_at = job.started_at or now()
        job.progress = 0.1
        recording.status = "running"
        if not recording.path:
            fail_job(session, job_id, "录音已删除")
            return None
        return Task(
            job_id,
            recording.id,
            recording.path,
            recording.file_name,
            CallKind(recording.kind) if recording.kind else None,
            Order.model_validate(order.order),
            order.profile,
            bool(recording.playback_path),
        )


def _inspect(
    service: Service, inspectors: Inspectors, task: Task, folder: Path
) -> tuple[Inspection, float]:
    with service.store.local_path(task.path) as path:
        recording = read_recording(path)
        if not task.has_playback:
            _keep_playback(service, task, recording, folder / "playback.m4a")
        _progress(service, task.job_id, 0.3)
        inspector = inspectors.of(task.profile)
        found = inspector.inspect_recording(recording, task.kind, task.order)
        return found, recording.seconds


def _keep_playback(service: Service, task: Task, recording: Recording, copy: Path) -> None:
    """Make what the workbench plays. It is there before the verdict, and where that fails."""
    write_playback(recording, copy)
    stored = service.store.put(copy, playback_path(task.recording_id))
    with transaction(service.engine) as session:
        row = session.get_one(RecordingRow, task.recording_id, with_for_update=True)
        row.playback_path, row.peaks = stored.path, find_peaks(recording)
        row.seconds = round(recording.seconds, 2)


def playback_path(recording_id: str) -> str:
    """Where the copy for browsers lies in the store."""
    return f"playback/{recording_id[:2]}/{recording_id}.m4a"


def _progress(service: Service, job_id: str, progress: float) -> None:
    with transaction(service.engine) as session:
        job = session.get(JobRow, job_id, with_for_update=True)
        if job is not None and job.status == "running" and job.progress < progress:
            job.progress = progress


def keep(service: Service, task: Task, found: Inspection, seconds: float, setup: str) -> None:
    """Store a result, unless another worker has stored this job's, or it was cancelled."""
    with transaction(service.engine) as session:
        job = session.get_one(JobRow, task.job_id, with_for_update=True)
        if job.status != "running" or job.progress >= KEPT:
            log.info("result not needed", job=task.job_id, status=job.status)
            return
        recording = session.get_one(RecordingRow, task.recording_id, with_for_update=True)
        order = session.get_one(OrderRow, recording.order_pk)
        keep_inspection(session, recording, order, found, setup)
        recording.status, recording.reason = "done", ""
        recording.seconds = round(seconds, 2)
        recording.quality = found.recording.level if found.recording else ""
        recording.fingerprint = found.fingerprint
        job.progress, job.stage = KEPT, JUDGING


def _mark_unusable(session: Session, recording_id: str) -> None:
    """A recording without a call has no verdict; one from before is taken back."""
    recording = session.get_one(RecordingRow, recording_id, with_for_update=True)
    recording.quality, recording.fingerprint = QualityLevel.UNUSABLE, ""
    if recording.inspection is not None:
        session.delete(recording.inspection)


def finish_job(session: Session, job_id: str) -> None:
    """A job has done all that it was for."""
    job = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())
    if job is not None and job.status in ("queued", "running"):
        job.status, job.progress, job.stage, job.finished_at = "done", 1.0, "完成", now()
