"""Real worker processes, to be killed; forked from one that has loaded everything."""

import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import JobRow, LeaseRow

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.api.nursery"])


class Worker:
    """A worker process of its own."""

    def __init__(self, service: Service) -> None:
        from tests.api.nursery import work

        self.id = f"test-{secrets.token_hex(4)}"
        settings = service.settings.model_dump()
        log = str(service.settings.data_folder / f"{self.id}.log")
        self.process = PROCESSES.Process(target=work, args=(self.id, settings, log), daemon=True)
        self.process.start()

    def kill(self) -> None:
        """As by the kernel: nothing is cleaned up."""
        self.process.kill()
        self.process.join()

    def lives(self, service: Service) -> bool:
        """Whether it has given its first sign of life."""
        assert self.process.is_alive(), "the worker has ended"
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
