"""Resumable uploads."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.database import now, transaction
from api.retention import forget_old
from api.service import Service
from api.tables import UploadRow
from tests.api.filed import new_order, sound

UPLOADS = "/api/v1/uploads"


@pytest.fixture
def wav(tmp_path: Path) -> bytes:
    return sound(tmp_path)


def begin(client: TestClient, wav: bytes, **more: object) -> str:
    body = {"order_id": new_order(client), "file_name": "回复.wav", "size": len(wav), **more}
    answer = client.post(UPLOADS, json=body)
    assert answer.status_code == 201, answer.text
    upload: str = answer.json()["id"]
    return upload


def send(client: TestClient, upload: str, data: bytes, offset: int):
    return client.patch(f"{UPLOADS}/{upload}", content=data, headers={"Upload-Offset": str(offset)})


def test_pieces_become_the_recording(client: TestClient, service: Service, wav: bytes) -> None:
    upload = begin(client, wav, kind="reply", sha256=hashlib.sha256(wav).hexdigest())
    assert send(client, upload, wav[:10_000], 0).json()["received"] == 10_000
    assert client.get(f"{UPLOADS}/{upload}").headers["upload-offset"] == "10000"
    assert send(client, upload, wav[10_000:], 10_000).json()["received"] == len(wav)
    done = client.post(f"{UPLOADS}/{upload}:complete")
    assert done.status_code == 201, done.text
    shown = done.json()["recording"]
    assert (shown["kind"], shown["sha256"]) == ("reply", hashlib.sha256(wav).hexdigest())
    assert client.get(f"/api/v1/recordings/{shown['id']}/audio").content == wav
    assert client.get(f"{UPLOADS}/{upload}").status_code == 404
    assert service.store.paths(f"uploads/{upload}") == []


def test_a_piece_sent_twice_is_told_where_to_go_on(client: TestClient, wav: bytes) -> None:
    upload = begin(client, wav)
    send(client, upload, wav[:5000], 0)
    again = send(client, upload, wav[:5000], 0)
    assert again.status_code == 409
    assert again.headers["upload-offset"] == "5000"
    assert client.post(f"{UPLOADS}/{upload}:complete").status_code == 409


def test_more_than_was_announced_is_refused(client: TestClient, wav: bytes) -> None:
    upload = begin(client, wav)
    assert send(client, upload, wav + b"1", 0).status_code == 413
    assert client.get(f"{UPLOADS}/{upload}").json()["received"] == 0


def test_a_whole_that_is_not_what_was_announced_is_refused(client: TestClient, wav: bytes) -> None:
    upload = begin(client, wav, sha256="0" * 64)
    send(client, upload, wav, 0)
    assert client.post(f"{UPLOADS}/{upload}:complete").status_code == 422


def test_an_upload_is_its_senders_alone(
    client: TestClient, sign_in: Callable[..., TestClient], wav: bytes
) -> None:
    upload = begin(client, wav)
    other = sign_in("inspector")
    assert other.get(f"{UPLOADS}/{upload}").status_code == 404
    assert send(other, upload, wav, 0).status_code == 404


def test_a_recording_above_the_limit_is_refused_at_once(client: TestClient) -> None:
    body = {"order_id": new_order(client), "file_name": "a.wav", "size": 1 << 40}
    assert client.post(UPLOADS, json=body).status_code == 413


def test_an_upload_may_be_given_up(client: TestClient, service: Service, wav: bytes) -> None:
    upload = begin(client, wav)
    send(client, upload, wav[:5000], 0)
    assert client.delete(f"{UPLOADS}/{upload}").status_code == 204
    assert service.store.paths(f"uploads/{upload}") == []


def test_an_upload_that_nobody_goes_on_with_is_cleared_away(
    client: TestClient, service: Service, wav: bytes
) -> None:
    upload = begin(client, wav)
    send(client, upload, wav[:5000], 0)
    with transaction(service.engine) as session:
        old = now() - timedelta(days=3)
        session.execute(update(UploadRow).where(UploadRow.id == upload).values(created_at=old))
    assert forget_old(service.engine, service.store, days=0).uploads >= 1
    assert client.get(f"{UPLOADS}/{upload}").status_code == 404
    assert service.store.paths(f"uploads/{upload}") == []
