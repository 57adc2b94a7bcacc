"""The whole service with one command: the web server, and worker processes beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from uuid import uuid4

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from api.app import create_app
from api.leases import release
from api.logs import configure_logs
from api.service import open_service
from api.settings import Settings

SHORT_LIFE = 10.0  # seconds; a worker that ends sooner is started again only after a pause
PAUSE = 5.0  # seconds
END_SECONDS = 15.0  # given to a worker to end
KEEP_ALIVE = 75  # seconds that an idle connection stays open, longer than clients reuse one
GRACE = 10  # seconds given to answers on their way

log = structlog.get_logger()


class Crew:
    """Worker processes of this machine; one that dies is replaced, its jobs set free at once."""

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._stop_asked = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_one, name=f"crew-{i}", daemon=True)
            for i in range(size)
        ]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}  # by executor id

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask every worker to end, and wait."""
        self._stop_asked.set()
        for process in list(self.processes.values()):
            process.terminate()
        for thread in self._threads:
            thread.join(timeout=END_SECONDS + 1)

    def _keep_one(self) -> None:
        while not self._stop_asked.is_set():
            executor_id, started = f"crew-{uuid4().hex}", time.monotonic()
            process = start_worker(executor_id)
            self.processes[executor_id] = process
            self._wait(process)
            del self.processes[executor_id]
            release(self._engine, executor_id)
            if not self._stop_asked.is_set():
                log.warning("worker ended", code=process.returncode)
                if time.monotonic() - started < SHORT_LIFE:
                    self._stop_asked.wait(PAUSE)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not self._stop_asked.is_set():
            self._stop_asked.wait(0.2)
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_worker(executor_id: str) -> subprocess.Popen[bytes]:
    """A worker process that ends when this process is gone."""
    command = [sys.executable, "-m", "api.worker", executor_id, str(os.getpid())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


@contextmanager
def crew(engine: Engine, size: int) -> Iterator[Crew]:
    """Workers while the context lasts."""
    made = Crew(engine, size)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def web_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The web server, not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
    )


def run_server(settings: Settings) -> None:
    """Serve until asked to stop (Ctrl-C or SIGTERM), with the workers that the settings ask for.

    Raises:
        QcError: the database or the store cannot be used.
    """
    configure_logs()
    service = open_service(settings)
    service.store.check()
    server = web_server(create_app(service), settings)
    with crew(service.engine, settings.workers):
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, _nothing_more)
        server.run()


def _nothing_more(_: int, __: FrameType | None) -> None:
    """The web server ends by itself on a signal, and raises it again when it has ended."""
