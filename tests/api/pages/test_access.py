"""Who sees which page."""

import re
from collections.abc import Callable
from typing import get_args

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from api.access import ROLES, Role
from api.pages import ROUTERS
from api.service import Service
from tests.api.pages.access_matrix import MATRIX
from tests.api.pages.stored import store_call


def pages() -> set[str]:
    return {
        f"{method} {context.path}"
        for router in ROUTERS
        for context in iter_route_contexts(router.routes)
        for method in getattr(context, "methods", None) or ["GET"]
    }


def ask(client: TestClient, route: str) -> int:
    method, _, path = route.partition(" ")
    address = re.sub(r"\{\w+\}", "0" * 32, path)
    return client.request(method, address, follow_redirects=False).status_code


def test_every_page_is_in_the_matrix() -> None:
    assert pages() == set(MATRIX)


@pytest.mark.parametrize("route", MATRIX)
def test_who_has_not_signed_in_is_asked_to(anonymous: TestClient, route: str) -> None:
    method, _, path = route.partition(" ")
    address = re.sub(r"\{\w+\}", "0" * 32, path)
    answer = anonymous.request(method, address, follow_redirects=False)
    asked = answer.status_code == 303 and answer.headers["location"].startswith("/signin")
    assert asked == (MATRIX[route] != "nothing")


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("route", MATRIX)
def test_a_role_opens_exactly_its_pages(
    sign_in: Callable[..., TestClient], role: Role, route: str
) -> None:
    if route == "POST /signout":
        return
    status, need = ask(sign_in(role), route), MATRIX[route]
    if need in ("nothing", "sign-in") or need in ROLES[role]:
        assert status < 500
        assert status != 403 or route == "GET /orders/upload"
    else:
        assert status == 403


def test_another_departments_call_is_not_there(
    sign_in: Callable[..., TestClient], service: Service
) -> None:
    recording = store_call(service, "foreign-1", department="房管所")
    stranger = sign_in("department", "城管中队")
    for path in (f"/calls/{recording}", "/orders/foreign-1"):
        answer = stranger.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    assert "foreign-1" not in stranger.get("/calls").text
    assert sign_in("department", "房管所").get(f"/calls/{recording}").status_code == 200


def test_a_refusal_is_a_page_that_says_what_to_do(sign_in: Callable[..., TestClient]) -> None:
    answer = sign_in("trainer").get("/admin")
    assert answer.status_code == 403
    assert "联系管理员" in answer.text and "返回上一页" in answer.text


def test_htmx_gets_a_refusal_as_a_note(sign_in: Callable[..., TestClient]) -> None:
    answer = sign_in("inspector").post(
        "/catalogue/try", data={"text": " "}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#told"
    assert "请先写一句话" in answer.text and "<html" not in answer.text


def test_a_form_of_another_site_is_refused(
    sign_in: Callable[..., TestClient],
) -> None:
    client = sign_in("admin")
    client.headers["Origin"] = "https://evil.example"
    assert client.post("/admin/accounts", data={"name": "mallory"}).status_code == 403
