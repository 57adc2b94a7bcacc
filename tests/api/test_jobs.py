"""The queue as people see it, and what a job does to its recording."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import av
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from api.database import now, transaction
from api.inspecting import Inspectors, begin, inspect_recording
from api.jobs import PER_ORDER
from api.judging import judge_job, judge_order
from api.leases import beat, clock, fail_job, living, release
from api.retention import forget_old
from api.service import Service
from api.tables import (
    FindingRow,
    InspectionRow,
    JobRow,
    LeaseRow,
    OrderRow,
    RecordingRow,
    ReviewRow,
)
from tests.api.filed import SAMPLES, new_order, sound

SPEECH = SAMPLES.parent / "tests" / "files" / "speech.amr"  # 您好，请问您是王先生吗？我是……


@pytest.fixture(scope="module")
def inspectors(service: Service) -> Inspectors:
    made = Inspectors(service.settings)
    made.load()
    return made


def upload(client: TestClient, order_id: str, data: bytes, name: str = "a.wav") -> tuple[str, str]:
    """The recording and its job."""
    answer = client.post(
        f"/api/v1/orders/{order_id}/recordings", content=data, params={"file_name": name}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["recording"]["id"], answer.json()["job"]


def work(service: Service, inspectors: Inspectors, job: str) -> None:
    """What a worker does with an inspection."""
    inspect_recording(service, inspectors, job)
    with transaction(service.engine) as session:
        judge_job(session, service.queue, inspectors, job)


def test_a_real_call_is_heard_judged_and_shown(
    client: TestClient, service: Service, inspectors: Inspectors
) -> None:
    order_id = new_order(client)
    recording, job = upload(client, order_id, SPEECH.read_bytes(), "call.amr")
    work(service, inspectors, job)

    address = f"/api/v1/recordings/{recording}"
    shown = client.get(address).json()
    assert (shown["status"], shown["playable"], len(shown["peaks"])) == ("done", True, 2000)
    found = client.get(f"{address}/inspection").json()
    assert "您好" in found["transcript"][0]["text"]
    rules = client.get("/api/v1/findings", params={"recording_id": recording, "limit": 200}).json()
    met = {item["rule_id"] for item in rules["items"] if item["status"] == "met"}
    assert "fc.greeting" in met
    verdict = client.get(f"/api/v1/orders/{order_id}/inspection").json()
    assert verdict["recordings"][0]["score"] == found["score"]
    assert verdict["verdict"]["calls"][0]["call_id"] == recording
    assert verdict["score"] is not None

    playback = client.get(f"{address}/playback")
    copy = service.settings.data_folder / "copy.m4a"
    copy.write_bytes(playback.content)
    with av.open(str(copy)) as container:
        assert container.duration == pytest.approx(shown["seconds"] * 1e6, rel=0.02)
    review_and_inspect_anew(client, service, inspectors, recording)
    change_and_judge_anew(client, service, inspectors, order_id, recording)


def review_and_inspect_anew(
    client: TestClient, service: Service, inspectors: Inspectors, recording: str
) -> None:
    """A second inspection replaces the first and keeps ids and what people decided."""
    with transaction(service.engine) as session:
        rows = select(FindingRow).where(FindingRow.rule_id == "fc.greeting")
        finding = session.scalars(
            rows.join(InspectionRow).where(InspectionRow.recording_id == recording)
        ).one()
        session.add(
            ReviewRow(
                recording_id=recording,
                rule_id=finding.rule_id,
                turn=finding.turn,
                decision="overturn",
                reviewer="admin",
            )
        )
    job = client.post(f"/api/v1/recordings/{recording}:inspect").json()["job"]
    work(service, inspectors, job)
    with transaction(service.reader) as session:
        runs = select(InspectionRow.run).where(InspectionRow.recording_id == recording)
        assert session.scalars(runs).all() == [2]
        assert session.get_one(FindingRow, finding.id).decision == "overturn"


def change_and_judge_anew(
    client: TestClient, service: Service, inspectors: Inspectors, order_id: str, recording: str
) -> None:
    """Words heard before are held against the order as it is now, without hearing them again."""
    before = client.get(f"/api/v1/recordings/{recording}/inspection").json()
    client.patch(f"/api/v1/orders/{order_id}", json={"order": {"address": "上海路9号1室"}})
    version = client.get(f"/api/v1/orders/{order_id}").headers["etag"]
    with transaction(service.engine) as session:
        pk = session.scalar(select(OrderRow.id).where(OrderRow.order_id == order_id)) or ""
        judge_order(session, service.queue, inspectors, pk)
    after = client.get(f"/api/v1/recordings/{recording}/inspection").json()
    assert after["transcript"] == before["transcript"]
    assert after["verdict"]["judged_for"] != before["verdict"]["judged_for"]
    assert after["verdict"]["recording"] == before["verdict"]["recording"]
    assert after["verdict"]["recording"]["quality"] in ("good", "poor")
    assert client.get(f"/api/v1/orders/{order_id}").headers["etag"] == version


def test_a_result_is_kept_once_however_often_the_job_runs(
    client: TestClient, service: Service, inspectors: Inspectors, tmp_path: Path
) -> None:
    recording, job = upload(client, new_order(client), sound(tmp_path))
    together = [
        threading.Thread(target=inspect_recording, args=(service, inspectors, job))
        for _ in range(3)
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    inspect_recording(service, inspectors, job)
    with transaction(service.reader) as session:
        rows = select(InspectionRow).where(InspectionRow.recording_id == recording)
        assert [row.run for row in session.scalars(rows)] == [1]


def test_a_file_that_is_no_recording_ends_as_failed_with_the_reason(
    client: TestClient, service: Service, inspectors: Inspectors
) -> None:
    order_id = new_order(client)
    recording, job = upload(client, order_id, b"no sound at all, only words\n" * 100, "合同.wav")
    inspect_recording(service, inspectors, job)
    shown = client.get(f"/api/v1/jobs/{job}").json()
    assert (shown["status"], shown["attempts"]) == ("failed", 1)
    assert "不是录音" in shown["reason"]
    assert client.get(f"/api/v1/recordings/{recording}/inspection").status_code == 404
    state = client.get(f"/api/v1/orders/{order_id}/inspection").json()["recordings"][0]
    assert (state["status"], state["reason"]) == ("failed", shown["reason"])
    anew = client.post(f"/api/v1/recordings/{recording}:inspect").json()["job"]
    assert anew != job


def test_a_cancelled_job_leaves_no_result(
    client: TestClient, service: Service, inspectors: Inspectors, tmp_path: Path
) -> None:
    recording, job = upload(client, new_order(client), sound(tmp_path))
    assert client.post(f"/api/v1/jobs/{job}:cancel").json()["status"] == "cancelled"
    inspect_recording(service, inspectors, job)
    assert client.get(f"/api/v1/recordings/{recording}/inspection").status_code == 404
    assert client.post(f"/api/v1/jobs/{job}:cancel").status_code == 409


def test_a_recording_that_waits_is_not_queued_twice(client: TestClient, tmp_path: Path) -> None:
    recording, job = upload(client, new_order(client), sound(tmp_path))
    assert client.post(f"/api/v1/recordings/{recording}:inspect").json()["job"] == job


def test_progress_comes_as_events_until_the_job_ends(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    _, job = upload(client, new_order(client), sound(tmp_path))
    begin(service, job)

    def end() -> None:
        with transaction(service.engine) as session:
            fail_job(session, job, "测试")

    threading.Timer(0.3, end).start()
    with client.stream("GET", f"/api/v1/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line[6:] for line in stream.iter_lines() if line.startswith("data: ")]
    states = [json.loads(line)["status"] for line in lines]
    assert (states[0], states[-1]) == ("running", "failed")


def test_the_queue_counts_what_waits(client: TestClient, service: Service, tmp_path: Path) -> None:
    before = service.queue.depth()
    _, job = upload(client, new_order(client), sound(tmp_path))
    assert service.queue.depth() == before + 1
    client.post(f"/api/v1/jobs/{job}:cancel")
    assert service.queue.depth() == before


def test_a_job_goes_with_the_change_it_belongs_to_or_not_at_all(
    client: TestClient, service: Service, tmp_path: Path
) -> None:
    recording, job = upload(client, new_order(client), sound(tmp_path))
    client.post(f"/api/v1/jobs/{job}:cancel")
    with pytest.raises(RuntimeError), transaction(service.engine) as session:
        row = session.get_one(RecordingRow, recording)
        undone = service.queue.enqueue_inspection(session, row, "test", PER_ORDER).id
        raise RuntimeError("the change failed")
    with transaction(service.reader) as session:
        assert session.get(JobRow, undone) is None


def test_a_department_sees_only_jobs_of_its_own_orders(
    client: TestClient, sign_in: Callable[..., TestClient], tmp_path: Path
) -> None:
    _, job = upload(client, new_order(client, "水务所"), sound(tmp_path))
    others = sign_in("department", "绿化所")
    assert others.get(f"/api/v1/jobs/{job}").status_code == 404
    assert others.get("/api/v1/jobs").json()["items"] == []
    assert sign_in("department", "水务所").get(f"/api/v1/jobs/{job}").status_code == 200


def test_a_worker_lives_by_its_signs_of_life(service: Service) -> None:
    beat(service.engine, "one")
    beat(service.engine, "two")
    with transaction(service.engine) as session:
        session.execute(
            update(LeaseRow).where(LeaseRow.executor_id == "two").values(seen_at=1000.0)
        )
    with transaction(service.reader) as session:
        assert abs(clock(session) - now().timestamp()) < 5
        assert living(session) & {"one", "two"} == {"one"}
    release(service.engine, "one")
    with transaction(service.reader) as session:
        assert "one" not in living(session)


def test_after_the_retention_period_sound_and_personal_data_are_gone_and_findings_stay(
    client: TestClient, service: Service, inspectors: Inspectors, tmp_path: Path
) -> None:
    order_id = new_order(client, handling_result="已与王建国联系", replied_at="2024-06-13 10:00")
    recording, job = upload(client, order_id, sound(tmp_path))
    work(service, inspectors, job)
    with transaction(service.engine) as session:
        row = session.get_one(RecordingRow, recording)
        path, pk = row.path, row.order_pk
        long_ago = now() - timedelta(days=400)
        session.execute(update(OrderRow).where(OrderRow.id == pk).values(received_at=long_ago))
        findings = session.scalar(select(func.count()).where(FindingRow.order_pk == pk))
    assert forget_old(service.engine, service.store, days=365).orders >= 1
    with transaction(service.reader) as session:
        order = session.get_one(OrderRow, pk)
        stored = json.dumps([order.order, order.filing, order.verdict], ensure_ascii=False)
        assert "王建国" not in stored
        assert "105号" not in stored
        assert order.filing["replied_at"]
        assert session.scalar(select(func.count()).where(FindingRow.order_pk == pk)) == findings
        assert session.scalars(select(InspectionRow.transcript)).first() is not None
    assert path not in service.store.paths(path[:2])
    assert client.get(f"/api/v1/recordings/{recording}/audio").status_code == 404
    assert client.get(f"/api/v1/orders/{order_id}").json()["forgotten"]
    refused = client.patch(f"/api/v1/orders/{order_id}", json={"order": {"handler": "新"}})
    assert refused.status_code == 409
