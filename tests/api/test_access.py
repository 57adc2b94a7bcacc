"""Who gets in where: every role on every route."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from api.access import COOKIE, KEY_SCOPES, ROLES, Actor, Role, visible
from api.app import create_app
from api.database import now, transaction
from api.service import Service, open_service
from api.tables import OrderRow, SignInRow
from tests.api.access_matrix import MATRIX
from tests.api.pages.access_matrix import MATRIX as PAGES
from tests.api.people import SITE, actor_of, open_session, settings_for

REFUSED = (401, 403)


def routes_of(app: FastAPI) -> set[str]:
    return {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in (getattr(context, "methods", None) or ["GET"])
        if method != "HEAD"
    }


def ask(client: TestClient, route: str) -> int:
    """Ask a route with made-up ids and an empty body; 401 also where a page asks to sign in."""
    method, _, path = route.partition(" ")
    body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    address = re.sub(r"\{\w+(:\w+)?\}", "none", path)
    answer = client.request(method, address, follow_redirects=False, **body)
    sent_to_sign_in = answer.headers.get("location", "").startswith("/signin?")
    return 401 if sent_to_sign_in else answer.status_code


def test_every_route_is_in_the_matrix(app: FastAPI) -> None:
    assert routes_of(app) - set(PAGES) - {"GET /static"} == set(MATRIX)


@pytest.mark.parametrize("route", MATRIX)
def test_nobody_gets_in_without_signing_in(anonymous: TestClient, route: str) -> None:
    status = ask(anonymous, route)
    assert (status == 401) == (MATRIX[route] != "nothing")


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("route", MATRIX)
def test_a_role_gets_in_exactly_where_it_may(
    sign_in: Callable[..., TestClient], role: Role, route: str
) -> None:
    need = MATRIX[route]
    status = ask(sign_in(role), route)
    if need in ("nothing", "sign-in") or need in ROLES[role]:
        assert status not in REFUSED or route.startswith("POST /api/v1/session")
    else:
        assert status == 403


@pytest.mark.parametrize("route", [r for r, need in MATRIX.items() if need in KEY_SCOPES])
def test_a_key_opens_what_its_scope_names_and_nothing_else(
    with_key: Callable[..., TestClient], route: str
) -> None:
    need = MATRIX[route]
    assert ask(with_key(need), route) not in REFUSED
    assert ask(with_key(*(KEY_SCOPES - {need})), route) == 403


@pytest.mark.parametrize("route", [r for r, need in MATRIX.items() if need == "admin"])
def test_no_key_manages_accounts(with_key: Callable[..., TestClient], route: str) -> None:
    assert ask(with_key(), route) == 403


def test_a_role_without_the_sound_of_calls_sees_nothing_unmasked() -> None:
    for role, permissions in ROLES.items():
        assert "recordings:read" in permissions or "unmasked:read" not in permissions, role
    assert "unmasked:read" not in ROLES["department"]


def test_a_department_sees_only_its_own_orders(service: Service) -> None:
    with transaction(service.engine) as session:
        for order_id, department in (("own-1", "城管中队"), ("other-1", "房管办")):
            session.add(
                OrderRow(order_id=order_id, profile="weifang", department=department, order={})
            )

    def seen_by(actor: Actor) -> set[str]:
        with transaction(service.reader) as session:
            rows = visible(select(OrderRow), actor, OrderRow.department)
            return {row.order_id for row in session.scalars(rows)}

    assert seen_by(actor_of(service, "department")) == {"own-1"}
    assert seen_by(actor_of(service, "inspector")) == {"own-1", "other-1"}


def test_a_write_from_another_site_is_refused(app: FastAPI, service: Service) -> None:
    cookies = {COOKIE: open_session(service, "inspector")}
    client = TestClient(app, base_url=SITE, cookies=cookies)
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = client.post("/api/v1/catalogue/try", json={}, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:hotline-qc:foreign-origin"
    own = client.post("/api/v1/catalogue/try", json={}, headers={"Origin": SITE})
    assert own.status_code == 422
    assert client.get("/api/v1/session").status_code == 200


def test_a_key_needs_no_origin(with_key: Callable[..., TestClient]) -> None:
    client = with_key("catalogue:read")
    assert client.post("/api/v1/catalogue/try", json={}).status_code == 422


def test_a_sign_in_ends_when_its_time_is_up(app: FastAPI, service: Service) -> None:
    client = TestClient(app, base_url=SITE, cookies={COOKIE: open_session(service, "trainer")})
    assert client.get("/api/v1/session").status_code == 200
    with transaction(service.engine) as session:
        session.execute(update(SignInRow).values(expires_at=now() - timedelta(seconds=1)))
    assert client.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize("header", ["Bearer hq_wrong", "Bearer ", "Basic YTpi", "hq_wrong"])
def test_a_wrong_key_is_refused(anonymous: TestClient, header: str) -> None:
    answer = anonymous.get("/api/v1/session", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'few.db'}"
    service = open_service(settings_for(tmp_path, url, requests_per_minute=3))
    cookies = {COOKIE: open_session(service, "admin")}
    client = TestClient(create_app(service), base_url=SITE, cookies=cookies)
    answers = [client.get("/api/v1/session") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:3]] == [200] * 3
    assert refused and 1 <= int(refused[0].headers["Retry-After"]) <= 60
    assert refused[0].headers["content-type"] == "application/problem+json"
