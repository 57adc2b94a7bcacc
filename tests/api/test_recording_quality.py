"""A recording that holds no call is told as such and leaves no score."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.database import transaction
from api.inspecting import Inspectors, finish_job, inspect_recording
from api.service import Service
from api.tables import RecordingRow
from qc.audio import SAMPLE_RATE
from tests.api.filed import SPEECH, new_order
from tests.qc.sounds import wav


@pytest.fixture(scope="module")
def inspectors(service: Service) -> Inspectors:
    return Inspectors(service.settings)


def ringing(folder: Path) -> bytes:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    ring = np.concatenate([0.1 * np.sin(2 * np.pi * 450 * time), np.zeros(4 * SAMPLE_RATE)])
    return wav(folder / "ringing.wav", np.tile(ring, 3)[None], SAMPLE_RATE).read_bytes()


def upload(client: TestClient, data: bytes) -> tuple[str, str]:
    """The address of the recording, and its job."""
    answer = client.post(f"/api/v1/orders/{new_order(client)}/recordings", content=data).json()
    return f"/api/v1/recordings/{answer['recording']['id']}", answer["job"]


def test_ringing_is_an_unusable_recording_without_a_score(
    client: TestClient, service: Service, inspectors: Inspectors, tmp_path: Path
) -> None:
    address, job = upload(client, ringing(tmp_path))
    assert client.get(address).json()["quality"] is None
    inspect_recording(service, inspectors, job)
    found = client.get(address).json()
    assert (found["status"], found["quality"]) == ("failed", "unusable")
    assert "录音无效：只有回铃音" in found["reason"]
    assert client.get(f"{address}/inspection").status_code == 404


def test_a_verdict_from_before_is_taken_back(
    client: TestClient, service: Service, inspectors: Inspectors, tmp_path: Path
) -> None:
    """As when the recording was judged by a version that did not know better."""
    address, job = upload(client, SPEECH.read_bytes())
    inspect_recording(service, inspectors, job)
    assert client.get(address).json()["quality"] in ("good", "poor")
    assert client.get(f"{address}/inspection").status_code == 200
    wrong = tmp_path / "wrong.wav"
    wrong.write_bytes(ringing(tmp_path))
    with transaction(service.engine) as session:
        finish_job(session, job)
        row = session.get_one(RecordingRow, address.rsplit("/", 1)[1])
        service.store.put(wrong, row.path)
    again = client.post(f"{address}:inspect").json()["job"]
    inspect_recording(service, inspectors, again)
    assert client.get(address).json()["quality"] == "unusable"
    assert client.get(f"{address}/inspection").status_code == 404
