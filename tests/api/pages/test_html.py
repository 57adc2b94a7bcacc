"""What all pages keep to: no foreign address, no script in the page, labels."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.pages.rendering import STATIC
from api.service import Service
from tests.api.pages.access_matrix import MATRIX
from tests.api.pages.stored import store_call

LISTS = sorted(
    path
    for method, path in (route.split(" ") for route in MATRIX)
    if method == "GET" and "{" not in path
)


@pytest.fixture
def addresses(service: Service) -> list[str]:
    call = store_call(service, "html-1")
    return [*LISTS, f"/calls/{call}", "/orders/html-1"]


def test_every_page_opens(client: TestClient, addresses: list[str]) -> None:
    for address in addresses:
        assert client.get(address).status_code == 200, address


def test_no_page_asks_another_server(
    client: TestClient, service: Service, addresses: list[str]
) -> None:
    for address in addresses:
        page = client.get(address).text.replace(service.settings.site, "")
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page), address


def test_no_page_needs_a_script_that_the_policy_stops(
    client: TestClient, addresses: list[str]
) -> None:
    for address in addresses:
        page = client.get(address).text
        scripts = re.findall(r"<script([^>]*)>", page)
        assert all("src=" in s or "application/json" in s for s in scripts), address
        assert not re.findall(r"\son\w+=", re.sub(r"<style.*?</style>", "", page, flags=re.S))


def test_files_are_served_and_may_be_kept(anonymous: TestClient) -> None:
    for file in STATIC.rglob("*.*"):
        answer = anonymous.get(f"/static/{file.relative_to(STATIC).as_posix()}")
        assert answer.status_code == 200, file
        assert "no-store" not in answer.headers.get("cache-control", "")


def test_every_library_has_its_licence_beside_it() -> None:
    folders = [folder for folder in (STATIC / "vendor").iterdir() if folder.is_dir()]
    assert folders
    for folder in folders:
        assert any(file.name.startswith("LICENSE") for file in folder.iterdir()), folder


def test_static_files_lie_nowhere_else(anonymous: TestClient) -> None:
    assert anonymous.get("/static/../rendering.py").status_code == 404
    assert anonymous.get("/static/%2e%2e/rendering.py").status_code == 404
    assert Path(STATIC / "../rendering.py").exists()


def test_the_menu_offers_what_the_role_may_open(sign_in: Callable[..., TestClient]) -> None:
    for role in ("inspector", "department", "trainer", "auditor"):
        client = sign_in(role)
        menu = re.search(r"<nav aria-label=\"主菜单\">.*?</nav>", client.get("/today").text, re.S)
        assert menu
        for address in re.findall(r'href="([^"]+)"', menu[0]):
            assert client.get(address).status_code == 200, (role, address)
