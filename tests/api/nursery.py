"""What a worker imports and loads, done once: workers forked from here begin at once."""

import os

import api.worker
from api.logs import configure_logs
from api.settings import Settings
from qc.inspector import Inspector

Inspector().load()


def work(executor_id: str, settings: dict[str, object], log: str) -> None:
    """A worker, in a process of its own."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    configure_logs()
    api.worker.run_worker(Settings.model_validate(settings), executor_id=executor_id)
