"""Network tones are told apart by their cadence; speech, music and noise hold none."""

from itertools import pairwise

import numpy as np
import pytest

from models.demo_asr.channel import Channel, send
from models.demo_asr.dialogue import Turn, render
from qc.audio import SAMPLE_RATE
from qc.tones import ToneKind, find_tones

NOISY = Channel(noise_db=15, peak=0.1)  # a bad line, recorded softly
PADS = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "*": (941, 1209), "0": (941, 1336)}


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def tone(seconds: float, *frequencies: float, level: float = 0.2) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * sum(np.sin(2 * np.pi * f * t) for f in frequencies)).astype(np.float32)


def cadence(on: float, off: float, times: int, frequency: float = 450) -> np.ndarray:
    return np.concatenate([tone(on, frequency), silence(off)] * times)


def kinds(samples: np.ndarray) -> set[ToneKind]:
    return {found.kind for found in find_tones(samples)}


@pytest.mark.parametrize("frequency", [425, 450, 475])
@pytest.mark.parametrize(
    ("on", "off", "kind"),
    [(1.0, 4.0, "ringing"), (0.35, 0.35, "busy"), (0.7, 0.7, "busy"), (3.0, 1.0, "dial")],
)
def test_cadence_tells_the_tone(on, off, kind, frequency):
    samples = send(cadence(on, off, 3, frequency), NOISY)
    found = find_tones(samples)
    assert [tone.kind for tone in found] == [kind] * 3
    assert [tone.start for tone in found] == pytest.approx(
        [i * (on + off) for i in range(3)], abs=0.06
    )
    assert [tone.seconds for tone in found] == pytest.approx([on] * 3, abs=0.06)


def test_a_single_ring_before_the_answer_is_ringing():
    call = np.concatenate([tone(0.6, 450), silence(0.8), render([Turn("agent", "您好。")]).mono])
    (ring,) = find_tones(call)
    assert ring.kind is ToneKind.RINGING and ring.end == pytest.approx(0.6, abs=0.06)


@pytest.mark.parametrize("seconds", [0.06, 0.15, 0.8])
def test_pressed_keys_are_read(seconds):
    presses = [[*tone(seconds, *PADS[key], level=0.1), *silence(0.1)] for key in "159*0"]
    found = find_tones(send(np.concatenate(presses), NOISY))
    assert "".join(tone.key for tone in found) == "159*0"
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize("seed", range(4))
def test_speech_holds_no_tones(seed):
    turns = [
        Turn("agent", "您好，我是潍坊新村街道城管执法队的工作人员，请问您是王先生吗？"),
        Turn("citizen", "嗯，喔，对，我是。呜呜，好的，五一五，五五五。"),
        Turn("agent", "嗯，您反映的噪音问题我们收到了，明天上午到现场核实。"),
    ]
    call = render(turns, seed=seed).mono
    assert find_tones(call) == []
    assert find_tones(send(call, seed=seed)) == []


def test_noise_and_silence_hold_no_tones():
    assert find_tones(silence(5)) == []
    assert find_tones(np.random.default_rng(0).standard_normal(80_000).astype("f")) == []
    assert find_tones(np.zeros(0, np.float32)) == []
    assert find_tones(np.zeros(100, np.float32)) == []


def test_music_on_the_line_frequency_is_no_ringing():
    """Notes around a' = 440 Hz with overtones that fade, as of a piano."""
    notes = []
    for frequency in (440, 466, 440, 392, 440):
        t = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
        waves = sum(np.sin(2 * np.pi * frequency * k * t) / k**2 for k in range(1, 5))
        notes.append(0.2 * waves * np.exp(-3 * t))
    assert find_tones(np.concatenate(notes).astype(np.float32)) == []


def test_tones_are_found_across_blocks():
    """Two minutes of ringing are read in many blocks."""
    found = find_tones(cadence(1, 4, 24))
    assert len(found) == 24 and kinds(cadence(1, 4, 24)) == {ToneKind.RINGING}
