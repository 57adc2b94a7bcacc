"""Recordings over HTTP: arriving, being fetched, being listened to, being deleted."""

import base64
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.database import transaction
from api.fetching import RefusedAddress, resolve
from api.ranges import Span, wanted_span
from api.service import Service
from api.tables import RecordingRow
from tests.api.filed import new_order, sound
from tests.api.people import SITE


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    return sound(tmp_path)


def post(client: TestClient, order_id: str, data: bytes, **more: object):
    return client.post(f"/api/v1/orders/{order_id}/recordings", content=data, **more)  # type: ignore[arg-type]


def test_a_recording_is_stored_and_queued(client: TestClient, service: Service, wav: bytes) -> None:
    order_id = new_order(client)
    answer = post(
        client,
        order_id,
        wav,
        params={
            "file_name": "联系.wav",
            "kind": "first_contact",
            "made_at": "2024-06-11 14:20",
        },
    )
    assert answer.status_code == 201
    shown = answer.json()["recording"]
    assert shown["sha256"] == hashlib.sha256(wav).hexdigest()
    assert (shown["status"], shown["kind"], shown["size"]) == ("queued", "first_contact", len(wav))
    assert shown["made_at"] == "2024-06-11T14:20:00+08:00"
    with transaction(service.reader) as session:
        path = session.get_one(RecordingRow, shown["id"]).path
    assert b"".join(service.store.read(path)) == wav
    assert "联系" not in path
    job = client.get(f"/api/v1/jobs/{answer.json()['job']}").json()
    assert (job["status"], job["recording_id"]) == ("queued", shown["id"])


def test_a_recording_may_come_in_a_form(client: TestClient, wav: bytes) -> None:
    order_id = new_order(client)
    answer = client.post(
        f"/api/v1/orders/{order_id}/recordings", files={"file": ("回复.wav", wav, "audio/wav")}
    )
    assert answer.status_code == 201
    assert answer.json()["recording"]["file_name"] == "回复.wav"
    other = client.post(f"/api/v1/orders/{order_id}/recordings", files={"sound": wav})
    assert other.status_code == 422
    assert client.post(f"/api/v1/orders/{order_id}/recordings", json={}).status_code == 415


def test_the_same_bytes_twice_are_one_recording(client: TestClient, wav: bytes) -> None:
    order_id = new_order(client)
    first, second = post(client, order_id, wav), post(client, order_id, wav)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["recording"]["id"] == first.json()["recording"]["id"]
    assert len(client.get(f"/api/v1/orders/{order_id}/recordings").json()) == 1


def test_one_recording_for_two_orders_is_kept_and_flagged(client: TestClient, wav: bytes) -> None:
    one, two = new_order(client), new_order(client)
    first, second = post(client, one, wav), post(client, two, wav)
    assert (first.status_code, second.status_code) == (201, 201)
    for order_id, other in ((one, two), (two, one)):
        recording = client.get(f"/api/v1/orders/{order_id}/recordings").json()[0]
        assert recording["notes"] == [f"同一录音用于两个工单，另见 {other}"]
        verdict = client.get(f"/api/v1/orders/{order_id}/inspection").json()
        assert verdict["notes"] == [f"同一录音用于两个工单，另见 {other}"]


def test_a_checksum_is_compared_in_either_header(client: TestClient, wav: bytes) -> None:
    order_id, digest = new_order(client), hashlib.sha256(wav)
    coded = base64.b64encode(digest.digest()).decode()
    wrong = post(client, order_id, wav, headers={"X-Checksum-SHA256": "0" * 64})
    assert wrong.status_code == 422
    assert client.get(f"/api/v1/orders/{order_id}/recordings").json() == []
    bad = post(client, order_id, wav, headers={"Content-Digest": "sha-256=:!!:"})
    assert bad.status_code == 400
    right = {"Content-Digest": f"sha-256=:{coded}:", "X-Checksum-SHA256": digest.hexdigest()}
    assert post(client, order_id, wav, headers=right).status_code == 201


def test_an_empty_recording_and_one_above_the_limit_are_refused(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = new_order(client)
    assert post(client, order_id, b"").status_code == 422
    monkeypatch.setattr(service.settings, "max_upload_mb", 1)
    assert post(client, order_id, bytes(1 << 20) + b"1").status_code == 413
    assert service.store.paths("incoming") == []


def test_a_full_queue_asks_to_come_again_and_takes_nothing(
    client: TestClient, service: Service, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = new_order(client)
    monkeypatch.setattr(service.queue, "_max_queued", 0)
    answer = post(client, order_id, wav)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert client.get(f"/api/v1/orders/{order_id}/recordings").json() == []


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        (None, 200, slice(None)),
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=1000-", 206, slice(1000, None)),
        ("bytes=-50", 206, slice(-50, None)),
        ("bytes=5-1", 200, slice(None)),
        ("bytes=0-1,5-9", 200, slice(None)),
        ("bytes=99999999-", 416, None),
    ],
)
def test_a_player_may_ask_for_a_part(
    client: TestClient, wav: bytes, header: str | None, status: int, part: slice | None
) -> None:
    recording = post(client, new_order(client), wav).json()["recording"]["id"]
    answer = client.get(
        f"/api/v1/recordings/{recording}/audio", headers={"Range": header} if header else {}
    )
    assert answer.status_code == status
    if part is not None:
        assert answer.content == wav[part]


def test_a_part_is_named_by_its_place_in_the_file() -> None:
    assert wanted_span("bytes=0-0", 10) == Span(0, 1)
    assert wanted_span("bytes=3-999", 10) == Span(3, 10)
    assert wanted_span("chunks=1-2", 10) is None


