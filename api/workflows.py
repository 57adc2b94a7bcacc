"""What runs in the queue: workflows whose steps are written down, so that none is done twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from dbos import DBOS, ScheduleInput, SQLAlchemyDatasource

from api.database import transaction
from api.inspecting import Inspectors, inspect_recording
from api.judging import judge_job
from api.leases import fail_job
from api.retention import forget_old
from api.service import Service

MAX_RECOVERIES = 5  # deaths of workers after which a job is given up
FINISHED_DAYS = 1  # the queue's own rows of finished jobs are kept; ours stay
PURGE_AT_ONCE = 1000
NIGHTLY = "0 20 3 * * *"  # second, minute, hour: 03:20 in Shanghai

log = structlog.get_logger()


@dataclass(frozen=True)
class Workshop:
    """What the workflows work with."""

    service: Service
    datasource: SQLAlchemyDatasource
    inspectors: Inspectors


class UnexpectedFailure(Exception):
    """A step failed for no fault of the recording. Says no more than the kind of error."""


def register(shop: Workshop) -> list[ScheduleInput]:
    """Define the workflows of inspection; call it before DBOS.launch()."""
    service, inspectors = shop.service, shop.inspectors

    @DBOS.step(name="listen", retries_allowed=True, max_attempts=3, interval_seconds=1.0)
    def listen(job_id: str) -> None:
        try:
            inspect_recording(service, inspectors, job_id)
        except Exception as error:
            log.exception("inspection failed", job=job_id)
            raise UnexpectedFailure(type(error).__name__) from None

    @shop.datasource.transaction(name="judge")
    def judge_once(job_id: str) -> None:
        session = shop.datasource.sql_session()
        judge_job(session, service.queue, inspectors, job_id)

    def give_up(job_id: str, error: Exception) -> None:
        log.error("job given up", job=job_id, error=str(error))
        reason = "程序处理时出错，重试后仍未成功，请把任务编号告诉管理员"
        with transaction(service.engine) as session:
            fail_job(session, job_id, reason)

    @DBOS.workflow(name="inspect", max_recovery_attempts=MAX_RECOVERIES)
    def inspect(job_id: str) -> None:
        try:
            listen(job_id)
            judge_once(job_id)
        except Exception as error:  # the queue's own signals are no Exception
            give_up(job_id, error)

    @DBOS.workflow(name="judge", max_recovery_attempts=MAX_RECOVERIES)
    def judge(job_id: str) -> None:
        try:
            judge_once(job_id)
        except Exception as error:
            give_up(job_id, error)

    return [_tidying(service)]


def _tidying(service: Service) -> ScheduleInput:
    """Every night: what may not be kept is deleted."""

    @DBOS.step(name="tidy_up")
    def tidy_up() -> None:
        purge_finished()
        done = forget_old(service.engine, service.store, service.settings.retention_days)
        log.info("tidied up", orders=done.orders, recordings=done.recordings, uploads=done.uploads)

    @DBOS.workflow(name="tidy", max_recovery_attempts=MAX_RECOVERIES)
    def tidy(_: datetime, __: Any) -> None:
        tidy_up()

    return {"schedule_name": "tidy", "workflow_fn": tidy, "schedule": NIGHTLY}


def purge_finished() -> None:
    """Remove the queue's rows of jobs that ended some time ago."""
    before = (datetime.now(UTC) - timedelta(days=FINISHED_DAYS)).isoformat()
    while True:
        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before,
            limit=PURGE_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if not ended:
            return
        DBOS.delete_workflows([job.workflow_id for job in ended])
