"""Every error is a problem in Chinese, and none shows how the program works."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm.exc import StaleDataError

from api.app import create_app
from api.body_limit import MAX_BODY
from api.problems import MEDIA_TYPE, ProblemBody
from api.service import Service
from qc.errors import AudioError
from tests.api.people import SITE


def check(answer, status: int) -> ProblemBody:  # type: ignore[no-untyped-def]
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = ProblemBody.model_validate(answer.json())
    assert body.status == status and body.title and body.detail
    assert body.request_id == answer.headers["X-Request-ID"]
    assert "Traceback" not in answer.text and ".py" not in answer.text
    return body


def test_an_address_that_is_not_there(anonymous: TestClient) -> None:
    check(anonymous.get("/nowhere"), 404)


def test_a_method_that_is_not_there(anonymous: TestClient) -> None:
    check(anonymous.put("/health"), 405)


def test_a_body_that_is_no_json(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/accounts", content="{", headers={"Content-Type": "application/json"}
    )
    assert "JSON" in check(answer, 400).detail


def test_every_wrong_field_is_named(client: TestClient) -> None:
    answer = client.post("/api/v1/accounts", json={"name": "x", "role": "king"})
    body = check(answer, 422)
    places = {flaw.place: flaw.reason for flaw in body.errors}
    assert set(places) == {"body.name", "body.role", "body.password"}
    assert places["body.password"] == "缺少这一项"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(anonymous: TestClient) -> None:
    megabyte = b" " * (1 << 20)
    kind = {"Content-Type": "application/json"}

    def without_length() -> Iterator[bytes]:
        for _ in range(MAX_BODY // len(megabyte) + 1):
            yield megabyte

    told = {**kind, "Content-Length": str(MAX_BODY + 1)}
    check(anonymous.post("/api/v1/session", content=b"{}", headers=told), 413)
    check(anonymous.post("/api/v1/session", content=without_length(), headers=kind), 413)


def test_a_cursor_that_is_none_of_ours(client: TestClient) -> None:
    for after in ("x", "bnVsbA", "W10", "WzFd", "WyJcdTAwMDAiXQ"):
        check(client.get("/api/v1/accounts", params={"after": after}), 400)


@pytest.fixture
def failing(service: Service) -> TestClient:
    """The application with routes that fail in their ways."""
    app = create_app(service)

    @app.get("/bug")
    def bug() -> None:
        raise ZeroDivisionError("secret detail 13812345678")

    @app.get("/expected")
    def expected() -> None:
        raise AudioError("录音打不开", "请换一个文件")

    @app.get("/stale")
    def stale() -> None:
        raise StaleDataError("changed")

    return TestClient(app, base_url=SITE)


def test_a_bug_shows_a_request_number_and_nothing_else(failing: TestClient) -> None:
    answer = failing.get("/bug", headers={"X-Request-ID": "my-request-1"})
    body = check(answer, 500)
    assert body.request_id == "my-request-1"
    assert "ZeroDivision" not in answer.text and "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_expected_failure_says_what_to_do(failing: TestClient) -> None:
    assert check(failing.get("/expected"), 422).detail == "录音打不开，请换一个文件。"


def test_a_change_on_top_of_another_is_a_412(failing: TestClient) -> None:
    check(failing.get("/stale"), 412)


def test_every_answer_carries_the_security_headers(anonymous: TestClient) -> None:
    for path in ("/health", "/nowhere", "/api/v1/session"):
        headers = anonymous.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "'unsafe-eval'" not in policy
        assert "script-src 'self' 'nonce-" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


def test_a_request_id_that_could_forge_log_lines_is_replaced(anonymous: TestClient) -> None:
    answer = anonymous.get("/health", headers={"X-Request-ID": 'x" , "level": "info'})
    assert answer.headers["X-Request-ID"].isalnum()


def test_the_documentation_names_every_problem(app: FastAPI, anonymous: TestClient) -> None:
    document = anonymous.get("/api/v1/openapi.json").json()
    assert "Problem" in document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status in ("400", "401", "403", "404", "409", "412", "413", "422", "429"):
                content = operation["responses"][status]["content"]
                assert MEDIA_TYPE in content, (path, method, status)
            assert any("一" <= letter <= "鿿" for letter in operation["summary"])


def test_the_service_is_alive_and_ready(anonymous: TestClient) -> None:
    assert anonymous.get("/health").json() == {"status": "ok"}
    assert anonymous.get("/ready").json() == {"database": "ok", "store": "ok"}


def test_metrics_count_requests_and_the_queue(
    anonymous: TestClient, with_key: Callable[..., TestClient]
) -> None:
    anonymous.get("/health")
    text = with_key("metrics:read").get("/metrics").text
    assert 'http_requests_total{handler="/health",method="GET",status="2xx"}' in text
    assert 'hotline_qc_jobs{status="queued"} 0.0' in text
    assert "hotline_qc_queue_age_seconds 0.0" in text
