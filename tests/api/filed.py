"""Orders and recordings for the tests of the service."""

import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from qc.audio import read_recording
from tests.qc.sounds import wav

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SPEECH = Path(__file__).resolve().parents[1] / "files" / "speech.amr"


def order_of(department: str = "城管中队", **changes: object) -> dict[str, Any]:
    """An order's fields, with a number of its own."""
    return {
        "order_id": f"20240611-{secrets.token_hex(5)}",
        "category": "complaint",
        "petitioner": "王建国",
        "reported_on": "2024-06-11",
        "issue": "楼上装修噪音扰民",
        "address": "潍坊四村105号602室",
        "department": department,
        "handler": "李明",
        **changes,
    }


def new_order(client: TestClient, department: str = "城管中队", **filing: object) -> str:
    """Post an order and give its number."""
    answer = client.post("/api/v1/orders", json={"order": order_of(department), "filing": filing})
    assert answer.status_code == 201, answer.text
    number: str = answer.json()["order_id"]
    return number


def sound(folder: Path) -> bytes:
    """A recording of 7 s of speech like no other: no two have the same bytes or the same pitch."""
    random = np.random.default_rng(secrets.randbits(32))
    said = speech()
    samples = said + 0.003 * random.standard_normal(said.shape)
    rate = int(random.integers(7_600, 8_400))
    return wav(folder / f"{secrets.token_hex(4)}.wav", samples, rate).read_bytes()


@lru_cache(maxsize=1)
def speech() -> np.ndarray:
    """(1, n) at 8 kHz."""
    return np.array(read_recording(SPEECH).samples[:, ::2])
