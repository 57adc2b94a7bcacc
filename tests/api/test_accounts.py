"""Accounts, passwords, sign-ins and keys, through the API."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.access import COOKIE
from api.app import create_app
from api.database import transaction
from api.service import Service, open_service
from api.tables import ApiKeyRow, SignInRow, UserRow
from tests.api.people import PASSWORD, SITE, settings_for

INITIAL, CHOSEN = "first-secret-11", "my-own-secret-22"


def add_account(client: TestClient, **changes: object) -> str:
    """A new account's name."""
    name = f"person.{secrets.token_hex(3)}"
    wanted = {"name": name, "role": "inspector", "password": INITIAL, **changes}
    answer = client.post("/api/v1/accounts", json=wanted)
    assert answer.status_code == 201, answer.text
    return name


def browser(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=SITE, headers={"Origin": SITE})


def log_in(client: TestClient, name: str, password: str) -> int:
    credentials = {"name": name, "password": password}
    return client.post("/api/v1/session", json=credentials).status_code


def test_the_first_admin_has_the_password_of_the_settings(app: FastAPI) -> None:
    client = browser(app)
    assert log_in(client, "admin", PASSWORD) == 200
    me = client.get("/api/v1/session").json()
    assert (me["role"], me["must_change"]) == ("admin", False)


def test_without_a_setting_the_first_password_is_random_and_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    settings = settings_for(tmp_path, url, admin_password=None)
    service = open_service(settings)
    shown = capsys.readouterr().err
    password = shown.split("初始密码：")[1].split()[0]
    assert len(password) >= 12
    open_service(settings)
    assert "初始密码" not in capsys.readouterr().err
    client = browser(create_app(service))
    assert log_in(client, "admin", password) == 200
    assert client.get("/api/v1/accounts").json()["type"] == "urn:hotline-qc:password-change-needed"


def test_an_initial_password_must_be_changed_before_anything_else(
    app: FastAPI, client: TestClient
) -> None:
    name = add_account(client)
    person = browser(app)
    assert log_in(person, name, INITIAL) == 200
    assert person.get("/api/v1/catalogue/profiles").status_code == 403
    change = {"old": INITIAL, "new": CHOSEN}
    assert person.put("/api/v1/session/password", json=change).status_code == 204
    assert person.get("/api/v1/catalogue/profiles").status_code == 200
    assert log_in(browser(app), name, INITIAL) == 401
    assert log_in(browser(app), name, CHOSEN) == 200


def test_changing_the_password_ends_the_other_sign_ins(app: FastAPI, client: TestClient) -> None:
    name = add_account(client)
    here, elsewhere = browser(app), browser(app)
    assert log_in(here, name, INITIAL) == log_in(elsewhere, name, INITIAL) == 200
    assert here.put("/api/v1/session/password", json={"old": INITIAL, "new": CHOSEN}).is_success
    assert here.get("/api/v1/session").status_code == 200
    assert elsewhere.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "admin-admin-admin"])
def test_a_weak_password_is_refused(client: TestClient, password: str) -> None:
    change = {"old": PASSWORD, "new": password}
    answer = client.put("/api/v1/session/password", json=change)
    assert answer.status_code == 422
    assert "密码" in answer.json()["detail"] or "new" in answer.json()["detail"]


def test_the_old_password_must_be_right(client: TestClient) -> None:
    change = {"old": "not-my-password", "new": CHOSEN}
    assert client.put("/api/v1/session/password", json=change).status_code == 422


def test_signing_out_ends_the_sign_in_on_the_server(app: FastAPI) -> None:
    client = browser(app)
    log_in(client, "admin", PASSWORD)
    cookie = client.cookies[COOKIE]
    assert client.delete("/api/v1/session").status_code == 204
    stolen = TestClient(app, base_url=SITE, cookies={COOKIE: cookie})
    assert stolen.get("/api/v1/session").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: FastAPI) -> None:
    credentials = {"name": "admin", "password": PASSWORD}
    answer = browser(app).post("/api/v1/session", json=credentials)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie


def test_no_secret_is_stored_as_it_is(app: FastAPI, client: TestClient, service: Service) -> None:
    person = browser(app)
    log_in(person, "admin", PASSWORD)
    made = client.post("/api/v1/keys", json={"name": "平台-存", "scopes": ["orders:read"]}).json()
    with transaction(service.reader) as session:
        stored = [row.id_hash for row in session.scalars(select(SignInRow))]
        stored += [row.hash for row in session.scalars(select(ApiKeyRow))]
        passwords = [row.password_hash for row in session.scalars(select(UserRow))]
    assert person.cookies[COOKIE] not in stored and made["key"] not in stored
    assert all(stored_hash.startswith("$argon2id$") for stored_hash in passwords)


def test_an_account_that_is_not_there_takes_as_long_as_a_wrong_password(app: FastAPI) -> None:
    def seconds(name: str) -> float:
        spent = []
        for _ in range(2):
            started = time.perf_counter()
            assert log_in(browser(app), name, "wrong-password-1") == 401
            spent.append(time.perf_counter() - started)
        return min(spent)

    log_in(browser(app), "nobody-at-all", "wrong-password-1")
    known, unknown = seconds("admin"), seconds("nobody-at-all")
    assert unknown > known / 3


