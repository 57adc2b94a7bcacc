"""A worker: takes jobs out of the queue and does them, until it is told to stop."""

import importlib.util
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from uuid import uuid4

import structlog
from dbos import DBOS, DBOSPortableJSONSerializer, ScheduleInput, SQLAlchemyDatasource

from api.database import connect
from api.inspecting import Inspectors
from api.jobs import CALLS, ORDERS, Queue
from api.leases import Reaper, beat
from api.logs import configure_logs
from api.migrations import migrate
from api.service import Service
from api.settings import Settings
from api.store import RecordingStore
from api.workflows import Workshop
from qc.errors import QcError

APPLICATION = "hotline-qc"
VERSION = "1"  # raise it only when the steps of a workflow change order
POLL_SECONDS = 0.2
NOTICES = "notices"  # queue of messages to send
ORDERS_AT_ONCE = NOTICES_AT_ONCE = 2  # in one worker
FINISH_SECONDS = 10  # given to running jobs when the worker is asked to stop
MODULES = ("api.workflows", "api.notices")  # each may have `register(shop)`

log = structlog.get_logger()


def run_worker(settings: Settings, *, executor_id: str = "", parent: int | None = None) -> None:
    """Work until asked to stop, or until the parent process is gone.

    Args:
        executor_id: unique to this process; made up where empty.
        parent: process id of the server that started this worker.

    Raises:
        QcError: the database, the recogniser or the catalogue cannot be used.
    """
    executor_id = executor_id or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    stop = _stop_event()
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    migrate(settings.database)
    service = _open(settings)
    inspectors = Inspectors(settings)
    inspectors.load()
    beat(service.engine, executor_id)  # before launch: a death right after it must be noticed
    reaper = Reaper(service.engine, executor_id)
    reaper.start()
    _launch(settings, service, inspectors, executor_id)
    reaper.launched.set()
    log.info("worker ready", executor=executor_id)
    while not stop.wait(0.5):
        if parent is not None and os.getppid() != parent:
            log.warning("server is gone, worker ends")
            break
    DBOS.destroy(workflow_completion_timeout_sec=FINISH_SECONDS)
    reaper.stop()
    os._exit(0)  # a job that goes on in its thread is taken over by another worker


def _open(settings: Settings) -> Service:
    return Service(
        settings=settings,
        engine=connect(settings.database),
        reader=connect(settings.database, read_only=True),
        store=RecordingStore(settings.recordings),
        queue=Queue(settings),
    )


def _stop_event() -> threading.Event:
    stop = threading.Event()

    def ask_to_stop(_: int, __: FrameType | None) -> None:
        stop.set()

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, ask_to_stop)
    return stop


def _launch(settings: Settings, service: Service, inspectors: Inspectors, executor_id: str) -> None:
    serializer = DBOSPortableJSONSerializer()
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": settings.database,
            "executor_id": executor_id,
            "application_version": VERSION,
            "serializer": serializer,
            "log_level": "WARNING",
        }
    )
    datasource = SQLAlchemyDatasource.create(
        settings.database, engine=service.engine, serializer=serializer
    )
    shop = Workshop(service, datasource, inspectors)
    schedules = [schedule for module in MODULES for schedule in _register(module, shop)]
    DBOS.launch()
    queues: Mapping[str, int] = {
        CALLS: settings.worker_concurrency,
        ORDERS: ORDERS_AT_ONCE,
        NOTICES: NOTICES_AT_ONCE,
    }
    for name, at_once in queues.items():
        DBOS.register_queue(name, worker_concurrency=at_once, polling_interval_sec=POLL_SECONDS)
    for schedule in schedules:
        schedule["cron_timezone"] = "Asia/Shanghai"
    DBOS.apply_schedules(schedules)


def _register(module: str, shop: Workshop) -> list[ScheduleInput]:
    """The workflows of a module that has some."""
    if importlib.util.find_spec(module) is None:
        return []
    define: Callable[[Workshop], list[ScheduleInput]] | None = getattr(
        importlib.import_module(module), "register", None
    )
    return define(shop) if define else []


def main() -> None:
    """`python -m api.worker EXECUTOR_ID PARENT_PID`: a worker of `serve`, with its settings."""
    executor_id, parent = sys.argv[1], int(sys.argv[2])
    configure_logs()
    try:
        run_worker(Settings(), executor_id=executor_id, parent=parent)
    except QcError as error:
        log.error("worker cannot start", reason=str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
