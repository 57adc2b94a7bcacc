"""Real worker processes, to be killed."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import JobRow, LeaseRow


def environment(service: Service) -> dict[str, str]:
    """Variables that give a process the service's settings."""
    return {
        **os.environ,
        "HOTLINE_QC_DATA_FOLDER": str(service.settings.data_folder),
        "HOTLINE_QC_DATABASE_URL": service.settings.database_url,
        "OMP_NUM_THREADS": "1",
    }


class Worker:
    """A worker process of its own."""

    def __init__(self, service: Service) -> None:
        self.id = f"test-{secrets.token_hex(4)}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "api.worker", self.id, str(os.getpid())],
            env=environment(service),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """As by the kernel: nothing is cleaned up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def lives(self, service: Service) -> bool:
        """Whether it has given its first sign of life."""
        assert self.process.poll() is None, "the worker has ended"
        with transaction(service.reader) as session:
            return session.get(LeaseRow, self.id) is not None


@contextmanager
def workers(service: Service, count: int) -> Iterator[list[Worker]]:
    """Some workers; whatever is in the list at the end is killed."""
    crew = [Worker(service) for _ in range(count)]
    try:
        yield crew
    finally:
        for worker in crew:
            worker.kill()


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def states(service: Service, jobs: list[str]) -> list[str]:
    """Statuses of some jobs."""
    with transaction(service.reader) as session:
        return list(session.scalars(select(JobRow.status).where(JobRow.id.in_(jobs))))


def are_over(service: Service, jobs: list[str]) -> Callable[[], bool]:
    return lambda: not {"queued", "running"} & set(states(service, jobs))
