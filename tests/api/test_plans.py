"""Spot checks over the API: drawn, listened to, summed up; double review is blind."""

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.database import transaction
from api.service import Service
from tests.api.heard import POLITE, RUDE, add_call, add_order
from tests.api.people import account

REVIEWERS = ("inspector", "admin")


@pytest.fixture
def department(service: Service) -> str:
    """A department of ten inspected recordings."""
    name = f"部门{token_hex(4)}"
    for number in range(10):
        order = add_order(service, department=name, handler=f"经办{number % 3}")
        add_call(service, order, RUDE if number % 5 == 0 else POLITE)
    with transaction(service.engine) as session:
        account(session, "inspector")
    return name


def draw(client: TestClient, department: str, **more: Any) -> dict[str, Any]:
    plan = {"title": "六月抽检", "share": 0.5, "seed": 7} | more.pop("plan", {})
    wanted = {"plan": plan, "department": department, **more}
    answer = client.post("/api/v1/plans", json=wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def picks(client: TestClient, plan: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/plans/{plan['id']}/picks", params={"limit": 200, **query})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def judge(client: TestClient, plan: dict[str, Any], pick: dict[str, Any], passed: bool) -> int:
    address = f"/api/v1/plans/{plan['id']}/picks/{pick['id']}"
    return client.put(address, json={"passed": passed}).status_code


def test_a_plan_draws_so_many_and_the_same_again(client: TestClient, department: str) -> None:
    first, second = draw(client, department), draw(client, department)
    assert (first["population"], first["picks"], first["done"]) == (10, 5, 0)
    chosen = [{p["recording_id"] for p in picks(client, plan)} for plan in (first, second)]
    assert chosen[0] == chosen[1] and len(chosen[0]) == 5
    assert all(p["reason"] and 0 < p["probability"] <= 1 for p in picks(client, first))
    assert first["id"] in {p["id"] for p in client.get("/api/v1/plans").json()["items"]}


def test_a_pick_of_nobody_belongs_to_who_judges_it(
    client: TestClient, sign_in: Callable[..., TestClient], department: str
) -> None:
    plan = draw(client, department)
    pick = picks(client, plan)[0]
    inspector = sign_in("inspector")
    assert judge(inspector, plan, pick, False) == 200
    assert judge(inspector, plan, pick, True) == 200  # a slip can be put right
    assert judge(client, plan, pick, True) == 403
    far = client.get(f"/api/v1/plans/{plan['id']}").json()
    assert far["done"] == 1
    assert {"reviewer": "inspector", "done": 1, "picks": 1} in far["reviewers"]
    assert pick["id"] not in {p["id"] for p in picks(inspector, plan, open_only=True)}


def test_results_speak_of_all_calls_with_an_interval(client: TestClient, department: str) -> None:
    plan = draw(client, department)
    chosen = picks(client, plan)
    for number, pick in enumerate(chosen):
        judge(client, plan, pick, number > 0)
    total, of_department = client.get(f"/api/v1/plans/{plan['id']}/results").json()["estimates"]
    assert (total["reviewed"], total["population"]) == (5, 10)
    assert total["low"] < total["rate"] < total["high"] <= 1
    assert of_department["department"] == department


# --- blind double review --------------------------------------------------------------------------


@pytest.fixture
def double(client: TestClient, department: str) -> dict[str, Any]:
    """Every recording is listened to by both."""
    return draw(
        client, department, plan={"share": 1.0}, reviewers=list(REVIEWERS), double_share=1.0
    )


def test_in_a_double_review_nobody_sees_the_others_or_the_machines_verdict_first(
    client: TestClient, sign_in: Callable[..., TestClient], double: dict[str, Any]
) -> None:
    inspector = sign_in("inspector")
    own = picks(inspector, double)
    assert {p["reviewer"] for p in own} == {"inspector"} and len(own) == 10
    assert all(p["blind"] and not p["reason"] for p in own)
    pick = own[0]
    reviews = f"/api/v1/recordings/{pick['recording_id']}/reviews"
    answer = inspector.get(reviews)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:hotline-qc:blind")
    (other,) = [p for p in picks(client, double) if p["recording_id"] == pick["recording_id"]]
    assert judge(client, double, other, True) == 200
    assert {p["reviewer"] for p in picks(inspector, double)} == {"inspector"}
    assert judge(inspector, double, pick, False) == 200
    assert inspector.get(reviews).status_code == 200
    assert {p["reviewer"] for p in picks(inspector, double) if p["done_at"]} == set(REVIEWERS)
    assert judge(inspector, double, pick, True) == 409
    results = client.get(f"/api/v1/plans/{double['id']}/results").json()
    assert results["disputed"] == [pick["recording_id"]]


def test_agreement_is_told_between_people_and_with_the_machine(
    client: TestClient, sign_in: Callable[..., TestClient], double: dict[str, Any]
) -> None:
    inspector, trainer = sign_in("inspector"), sign_in("trainer")
    address = f"/api/v1/plans/{double['id']}/results"
    machine = {}
    for person in (client, inspector):
        for pick in picks(person, double, mine=True):
            recording = pick["recording_id"]
            if recording not in machine:
                blind = person.get(f"/api/v1/recordings/{recording}/inspection")
                assert blind.status_code == 403
                found = trainer.get(f"/api/v1/recordings/{recording}/inspection")
                machine[recording] = found.json().get("score", 0) >= 60
            assert judge(person, double, pick, machine[recording]) == 200
    found = client.get(address).json()
    pairs = {(one["one"], one["other"]): one for one in found["agreements"]}
    assert pairs["admin", "inspector"]["compared"] == 10
    assert pairs["admin", "inspector"]["agreed"] == 10
    assert {pair[1] for pair in pairs} == {"inspector", "机器"}
    assert pairs["admin", "机器"]["agreed"] == 10
    assert found["disputed"] == []


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"plan": {"title": "x"}}, "share"),
        ({"plan": {"share": 0.1, "precision": 0.1}}, "share"),
        ({"plan": {"precision": 1e-200}}, "precision"),
        ({"plan": {"share": 0.1}, "department": "没有这个部门"}, "没有可抽的录音"),
        ({"plan": {"share": 0.1}, "reviewers": ["nobody"]}, "没有名为 nobody"),
        ({"plan": {"share": 0.1}, "reviewers": ["admin"], "double_share": 0.5}, "两个人"),
        ({"plan": {"share": 0.1}, "reviewers": ["department.城管中队"]}, "没有名为"),
    ],
)
def test_a_plan_that_cannot_be_drawn_is_refused(
    client: TestClient, department: str, wanted: dict[str, Any], says: str
) -> None:
    answer = client.post("/api/v1/plans", json=wanted)
    assert answer.status_code == 422 and says in answer.json()["detail"]


def test_a_reviewer_who_has_left_gets_nothing(
    client: TestClient, service: Service, department: str
) -> None:
    with transaction(service.engine) as session:
        account(session, "inspector").active = False
    wanted = {"plan": {"share": 0.5}, "department": department, "reviewers": ["inspector"]}
    assert client.post("/api/v1/plans", json=wanted).status_code == 422
    with transaction(service.engine) as session:
        account(session, "inspector").active = True
