"""One call for two orders is found although the files differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.inspecting import Inspectors, inspect_recording
from api.service import Service
from models.demo_asr.dialogue import Turn, render
from qc.audio import SAMPLE_RATE
from qc.fingerprint import available
from tests.api.filed import new_order
from tests.api.people import DEPARTMENT
from tests.qc.sounds import encode, wav

pytestmark = pytest.mark.skipif(not available(), reason="libchromaprint is not installed")


@pytest.fixture(scope="module")
def inspectors(service: Service) -> Inspectors:
    return Inspectors(service.settings)


@pytest.fixture
def hear(
    client: TestClient, service: Service, inspectors: Inspectors
) -> Callable[[str, Path], dict]:
    """Uploads a recording for an order and has a worker listen to it."""

    def _hear(order: str, path: Path) -> dict:
        answer = client.post(f"/api/v1/orders/{order}/recordings", content=path.read_bytes())
        inspect_recording(service, inspectors, answer.json()["job"])
        return client.get(f"/api/v1/recordings/{answer.json()['recording']['id']}").json()

    return _hear


def call(said: str) -> np.ndarray:
    turns = [
        Turn("agent", f"您好，我是城管中队的。{said}"),
        Turn("citizen", "好的，谢谢你，再见。"),
    ]
    return render(turns, seed=1).mono[None]


def test_one_call_for_two_orders_is_noted_on_both(
    client: TestClient,
    hear: Callable[[str, Path], dict],
    sign_in: Callable[..., TestClient],
    tmp_path: Path,
) -> None:
    said = call("您反映的噪音，我们明天上午派人来看，请您在家等一下。")
    later = np.concatenate([np.zeros((1, SAMPLE_RATE), np.float32), 0.3 * said], axis=1)
    one, two, three = new_order(client), new_order(client, "水务所"), new_order(client)
    first = hear(one, wav(tmp_path / "a.wav", said, SAMPLE_RATE))
    assert (first["quality"], first["notes"]) == ("good", [])
    second = hear(two, encode(tmp_path / "b.mp3", "libmp3lame", SAMPLE_RATE, later))
    other = call("路灯昨天晚上已经修好了，您看看还有什么要求吗，没有就这样。")
    third = hear(three, wav(tmp_path / "c.wav", other, SAMPLE_RATE))

    assert second["notes"] == [f"同一录音用于两个工单，另见 {one}"]
    address = f"/api/v1/recordings/{first['id']}"
    assert client.get(address).json()["notes"] == [f"同一录音用于两个工单，另见 {two}"]
    assert client.get(f"/api/v1/orders/{one}/inspection").json()["notes"] == [
        f"同一录音用于两个工单，另见 {two}"
    ]
    assert third["notes"] == []
    department = sign_in("department", DEPARTMENT)  # may not know of the water office's orders
    assert department.get(address).json()["notes"] == ["同一录音用于两个工单"]
