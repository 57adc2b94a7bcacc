"""The client against a real server: what a platform does, from the order to the verdict."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
import uvicorn
from fastapi import FastAPI

from api import client as client_module
from api.access import KEY_SCOPES
from api.accounts import create_key
from api.client import (
    Client,
    InspectionShown,
    OrderShown,
    OrderVerdict,
    Received,
    RecordingShown,
    Refused,
)
from api.database import transaction
from api.service import Service
from qc.errors import QcError
from tests.api.filed import order_of, sound
from tests.api.people import actor_of
from tests.api.receivers import WebReceiver, free_port, web_receiver
from tests.api.workers import workers


@pytest.fixture(scope="module")
def site(app: FastAPI) -> Iterator[str]:
    """The address of the service, served for real."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        threading.Event().wait(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def key(service: Service) -> str:
    with transaction(service.engine) as session:
        return create_key(session, actor_of(service, "admin"), "平台", set(KEY_SCOPES), "")[1]


@pytest.fixture
def platform(site: str, key: str) -> Iterator[Client]:
    with Client(site, key) as made:
        yield made


def test_a_platform_files_an_order_sends_its_recording_and_gets_the_verdict(
    service: Service, platform: Client, tmp_path: Path
) -> None:
    made = platform.create_order(order_of(), {"received_at": "2024-06-11 09:10"})
    order_id = made["order_id"]
    changed = platform.change_order(order_id, {"handler": "陈强"}, version=made["version"])
    assert changed["handler"] == "陈强"
    path = tmp_path / "先行联系.wav"
    path.write_bytes(sound(tmp_path))
    sent = platform.upload(order_id, path, kind="first_contact", made_at="2024-06-11 15:00")
    assert sent["recording"]["file_name"] == "先行联系.wav"
    assert platform.upload(order_id, path)["recording"]["id"] == sent["recording"]["id"]
    with pytest.raises(Refused) as refused:
        platform.inspection(sent["recording"]["id"])
    assert refused.value.kind == "not-inspected"
    with workers(service, 1):
        verdict = platform.wait_for_verdict(order_id, seconds=120)
    assert verdict["status"] == "done" and len(verdict["recordings"]) == 1
    assert verdict["missing"] == ["reply"]


def test_a_verdict_that_does_not_come_is_not_waited_for_for_ever(
    platform: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "POLL_SECONDS", 0.01)
    order_id = platform.create_order(order_of())["order_id"]
    with pytest.raises(TimeoutError, match=order_id):
        platform.wait_for_verdict(order_id, seconds=0.05)


def test_lists_are_read_page_by_page(platform: Client) -> None:
    numbers = {platform.create_order(order_of("翻页科"))["order_id"] for _ in range(5)}
    found = list(platform.orders(department="翻页科", limit=2))
    assert {order["order_id"] for order in found} == numbers and len(found) == 5
    assert list(platform.pages("/notices", limit=1)) is not None
    assert platform.get("/figures", department="没有这个部门")["orders"] == 0


def test_a_refusal_says_why(platform: Client) -> None:
    order = order_of()
    platform.create_order(order)
    with pytest.raises(Refused, match="已经存在") as refused:
        platform.create_order(order)
    assert (refused.value.status, refused.value.kind) == (409, "order-exists")
    with pytest.raises(Refused) as stale:
        platform.change_order(str(order["order_id"]), {"handler": "陈强"}, version=99)
    assert stale.value.status == 412


def test_a_return_visit_is_filed(platform: Client) -> None:
    order_id = platform.create_order(order_of())["order_id"]
    visit = {"at": "2024-06-14 10:00", "satisfaction": "dissatisfied", "cause": "attitude"}
    platform.add_visit(order_id, visit)
    (filed,) = platform.order(order_id)["filing"]["return_visits"]
    assert filed["satisfaction"] == "dissatisfied"


def test_a_busy_service_is_asked_again_with_the_same_key(
    web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    web.answers = [429, 503, {"job": "x"}]
    with Client(web.url.removesuffix("/hook"), "hq_x") as busy:
        assert busy.post("/recordings/x:inspect") == {"job": "x"}
        assert len({headers["idempotency-key"] for headers in web.headers}) == 1
        web.answer = 429
        with pytest.raises(Refused):
            busy.post("/recordings/x:inspect")
    assert [seconds for seconds in waited if seconds][:2] == [1.0, 2.0]  # the server's are 0


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


def test_a_service_that_is_away_is_told_plainly() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with Client(address, "hq_x") as nobody, pytest.raises(QcError, match="连不上服务"):
        nobody.order("x")


@pytest.mark.parametrize(
    "shape", [OrderShown, RecordingShown, Received, OrderVerdict, InspectionShown]
)
def test_the_clients_types_are_those_of_the_documentation(
    app: FastAPI, shape: type, sign_in: Callable[..., object]
) -> None:
    described = app.openapi()["components"]["schemas"][shape.__name__]["properties"]
    assert set(get_type_hints(shape)) == set(described)
