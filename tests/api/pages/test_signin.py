"""Signing in by the page."""

import pytest
from fastapi.testclient import TestClient

from api.accounts import create_account
from api.database import transaction
from api.service import Service
from tests.api.people import PASSWORD, SITE

HERE = {"Origin": SITE}


def sign_in(client: TestClient, **fields: str):
    return client.post("/signin", data=fields, headers=HERE, follow_redirects=False)


def test_the_right_password_opens_the_page_that_was_asked_for(anonymous: TestClient) -> None:
    asked = anonymous.get("/orders", follow_redirects=False)
    assert asked.headers["location"] == "/signin?next=%2Forders"
    answer = sign_in(anonymous, name="admin", password=PASSWORD, next="/orders")
    assert (answer.status_code, answer.headers["location"]) == (303, "/orders")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert anonymous.get("/orders").status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "admin", "password": "wrong"}, "账号或密码不对"),
        ({"name": "", "password": ""}, "请填写账号和密码"),
        ({}, "请填写账号和密码"),
    ],
)
def test_a_wrong_sign_in_is_told_on_the_page(
    anonymous: TestClient, fields: dict[str, str], said: str
) -> None:
    answer = sign_in(anonymous, **fields)
    assert answer.status_code in (401, 422)
    assert said in answer.text and "<form" in answer.text


@pytest.mark.parametrize("there", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(anonymous: TestClient, there: str) -> None:
    answer = sign_in(anonymous, name="admin", password=PASSWORD, next=there)
    assert answer.headers["location"] == "/today"


def test_an_initial_password_must_be_changed_first(anonymous: TestClient, service: Service) -> None:
    with transaction(service.engine) as session:
        create_account(session, "test", "new.one", PASSWORD, "inspector")
    answer = sign_in(anonymous, name="new.one", password=PASSWORD)
    assert answer.headers["location"] == "/password"
    assert anonymous.get("/orders", follow_redirects=False).headers["location"] == "/password"
    form = {"old": PASSWORD, "new": "another-horse-8", "again": "other"}
    assert "不一样" in anonymous.post("/password", data=form, headers=HERE).text
    form["again"] = form["new"]
    changed = anonymous.post("/password", data=form, headers=HERE, follow_redirects=False)
    assert changed.status_code == 303
    assert anonymous.get("/orders").status_code == 200


def test_signing_out_ends_it(anonymous: TestClient) -> None:
    sign_in(anonymous, name="admin", password=PASSWORD)
    cookie = anonymous.cookies["hotline_qc"]
    anonymous.post("/signout", headers=HERE, follow_redirects=False)
    anonymous.cookies.set("hotline_qc", cookie)
    assert anonymous.get("/today", follow_redirects=False).status_code == 303
