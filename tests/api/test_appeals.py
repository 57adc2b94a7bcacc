"""Departments object to findings on their own orders; somebody else decides."""

from collections.abc import Callable, Iterator
from secrets import token_hex

import pytest
from fastapi.testclient import TestClient

from api.service import Service
from api.tables import OrderRow
from tests.api.heard import add_call, add_order, counted, found_once


@pytest.fixture
def order(service: Service) -> OrderRow:
    """An order of a department of its own, so that figures can be told apart."""
    return add_order(service, department=f"部门{token_hex(4)}")


@pytest.fixture
def recording(service: Service, order: OrderRow) -> str:
    return add_call(service, order)


@pytest.fixture
def appellant(sign_in: Callable[..., TestClient], order: OrderRow) -> Iterator[TestClient]:
    yield sign_in("department", order.department)


def appeal(client: TestClient, recording: str, rule: str, **more: object) -> dict[str, object]:
    wanted = {"recording_id": recording, "rule_id": rule, "grounds": "顾海峰说的不是这个意思"}
    answer = client.post("/api/v1/appeals", json={**wanted, **more})
    return {"status": answer.status_code, **answer.json()}


def decide(client: TestClient, id_: object, decision: str) -> int:
    wanted = {"decision": decision, "answer": "经复听"}
    return client.post(f"/api/v1/appeals/{id_}:decide", json=wanted).status_code


def test_an_appeal_that_is_upheld_overturns_the_finding(
    service: Service,
    appellant: TestClient,
    sign_in: Callable[..., TestClient],
    order: OrderRow,
    recording: str,
) -> None:
    rule, turn = found_once(service, recording)
    made = appeal(appellant, recording, rule, turn=turn)
    assert made["status"] == 201 and "海峰" not in str(made["grounds"])
    inspector = sign_in("inspector")
    open_ones = inspector.get("/api/v1/appeals", params={"open_only": True, "limit": 200})
    assert made["id"] in {item["id"] for item in open_ones.json()["items"]}
    assert decide(inspector, made["id"], "upheld") == 200
    assert rule not in set(counted(service, order).findings["rule"])
    assert decide(inspector, made["id"], "rejected") == 409
    assert appeal(appellant, recording, rule, turn=turn)["status"] == 409


def test_an_appeal_that_is_rejected_changes_nothing(
    service: Service,
    appellant: TestClient,
    sign_in: Callable[..., TestClient],
    order: OrderRow,
    recording: str,
) -> None:
    rule, turn = found_once(service, recording)
    made = appeal(appellant, recording, rule, turn=turn)
    assert decide(sign_in("inspector"), made["id"], "rejected") == 200
    assert rule in set(counted(service, order).findings["rule"])
    shown = appellant.get("/api/v1/appeals").json()["items"]
    assert [(item["decision"], item["answer"]) for item in shown] == [("rejected", "经复听")]


def test_a_department_appeals_on_its_own_orders_only(
    service: Service, sign_in: Callable[..., TestClient], appellant: TestClient, recording: str
) -> None:
    rule, _ = found_once(service, recording)
    assert appeal(sign_in("department", "别的部门"), recording, rule)["status"] == 404
    made = appeal(appellant, recording, rule)
    assert sign_in("department", "别的部门").get("/api/v1/appeals").json()["items"] == []
    assert decide(appellant, made["id"], "upheld") == 403
    assert sign_in("inspector").post("/api/v1/appeals", json={}).status_code == 403


def test_nobody_decides_their_own_appeal(
    service: Service, client: TestClient, recording: str
) -> None:
    rule, _ = found_once(service, recording)
    made = appeal(client, recording, rule)
    assert made["status"] == 201
    assert decide(client, made["id"], "upheld") == 403


def test_an_appeal_against_nothing_is_refused(appellant: TestClient, recording: str) -> None:
    assert appeal(appellant, recording, "bh.leak")["status"] == 422