def test_a_deactivated_account_is_out_at_once(app: FastAPI, client: TestClient) -> None:
    name = add_account(client)
    person = browser(app)
    assert log_in(person, name, INITIAL) == 200
    assert client.patch(f"/api/v1/accounts/{name}", json={"active": False}).status_code == 200
    assert person.get("/api/v1/session").status_code == 401
    assert log_in(person, name, INITIAL) == 401


def test_a_reset_password_ends_sign_ins_and_must_be_changed(
    app: FastAPI, client: TestClient
) -> None:
    name = add_account(client)
    person = browser(app)
    log_in(person, name, INITIAL)
    reset = client.put(f"/api/v1/accounts/{name}/password", json={"password": CHOSEN})
    assert reset.status_code == 204
    assert person.get("/api/v1/session").status_code == 401
    assert log_in(person, name, CHOSEN) == 200
    assert person.get("/api/v1/session").json()["must_change"]


def test_the_last_admin_cannot_be_removed(client: TestClient) -> None:
    for change in ({"active": False}, {"role": "auditor"}):
        answer = client.patch("/api/v1/accounts/admin", json=change)
        assert answer.status_code == 409
    assert client.get("/api/v1/accounts/admin").json()["role"] == "admin"


def test_an_account_of_a_department_names_it(client: TestClient) -> None:
    wanted = {"name": "no.department", "role": "department", "password": INITIAL}
    assert client.post("/api/v1/accounts", json=wanted).status_code == 422
    name = add_account(client, role="department", department="城管中队")
    answer = client.patch(f"/api/v1/accounts/{name}", json={"department": " "})
    assert answer.status_code == 422


def test_a_name_is_taken_once(client: TestClient) -> None:
    name = add_account(client)
    again = {"name": name, "role": "inspector", "password": INITIAL}
    assert client.post("/api/v1/accounts", json=again).status_code == 409


def test_an_account_cannot_pose_as_a_key(client: TestClient) -> None:
    posing = {"name": "key:平台", "role": "inspector", "password": INITIAL}
    assert client.post("/api/v1/accounts", json=posing).status_code == 422


def test_the_list_of_accounts_comes_in_pages(client: TestClient) -> None:
    made = {add_account(client) for _ in range(3)}
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        query = {"limit": 2, "after": after} if after else {"limit": 2}
        page = client.get("/api/v1/accounts", params=query).json()
        assert len(page["items"]) <= 2
        seen += [item["name"] for item in page["items"]]
        after = page["next"]
    assert made <= set(seen) and len(seen) == len(set(seen))
    assert "password" not in client.get("/api/v1/accounts").text


def test_too_many_sign_in_attempts_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'few.db'}"
    service = open_service(settings_for(tmp_path, url, logins_per_minute=3))
    client = browser(create_app(service))
    statuses = [log_in(client, "admin", "wrong-password-1") for _ in range(6)]
    assert statuses[:3] == [401] * 3
    assert 429 in statuses[3:]
    if statuses[-1] == 429:
        assert log_in(client, "admin", PASSWORD) == 429


def test_a_key_is_shown_once_and_can_be_revoked(app: FastAPI, client: TestClient) -> None:
    wanted = {"name": "工单平台", "scopes": ["catalogue:read"]}
    made = client.post("/api/v1/keys", json=wanted).json()
    assert made["key"].startswith("hq_")
    system = TestClient(app, base_url=SITE, headers={"Authorization": f"Bearer {made['key']}"})
    assert system.get("/api/v1/catalogue/profiles").status_code == 200
    assert made["key"] not in client.get("/api/v1/keys").text
    assert client.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    assert system.get("/api/v1/catalogue/profiles").status_code == 401
    assert client.post("/api/v1/keys", json=wanted).status_code == 409


def test_a_key_never_manages_accounts(client: TestClient) -> None:
    wanted = {"name": "too-strong", "scopes": ["admin"]}
    answer = client.post("/api/v1/keys", json=wanted)
    assert answer.status_code == 422
    assert "admin" in answer.json()["detail"]


def test_what_is_done_to_accounts_and_keys_is_in_the_audit_log(
    app: FastAPI, client: TestClient, sign_in: Callable[..., TestClient]
) -> None:
    name = add_account(client)
    client.patch(f"/api/v1/accounts/{name}", json={"role": "trainer"})
    client.put(f"/api/v1/accounts/{name}/password", json={"password": CHOSEN})
    log_in(browser(app), name, "wrong-password-1")
    log_in(browser(app), name, CHOSEN)
    entries = sign_in("auditor").get("/api/v1/audit", params={"subject": name}).json()["items"]
    assert [(entry["actor"], entry["action"]) for entry in reversed(entries)] == [
        ("admin", "account.create"),
        ("admin", "account.change"),
        ("admin", "account.reset_password"),
        ("system", "session.refuse"),
        (name, "session.open"),
    ]
