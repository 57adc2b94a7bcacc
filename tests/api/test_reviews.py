"""What people say of findings: it counts, it is kept, and others can learn from it."""

import json
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.audit import verify
from api.database import transaction
from api.service import Service
from api.tables import AuditRow, FindingRow, InspectionRow, OrderRow
from qc.catalogue import load_catalogue
from qc.order import read_call
from qc.quality.reviews import learn_from, read_reviews
from tests.api.heard import RUDE, add_call, add_order, behaviours, counted

RUDE_TURN = 2  # of the handler


@pytest.fixture
def order(service: Service) -> OrderRow:
    """An order of a department of its own, so that figures can be told apart."""
    return add_order(service, department=f"部门{token_hex(4)}")


@pytest.fixture
def recording(service: Service, order: OrderRow) -> str:
    return add_call(service, order)


def review(client: TestClient, recording: str, rule: str, decision: str, **more: object) -> None:
    answer = client.post(
        f"/api/v1/recordings/{recording}/reviews",
        json={"rule_id": rule, "decision": decision, **more},
    )
    assert answer.status_code == 201, answer.text


def test_an_overturned_behaviour_counts_no_more(
    service: Service, client: TestClient, order: OrderRow, recording: str
) -> None:
    before = counted(service, order)
    shown = behaviours(service, recording)
    assert shown and (before.findings["family"] == "behaviour").any()
    for rule, _ in shown:
        review(client, recording, rule, "overturn", comment="是在转述别人的话")
    after = counted(service, order)
    assert not (after.findings["family"] == "behaviour").any()
    scores = client.get(f"/api/v1/recordings/{recording}/reviews").json()
    assert scores["standing"]["score"] > scores["found"]["score"]
    assert scores["standing"]["attitude_score"] > scores["found"]["attitude_score"]
    assert after.heard["score"].item() == scores["standing"]["score"]
    stored = client.get(f"/api/v1/recordings/{recording}/inspection").json()
    assert stored["score"] == scores["found"]["score"]  # the machine's own is kept


def test_the_last_word_holds(
    service: Service, client: TestClient, order: OrderRow, recording: str
) -> None:
    rule, turn = behaviours(service, recording)[0]
    review(client, recording, rule, "overturn", turn=turn)
    review(client, recording, rule, "confirm")
    found = counted(service, order).findings
    assert rule in set(found[found["family"] == "behaviour"]["rule"])
    with transaction(service.reader) as session:
        decisions = session.scalars(
            select(FindingRow.decision)
            .join(InspectionRow)
            .where(InspectionRow.recording_id == recording, FindingRow.rule_id == rule)
        )
        assert set(decisions) == {"confirm"}


def test_an_overturned_element_counts_neither_way(
    service: Service, client: TestClient, order: OrderRow, recording: str
) -> None:
    found = counted(service, order).findings
    missing = str(found[found["status"] == "missing"]["rule"].iloc[0])
    review(client, recording, missing, "overturn")
    assert missing not in set(counted(service, order).findings["rule"])


def test_an_element_that_the_machine_missed_is_met(
    service: Service, client: TestClient, order: OrderRow, recording: str
) -> None:
    found = counted(service, order).findings
    missing = str(found[found["status"] == "missing"]["rule"].iloc[0])
    review(client, recording, missing, "missed", turn=0)
    after = counted(service, order).findings
    assert list(after[after["rule"] == missing]["status"]) == ["met"]
    scores = client.get(f"/api/v1/recordings/{recording}/reviews").json()
    assert scores["standing"]["score"] >= scores["found"]["score"]


