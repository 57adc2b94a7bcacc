"""The whole service as one command: it serves, inspects, survives, and ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.api.filed import order_of, sound
from tests.api.people import PASSWORD
from tests.api.workers import wait_until

COMMAND = "from qc.commands.serve import serve; serve()"


class Server:
    """`hotline-qc serve` in a process of its own, with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> httpx.Client:
        """Start it and sign in."""
        site = f"http://127.0.0.1:{self.port}"
        settings = {
            "HOTLINE_QC_DATA_FOLDER": str(self.folder),
            "HOTLINE_QC_PORT": str(self.port),
            "HOTLINE_QC_ADMIN_PASSWORD": PASSWORD,
            "OMP_NUM_THREADS": "1",
        }
        log = (self.folder / "serve.log").open("ab")
        command = [sys.executable, "-c", COMMAND]
        self.process = subprocess.Popen(
            command, env=os.environ | settings, stdout=log, stderr=log, start_new_session=True
        )
        client = httpx.Client(base_url=site, headers={"Origin": site}, trust_env=False, timeout=30)
        wait_until(lambda: _answers(client))
        body = {"name": "admin", "password": PASSWORD}
        assert client.post("/api/v1/session", json=body).status_code < 300
        return client

    def kill(self) -> None:
        """As by the kernel."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        found = []
        for status in Path("/proc").glob("[0-9]*/environ"):
            try:
                if str(self.folder).encode() in status.read_bytes():
                    found.append(int(status.parent.name))
            except OSError:
                continue
        own = self.process.pid if self.process else 0
        return [pid for pid in found if pid != own]


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(30)


def upload(client: httpx.Client, folder: Path) -> Callable[[], str]:
    """Send an order with a recording; gives what tells the state of its job."""
    order = order_of()
    assert client.post("/api/v1/orders", json={"order": order}).status_code == 201
    answer = client.post(
        f"/api/v1/orders/{order['order_id']}/recordings",
        content=sound(folder),
        headers={"Content-Type": "application/octet-stream"},
    )
    job = answer.json()["job"]
    return lambda: str(client.get(f"/api/v1/jobs/{job}").json()["status"])


def test_one_command_serves_and_inspects_and_a_killed_server_loses_nothing(
    server: Server, tmp_path: Path
) -> None:
    client = server.start()
    state = upload(client, tmp_path)
    server.kill()
    wait_until(lambda: not server.workers(), seconds=30)

    server.start()
    wait_until(lambda: state() == "done")
    assert len(server.workers()) == 1

    assert server.process is not None
    started = time.monotonic()
    os.killpg(server.process.pid, signal.SIGINT)  # as Ctrl-C does
    assert server.process.wait(30) == 0
    assert not server.workers()
    assert time.monotonic() - started < 25
    log = (tmp_path / "serve.log").read_text("utf-8")
    assert f"http://127.0.0.1:{server.port}" in log
    assert "Traceback" not in log
    engine = create_engine(f"sqlite:///{tmp_path / 'hotline-qc.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT run FROM inspections")).scalars().all() == [1]
