"""Orders and recordings for the tests of the service."""

import secrets
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from tests.qc.sounds import tones, wav

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


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


def sound(folder: Path, seconds: float = 1.0) -> bytes:
    """A recording like no other."""
    noise = 0.01 * np.random.default_rng(secrets.randbits(32)).standard_normal(
        (1, round(seconds * 8000))
    )
    samples = tones(8000, 1, seconds) + noise
    return wav(folder / f"{secrets.token_hex(4)}.wav", samples).read_bytes()
