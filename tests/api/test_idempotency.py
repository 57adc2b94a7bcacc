"""A POST that is sent again with the same key is done once."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from api.database import now, transaction
from api.idempotency import ABANDONED, KEPT
from api.service import Service
from api.tables import IdempotencyRow, UserRow

PATH = "/api/v1/accounts"


def body(name: str, title: str = "") -> dict[str, str]:
    return {"name": name, "title": title, "role": "trainer", "password": "first-secret-11"}


@pytest.fixture
def name() -> str:
    return f"once.{secrets.token_hex(4)}"


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


def accounts(service: Service, name: str) -> int:
    with transaction(service.reader) as session:
        return session.scalar(select(func.count()).where(UserRow.name == name)) or 0


def test_the_second_answer_is_the_first_one(
    client: TestClient, service: Service, name: str, key: dict[str, str]
) -> None:
    first = client.post(PATH, json=body(name), headers=key)
    second = client.post(PATH, json=body(name), headers=key)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert accounts(service, name) == 1


def test_without_a_key_it_is_done_again(client: TestClient, name: str) -> None:
    assert client.post(PATH, json=body(name)).status_code == 201
    assert client.post(PATH, json=body(name)).status_code == 409


def test_a_key_serves_one_request_only(client: TestClient, name: str, key: dict[str, str]) -> None:
    client.post(PATH, json=body(name), headers=key)
    answer = client.post(PATH, json=body(name, "另一个"), headers=key)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:hotline-qc:key-reused"


def test_a_refused_request_may_be_mended_and_sent_again(
    client: TestClient, name: str, key: dict[str, str]
) -> None:
    assert client.post(PATH, json={"name": name}, headers=key).status_code == 422
    assert client.post(PATH, json=body(name), headers=key).status_code == 201


def test_keys_of_two_people_do_not_meet(
    client: TestClient,
    sign_in: Callable[..., TestClient],
    with_key: Callable[..., TestClient],
    key: dict[str, str],
) -> None:
    path, sentence = "/api/v1/catalogue/try", {"text": ""}
    for asking in (client, sign_in("trainer"), with_key("catalogue:read")):
        answer = asking.post(path, json=sentence, headers=key)
        assert "Idempotent-Replayed" not in answer.headers
        assert answer.json().get("type") != "urn:hotline-qc:key-reused"


def test_at_the_same_time_only_one_is_done(
    client: TestClient, service: Service, name: str, key: dict[str, str]
) -> None:
    def send(_: int) -> int:
        return client.post(PATH, json=body(name), headers=key).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(send, range(6)))
    assert 201 in statuses and set(statuses) <= {201, 409}
    assert accounts(service, name) == 1


def test_an_unfinished_request_holds_its_key_for_a_while(
    client: TestClient, service: Service, name: str, key: dict[str, str]
) -> None:
    client.post(PATH, json=body(name), headers=key)
    unfinished = update(IdempotencyRow).where(IdempotencyRow.key == key["Idempotency-Key"])
    with transaction(service.engine) as session:
        session.execute(unfinished.values(status=None))
    answer = client.post(PATH, json=body(name), headers=key)
    assert answer.status_code == 409 and answer.headers["Retry-After"]
    assert answer.json()["type"] == "urn:hotline-qc:busy"
    with transaction(service.engine) as session:
        session.execute(unfinished.values(created_at=now() - ABANDONED - timedelta(seconds=1)))
    assert client.post(PATH, json=body(name), headers=key).json()["type"].endswith("name-taken")


def test_answers_are_forgotten_after_a_day(
    client: TestClient, service: Service, name: str, key: dict[str, str]
) -> None:
    client.post(PATH, json=body(name), headers=key)
    with transaction(service.engine) as session:
        old = now() - KEPT - timedelta(seconds=1)
        session.execute(update(IdempotencyRow).values(created_at=old))
    assert client.post(PATH, json=body(name), headers=key).status_code == 409


def test_a_new_api_key_is_never_kept(
    client: TestClient, service: Service, name: str, key: dict[str, str]
) -> None:
    wanted = {"name": name, "scopes": ["orders:read"]}
    made = client.post("/api/v1/keys", json=wanted, headers=key).json()["key"]
    with transaction(service.reader) as session:
        assert all(made not in row.body for row in session.scalars(select(IdempotencyRow)))
    assert client.post("/api/v1/keys", json=wanted, headers=key).status_code == 409


@pytest.mark.parametrize("value", ["", "x" * 201, "a\x7fb"])
def test_a_key_that_is_none_is_refused(client: TestClient, value: str) -> None:
    answer = client.post(PATH, json={}, headers={"Idempotency-Key": value})
    assert answer.status_code == 400


def test_nobody_uses_a_key_without_signing_in(anonymous: TestClient, key: dict[str, str]) -> None:
    assert anonymous.post(PATH, json={}, headers=key).status_code == 401
