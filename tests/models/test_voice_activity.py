"""Speech is found to the tenth of a second; ringing, keys, music and noise are no speech."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from models.voice_activity import MIN_SPEECH, SAMPLE_RATE, find_speech
from qc.audio import read_recording

FILES = Path(__file__).parent.parent / "files"
# speech.amr: espeak-ng, 您好，请问您是王先生吗？ 我是城管执法队的工作人员。
SPOKEN = [(0.6, 3.49), (4.39, 7.41)]  # seconds, as it was put together
SCALE = [262, 294, 330, 349, 392, 440, 494, 523]  # Hz, C major
KEYS = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "0": (941, 1336), "#": (941, 1477)}


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return np.array(read_recording(FILES / "speech.amr").samples[0])


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def noise(seconds: float, level: float) -> np.ndarray:
    samples = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE))
    return (level * samples).astype(np.float32)


def tone(frequencies: tuple[float, ...], seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.01)
    return sum(0.25 * np.sin(2 * np.pi * f * t) for f in frequencies) * ramp


def music(seed: int) -> np.ndarray:
    """A melody with overtones over chords."""
    random = np.random.default_rng(seed)

    def note(frequency: float, seconds: float) -> np.ndarray:
        t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        overtones = [np.sin(2 * np.pi * frequency * k * t) / k**1.5 for k in range(1, 7)]
        return 0.2 * sum(overtones) * np.exp(-1.5 * t)

    bars = []
    for _ in range(30):
        seconds, root = random.choice([0.25, 0.5]), random.integers(0, 4)
        chord = sum(note(SCALE[root + i] / 2, seconds) for i in (0, 2, 4))
        bars.append(note(random.choice(SCALE) * 2, seconds) + chord)
    return np.concatenate(bars)


NO_SPEECH = {
    "silence": silence(10),
    "line noise": noise(10, 0.003),
    "loud noise": noise(10, 0.1),
    "ringing": np.concatenate([tone((450,), 1.0), silence(4)] * 3),
    "engaged": np.concatenate([tone((450,), 0.35), silence(0.35)] * 20),
    "dial tone": tone((450,), 10),
    "keys": np.concatenate([[*tone(KEYS[k], 0.15), *silence(0.1)] for k in "159#0" * 8]),
    "keys held": np.concatenate([[*tone(KEYS[k], 0.8), *silence(0.3)] for k in "159#0"]),
    "music 1": music(1),
    "music 2": music(2),
}


@pytest.mark.parametrize("name", NO_SPEECH)
def test_no_speech_in(name):
    assert find_speech(NO_SPEECH[name].astype(np.float32)) == []


@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_speech_is_found_where_it_is(speech, gain):
    spans = find_speech(speech * np.float32(gain))
    for start, end in SPOKEN:  # a pause at a comma may split a sentence
        parts = [span for span in spans if span.end > start and span.start < end]
        assert start - 0.25 < parts[0].start <= start + 0.05
        assert end - 0.05 <= parts[-1].end < end + 0.4
        assert sum(part.seconds for part in parts) > 0.9 * (end - start)
    assert not any(SPOKEN[0][1] + 0.4 < span.start < SPOKEN[1][0] - 0.25 for span in spans)


def test_speech_is_found_after_ringing(speech):
    ringing = NO_SPEECH["ringing"]
    spans = find_speech(np.concatenate([ringing, speech]).astype(np.float32))
    assert spans[0].start == pytest.approx(len(ringing) / SAMPLE_RATE + SPOKEN[0][0], abs=0.3)


def test_speech_is_found_in_line_noise(speech):
    noisy = speech + noise(len(speech) / SAMPLE_RATE, 0.01)[: len(speech)]
    heard = sum(span.seconds for span in find_speech(noisy))
    assert heard == pytest.approx(sum(end - start for start, end in SPOKEN), abs=1.0)


def test_blocks_leave_no_seam(speech):
    """Twelve copies are longer than the blocks that are read."""
    once = find_speech(speech)
    spans = find_speech(np.tile(speech, 12))
    heard = sum(span.seconds for span in spans)
    assert heard == pytest.approx(12 * sum(span.seconds for span in once), rel=0.05)
    last = spans[-1].end - 11 * len(speech) / SAMPLE_RATE
    assert last == pytest.approx(once[-1].end, abs=0.1)


def test_spans_are_in_order_and_inside(speech):
    cut = speech[: round(6.0 * SAMPLE_RATE)]  # in the middle of a word
    spans = find_speech(cut)
    assert spans[-1].end == pytest.approx(6.0)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(span.seconds >= MIN_SPEECH for span in spans)


def test_a_channel_of_a_stereo_recording_need_not_be_contiguous(speech):
    interleaved = np.stack([speech, np.zeros_like(speech)], axis=1)
    assert find_speech(interleaved.T[0]) == find_speech(speech)


def test_nothing_is_no_speech():
    assert find_speech(np.zeros(0, np.float32)) == []


def test_asking_again_is_answered_for_what_is_there_now(speech):
    """Answers are remembered by what the samples are, not by where they lie."""
    samples = np.array(speech)
    first = find_speech(samples)
    first.clear()
    assert find_speech(samples) == find_speech(speech) != []
    samples[:] = 0
    assert find_speech(samples) == []