def test_every_listening_is_written_down_once(client: TestClient, wav: bytes) -> None:
    recording = post(client, new_order(client), wav).json()["recording"]["id"]
    for start in (0, 100, 200):
        client.get(f"/api/v1/recordings/{recording}/audio", headers={"Range": f"bytes={start}-"})
    log = client.get("/api/v1/audit", params={"subject": recording}).json()["items"]
    assert [row["action"] for row in log].count("recording.listen") == 1


def test_a_deleted_recording_is_silent_and_may_come_back(
    client: TestClient, sign_in: Callable[..., TestClient], service: Service, wav: bytes
) -> None:
    order_id = new_order(client)
    taken = post(client, order_id, wav).json()
    address = f"/api/v1/recordings/{taken['recording']['id']}"
    assert sign_in("department").delete(address).status_code == 403
    assert client.delete(address).status_code == 409  # it is being inspected
    client.post(f"/api/v1/jobs/{taken['job']}:cancel")
    assert client.delete(address).status_code == 204
    assert client.get(f"{address}/audio").status_code == 404
    assert client.get(address).json()["deleted"]
    back = post(client, order_id, wav)
    assert back.status_code == 201
    assert client.get(f"{address}/audio").content == wav


def test_another_departments_recording_does_not_exist(
    client: TestClient, sign_in: Callable[..., TestClient], wav: bytes
) -> None:
    order_id = new_order(client, "水务所")
    recording = post(client, order_id, wav).json()["recording"]["id"]
    others = sign_in("department", "绿化所")
    assert others.get(f"/api/v1/recordings/{recording}").status_code == 404
    assert others.get(f"/api/v1/recordings/{recording}/audio").status_code == 404
    assert post(others, order_id, wav).status_code == 404
    assert sign_in("department", "水务所").get(f"/api/v1/recordings/{recording}/audio").content


class Origin(BaseHTTPRequestHandler):
    """Gives a recording at /call.wav and sends the browser elsewhere at /away."""

    data = b""
    away = ""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", self.away)
            self.end_headers()
            return
        self.send_response(200 if self.path == "/call.wav" else 404)
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin(wav: bytes) -> Iterator[tuple[str, type[Origin]]]:
    handler = type("Handler", (Origin,), {"data": wav})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetching(
    app: FastAPI, client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> TestClient:
    """A client of a service that may fetch from this machine."""
    monkeypatch.setattr(service.settings, "upload_hosts", ("127.0.0.0/8",))
    return client


def fetch(client: TestClient, order_id: str, url: str, **more: str):
    return client.post(f"/api/v1/orders/{order_id}/recordings:fetch", json={"url": url, **more})


def test_a_recording_is_fetched_from_an_allowed_address(
    fetching: TestClient, origin: tuple[str, type[Origin]], wav: bytes
) -> None:
    order_id = new_order(fetching)
    digest = hashlib.sha256(wav).hexdigest()
    answer = fetch(fetching, order_id, f"{origin[0]}/call.wav", sha256=digest)
    assert answer.status_code == 201, answer.text
    shown = answer.json()["recording"]
    assert (shown["file_name"], shown["sha256"]) == ("call.wav", digest)
    assert fetch(fetching, order_id, f"{origin[0]}/gone.wav").status_code == 422


def test_nothing_is_fetched_from_an_address_that_is_not_listed(
    client: TestClient, origin: tuple[str, type[Origin]]
) -> None:
    answer = fetch(client, new_order(client), f"{origin[0]}/call.wav")
    assert answer.status_code == 422
    assert "HOTLINE_QC_UPLOAD_HOSTS" in answer.json()["detail"]


def test_a_redirect_to_another_host_is_not_followed(
    fetching: TestClient, origin: tuple[str, type[Origin]]
) -> None:
    origin[1].away = "http://169.254.169.254/latest/meta-data"
    answer = fetch(fetching, new_order(fetching), f"{origin[0]}/away")
    assert answer.status_code == 422
    assert "169.254.169.254" in answer.json()["detail"]


def test_a_listed_name_with_an_inner_address_is_refused_unless_that_is_listed() -> None:
    import httpx

    place = httpx.URL("http://localhost/call.wav")
    with pytest.raises(RefusedAddress, match="内部地址"):
        resolve(place, ["localhost"])
    assert str(resolve(place, ["localhost", "127.0.0.1", "::1"])) in ("127.0.0.1", "::1")


@pytest.mark.parametrize("url", ["ftp://a/b", "http://user:pw@a/b", "http:///b", "http://[::1"])
def test_an_odd_address_is_refused(fetching: TestClient, url: str) -> None:
    assert fetch(fetching, new_order(fetching), url).status_code == 422


def test_a_large_recording_streams_through_a_real_server(
    service: Service, with_key: Callable[..., TestClient], tmp_path: Path
) -> None:
    """A body of chunks without a length, over a socket, as curl sends it."""
    import httpx
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(create_app(service), port=_free_port(), log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    key_client = with_key()
    order_id = new_order(key_client)
    whole = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for i in range(40):
            piece = bytes([i]) * (1 << 20)
            whole.update(piece)
            yield piece

    with httpx.Client(trust_env=False) as browser:
        answer = browser.post(
            f"http://127.0.0.1:{server.config.port}/api/v1/orders/{order_id}/recordings",
            content=pieces(),
            headers={"Authorization": key_client.headers["authorization"], "Origin": SITE},
            timeout=60,
        )
    server.should_exit = True
    thread.join(10)
    assert answer.status_code == 201
    assert answer.json()["recording"]["sha256"] == whole.hexdigest()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