def test_a_behaviour_that_the_machine_missed_counts(
    service: Service, client: TestClient, order: OrderRow, recording: str
) -> None:
    shown = {rule for rule, _ in behaviours(service, recording)}
    other = next(b.id for b in load_catalogue().behaviours if b.id not in shown)
    review(client, recording, other, "missed", turn=RUDE_TURN)
    assert other in set(counted(service, order).findings["rule"])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"rule_id": "bh.nonsense", "decision": "overturn"}, "没有编号"),
        ({"rule_id": "bh.leak", "decision": "overturn"}, "没有这项发现"),
        ({"rule_id": "bh.leak", "decision": "missed"}, "第几句"),
        ({"rule_id": "bh.leak", "decision": "missed", "turn": 99}, "第几句"),
        ({"rule_id": "bh.leak", "decision": "missed", "turn": 1}, "不是经办人"),
        ({"rule_id": "ct.threat", "decision": "missed", "turn": 0}, "不是市民"),
        ({"rule_id": "rp.greet", "decision": "overturn"}, "没有编号"),
    ],
)
def test_a_review_of_nothing_is_refused(
    client: TestClient, recording: str, wanted: dict[str, object], says: str
) -> None:
    answer = client.post(f"/api/v1/recordings/{recording}/reviews", json=wanted)
    assert answer.status_code == 422 and says in answer.json()["detail"]


def test_a_recording_that_was_not_inspected_cannot_be_reviewed(
    service: Service, client: TestClient, recording: str
) -> None:
    with transaction(service.engine) as session:
        found = session.scalar(select(InspectionRow).where(InspectionRow.recording_id == recording))
        session.delete(found)
    wanted = {"rule_id": "bh.leak", "decision": "missed", "turn": 0}
    answer = client.post(f"/api/v1/recordings/{recording}/reviews", json=wanted)
    assert answer.status_code == 409


def test_another_departments_reviews_are_not_shown(
    sign_in: Callable[..., TestClient], order: OrderRow, recording: str
) -> None:
    address = f"/api/v1/recordings/{recording}/reviews"
    assert sign_in("department", order.department).get(address).status_code == 200
    assert sign_in("department", "别的部门").get(address).status_code == 404


def test_a_review_is_in_the_audit_log(service: Service, client: TestClient, recording: str) -> None:
    rule, turn = behaviours(service, recording)[0]
    review(client, recording, rule, "overturn", turn=turn)
    with transaction(service.reader) as session:
        row = session.scalar(select(AuditRow).where(AuditRow.subject == recording))
        assert row and (row.action, row.detail) == ("review.add", f"{rule} overturn")
        assert verify(session).broken is None


def test_what_was_reviewed_can_be_learned_from(
    service: Service, client: TestClient, recording: str, tmp_path: Path
) -> None:
    """Both exports go through the library that `hotline-qc teach export` uses."""
    rule, turn = behaviours(service, recording)[0]
    review(client, recording, rule, "overturn", turn=turn, comment="找13812345678核实过")
    shown = client.get("/api/v1/reviews/export")
    assert shown.headers["content-type"].startswith("application/x-ndjson")
    assert "13812345678" not in shown.text
    file = tmp_path / "reviews.jsonl"
    file.write_text(shown.text)
    reviews = [r for r in read_reviews([file]) if r.call_id == recording]
    calls = [read_call(line, "") for line in client.get("/api/v1/reviews/calls").text.splitlines()]
    assert "顾海峰" not in json.dumps([c.model_dump(mode="json") for c in calls])
    lesson = learn_from(reviews, calls, load_catalogue())
    (learned,) = lesson.turns
    assert (learned.turn, learned.known, learned.labels) == (turn, (rule,), ())
    assert learned.text == RUDE[RUDE_TURN][1]


def test_the_unmasked_export_is_for_who_may_and_is_written_down(
    service: Service, client: TestClient, recording: str, with_key: Callable[..., TestClient]
) -> None:
    rule, turn = behaviours(service, recording)[0]
    review(client, recording, rule, "confirm", turn=turn)
    query = {"unmasked": True}
    assert "顾海峰" in client.get("/api/v1/reviews/calls", params=query).text
    key = with_key("reviews:write")
    assert key.get("/api/v1/reviews/calls", params=query).status_code == 403
    with transaction(service.reader) as session:
        assert session.scalar(
            select(AuditRow.id).where(AuditRow.action == "review.export_unmasked").limit(1)
        )
