"""The same call is known again however it was encoded; calls that begin alike are not the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.demo_asr.channel import Channel, send
from models.demo_asr.dialogue import Turn, draw_voices, render
from qc.audio import SAMPLE_RATE, read_recording
from qc.fingerprint import (
    MIN_ITEMS,
    Fingerprint,
    available,
    find_same,
    fingerprint,
    from_text,
    matching,
    to_text,
)
from tests.qc.sounds import encode

pytestmark = pytest.mark.skipif(not available(), reason="libchromaprint is not installed")

GREETING = (
    Turn("agent", "您好，我是潍坊新村街道城管执法队的工作人员，工号零一五，请问您是王先生吗？"),
    Turn("citizen", "是的，你说，什么事情。"),
)
MATTERS = (
    "您反映的楼上装修噪音问题我们收到了，明天上午到现场核实，请您保持电话畅通。",
    "关于小区门口违法停车的情况，交警已经处理完毕，以后有问题可以再打一二三四五。",
    "您说的路灯不亮，路灯所昨天晚上修好了，今天再去检查一次，您看还有什么要求。",
)


def say(matter: str, seed: int = 1) -> np.ndarray:
    turns = (*GREETING, Turn("agent", matter), Turn("citizen", "好的，那我知道了，谢谢你啊。"))
    mono = render(turns, draw_voices(7), seed=5).mono
    return send(mono, Channel(noise_db=25), seed=seed)


@pytest.fixture(scope="module")
def call() -> np.ndarray:
    return say(MATTERS[0])


def printed(samples: np.ndarray) -> Fingerprint:
    return fingerprint(np.atleast_2d(samples).astype(np.float32))


def recoded(samples: np.ndarray, folder: Path, suffix: str) -> np.ndarray:
    codec, rate = {"amr": ("libopencore_amrnb", 8_000), "mp3": ("libmp3lame", 16_000)}[suffix]
    path = encode(folder / f"call.{suffix}", codec, rate, samples[None][:, :: 16_000 // rate])
    return np.array(read_recording(path).samples[0])


def after(seconds: float, samples: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(round(seconds * SAMPLE_RATE), np.float32), samples])


@pytest.mark.parametrize("how", ["amr", "mp3", "softer", "later", "cut", "all", "stereo"])
def test_the_same_call_is_known_again(call: np.ndarray, tmp_path: Path, how: str) -> None:
    changed = {
        "amr": lambda: recoded(call, tmp_path, "amr"),
        "mp3": lambda: recoded(call, tmp_path, "mp3"),
        "softer": lambda: 0.1 * call,
        "later": lambda: after(1.06, call),
        "cut": lambda: call[SAMPLE_RATE // 2 :],
        "all": lambda: recoded(after(1.06, 0.2 * call), tmp_path, "amr"),
        "stereo": lambda: np.stack([call, call]),
    }[how]()
    assert matching(printed(call), {"it": printed(changed)}) == ["it"]
    assert matching(printed(changed), {"it": printed(call)}) == ["it"]


def test_a_pause_may_be_noise_or_nothing(call: np.ndarray) -> None:
    """Coders that send nothing in pauses leave silence."""
    noise = 0.003 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)
    early, late = np.split(call, [6 * SAMPLE_RATE])
    noisy, gated = (np.concatenate([early, pause, late]) for pause in (noise, 0 * noise))
    assert matching(printed(noisy), {"it": printed(gated)}) == ["it"]


def test_calls_with_the_same_greeting_are_different() -> None:
    calls = {matter: printed(say(matter)) for matter in MATTERS}
    assert abs(len(calls[MATTERS[0]]) - len(calls[MATTERS[1]])) <= 25  # they are compared
    assert list(find_same(calls)) == []


def test_pairs_are_found_among_many(call: np.ndarray) -> None:
    calls = {matter: printed(say(matter)) for matter in MATTERS} | {
        "again": printed(after(1, call))
    }
    assert [set(pair) for pair in find_same(calls)] == [{MATTERS[0], "again"}]


def test_silence_and_short_sounds_match_nothing(call: np.ndarray) -> None:
    silent = printed(np.zeros(20 * SAMPLE_RATE))
    assert matching(silent, {"same": silent}) == []
    short = printed(call[: 5 * SAMPLE_RATE])
    assert matching(short, {"same": short}) == []
    assert len(fingerprint(np.zeros((1, 0), np.float32))) == 0


def test_it_is_stored_as_text(call: np.ndarray) -> None:
    assert (from_text(to_text(printed(call))) == printed(call)).all()
    assert len(from_text(to_text(fingerprint(np.zeros((1, 0), np.float32))))) == 0


@given(
    st.lists(st.integers(0, 200), min_size=2, max_size=6), st.integers(0, 2**32 - 1)
)  # any lengths
def test_random_fingerprints_do_not_match(lengths: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    prints = {i: random.integers(0, 2**32, length, np.uint32) for i, length in enumerate(lengths)}
    assert list(find_same(prints)) == []
    for item in prints.values():
        assert matching(item, {"same": item}) == (["same"] if len(item) >= MIN_ITEMS else [])
