"""Real workers, killed with -9 while they work: nothing is lost, and nothing is there twice.

The long run (100 kills) is in benchmarks/service.py.
"""

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

from dbos import DBOSClient, DBOSPortableJSONSerializer
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api.database import transaction
from api.leases import release
from api.service import Service
from api.tables import FindingRow, InspectionRow, JobRow
from api.workflows import MAX_RECOVERIES
from tests.api.filed import SAMPLES, new_order, sound
from tests.api.workers import Worker, are_over, states, wait_until, workers

RECORDINGS, KILLS = 12, 3
LONG_CALL = SAMPLES / "recordings" / "06-先行联系-断线.wav"


def upload(client: TestClient, folder: Path, count: int) -> list[str]:
    """Recordings of an order, each with its job."""
    order_id = new_order(client)
    answers = [
        client.post(f"/api/v1/orders/{order_id}/recordings", content=sound(folder))
        for _ in range(count)
    ]
    return [answer.json()["job"] for answer in answers]


def test_killed_workers_lose_nothing_and_double_nothing(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    jobs = upload(client, tmp_path, RECORDINGS)
    with workers(service, 2) as crew:
        for _ in range(KILLS):
            wait_until(lambda: crew[0].lives(service))
            wait_until(lambda: "running" in states(service, jobs) or are_over(service, jobs)())
            wait_until(lambda: random.random() < 0.3)
            crew.pop(0).kill()
            crew.append(Worker(service))
        wait_until(are_over(service, jobs))
    assert states(service, jobs) == ["done"] * RECORDINGS
    with transaction(service.reader) as session:
        ids = select(JobRow.recording_id).where(JobRow.id.in_(jobs))
        runs = session.scalars(
            select(InspectionRow.run).where(InspectionRow.recording_id.in_(ids))
        ).all()
        assert runs == [1] * RECORDINGS
        doubled = session.scalars(
            select(FindingRow.rule_id)
            .group_by(FindingRow.inspection_id, FindingRow.rule_id, FindingRow.turn)
            .having(func.count() > 1)
        ).all()
        assert doubled == []


def test_when_one_of_two_workers_is_killed_the_other_finishes_its_jobs(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    jobs = upload(client, tmp_path, 4)
    with workers(service, 2) as crew:
        wait_until(lambda: all(worker.lives(service) for worker in crew))
        wait_until(lambda: "running" in states(service, jobs) or are_over(service, jobs)())
        crew.pop().kill()
        wait_until(are_over(service, jobs))
    assert states(service, jobs) == ["done"] * 4


def test_calls_of_single_orders_go_before_a_batch(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    order_id = new_order(client)
    jobs = [
        client.post(
            f"/api/v1/orders/{order_id}/recordings",
            content=sound(tmp_path),
            params={"batch": batch},
        ).json()["job"]
        for batch in (True, True, True, False)
    ]
    with workers(service, 1):
        wait_until(are_over(service, jobs))
    with transaction(service.reader) as session:
        by_start = select(JobRow.id).where(JobRow.id.in_(jobs)).order_by(JobRow.started_at)
        assert session.scalars(by_start).first() == jobs[-1]


def attempts(client: TestClient, job: str) -> int:
    tried: int = client.get(f"/api/v1/jobs/{job}").json()["attempts"]
    return tried


def has_begun_again(client: TestClient, job: str, before: int) -> bool:
    return attempts(client, job) > before


def test_a_recording_that_kills_its_worker_every_time_ends_as_failed(
    client: TestClient, service: Service
) -> None:
    order_id = new_order(client)
    answer = client.post(
        f"/api/v1/orders/{order_id}/recordings", content=LONG_CALL.read_bytes()
    ).json()
    job = answer["job"]
    for _ in range(MAX_RECOVERIES + 1):
        before = attempts(client, job)
        with workers(service, 1) as crew:
            wait_until(partial(has_begun_again, client, job, before))
        release(service.engine, crew[0].id)  # as `serve` does when a worker of its own dies
    with workers(service, 1):
        wait_until(are_over(service, [job]))
    shown = client.get(f"/api/v1/jobs/{job}").json()
    assert shown["status"] == "failed"
    assert "多次意外退出" in shown["reason"]
    recording = client.get(f"/api/v1/recordings/{answer['recording']['id']}").json()
    assert (recording["status"], recording["reason"]) == ("failed", shown["reason"])


def test_a_worker_tidies_up_at_night(client: TestClient, service: Service, tmp_path: Path) -> None:
    """The nightly job, asked for now: an order of long ago loses its recording."""
    order_id = new_order(client, received_at="2020-01-02 09:00")
    answer = client.post(f"/api/v1/orders/{order_id}/recordings", content=sound(tmp_path)).json()
    queue = DBOSClient(
        system_database_url=service.settings.database, serializer=DBOSPortableJSONSerializer()
    )
    settings = service.settings.model_copy(update={"retention_days": 365})
    with workers(replace(service, settings=settings), 1):
        wait_until(are_over(service, [answer["job"]]))
        wait_until(lambda: bool(queue.list_schedules()))
        queue.trigger_schedule("tidy")
        wait_until(lambda: client.get(f"/api/v1/orders/{order_id}").json()["forgotten"])
    queue.destroy()
    address = f"/api/v1/recordings/{answer['recording']['id']}"
    assert client.get(address).json()["deleted"]
