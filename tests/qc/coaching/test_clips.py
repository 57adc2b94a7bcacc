"""Clips: the right seconds, and a tone over whatever is personal."""

from pathlib import Path

import numpy as np
import pytest

from qc.audio import SAMPLE_RATE, Recording, read_recording
from qc.coaching.clips import MARGIN, PAD, TONE_HZ, Stretch, cut_clip, personal_stretches
from qc.errors import QcError
from qc.order import Order
from qc.transcript import Role, Turn
from tests.qc.sounds import wav

ORDER = Order(petitioner="顾海峰", address="南泉新苑12号501室")
SPEECH_HZ = 300.0
TURNS = (
    Turn(0, Role.AGENT, "您好，打扰一下。", 0.5, 2.0),
    Turn(1, Role.CITIZEN, "请问有什么事情，我的电话是13812345678，你们记一下，好不好。", 3.0, 9.0),
    Turn(2, Role.AGENT, "好的，我们会尽快到现场核实。", 10.0, 13.0),
)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Fifteen seconds of one steady tone that stands for speech."""
    when = np.arange(15 * SAMPLE_RATE) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * SPEECH_HZ * when)
    return read_recording(wav(tmp_path / "call.wav", sound[None].astype(np.float32), SAMPLE_RATE))


def loudness(sound: np.ndarray, hertz: float, start: float, end: float) -> float:
    """Amplitude of a frequency in some seconds."""
    part = sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    when = np.arange(len(part)) / SAMPLE_RATE
    return float(2 * np.abs(np.mean(part * np.exp(-2j * np.pi * hertz * when))))


def clip(recording: Recording, path: Path, first: int, last: int, **more) -> tuple:
    where = cut_clip(recording, TURNS, first, last, path, **more)
    return where, read_recording(path).samples[0]


def test_a_clip_holds_its_turns_and_no_more(recording: Recording, tmp_path: Path) -> None:
    where, sound = clip(recording, tmp_path / "a.m4a", 2, 2)
    assert where == Stretch(10.0 - PAD, 13.0 + PAD)
    assert len(sound) / SAMPLE_RATE == pytest.approx(3.0 + 2 * PAD, abs=0.1)
    assert loudness(sound, SPEECH_HZ, 0.5, 3.0) == pytest.approx(0.3, rel=0.15)


def test_a_tone_lies_over_the_phone_number_and_nothing_of_it_is_left(
    recording: Recording, tmp_path: Path
) -> None:
    where, sound = clip(recording, tmp_path / "a.m4a", 1, 1)
    text, turn = TURNS[1].text, TURNS[1]
    assert turn.start is not None and turn.end is not None
    first = turn.start + 6 * text.index("1") / len(text) - where.start
    last = turn.start + 6 * (text.index("8，") + 1) / len(text) - where.start
    assert loudness(sound, SPEECH_HZ, first - MARGIN + 0.1, last + MARGIN - 0.1) < 0.01
    assert loudness(sound, TONE_HZ, first, last) > 0.08
    assert loudness(sound, SPEECH_HZ, 0.2, 0.6) > 0.25  # the rest can be heard


def test_personal_data_can_be_silenced_instead(recording: Recording, tmp_path: Path) -> None:
    _, sound = clip(recording, tmp_path / "a.m4a", 1, 1, cover="silence")
    middle = len(sound) / SAMPLE_RATE / 2
    assert loudness(sound, TONE_HZ, middle - 0.3, middle + 0.3) < 0.01
    assert loudness(sound, SPEECH_HZ, middle - 0.3, middle + 0.3) < 0.01


def test_what_the_other_says_meanwhile_is_covered_too(recording: Recording, tmp_path: Path) -> None:
    turns = (TURNS[2], Turn(3, Role.CITIZEN, "我叫顾海峰", 11.0, 12.0))
    where = cut_clip(recording, turns, 2, 2, tmp_path / "a.m4a", order=ORDER)
    sound = read_recording(tmp_path / "a.m4a").samples[0]
    assert loudness(sound, SPEECH_HZ, 11.5 - where.start, 11.9 - where.start) < 0.01


def test_words_masked_in_the_stored_transcript_are_covered() -> None:
    turn = Turn(0, Role.CITIZEN, "我叫顾**，你记一下", 0.0, 9.0)
    (stretch,) = personal_stretches([turn])
    assert stretch.start < 3.0 < 5.0 < stretch.end


def test_name_and_house_of_the_order_are_covered() -> None:
    turn = Turn(0, Role.AGENT, "您是顾海峰先生，住在501，对吗", 0.0, 8.0)
    stretches = personal_stretches([turn], ORDER)
    for second in (8 * 4 / 16, 8 * 11 / 16):
        assert any(s.start <= second <= s.end for s in stretches)


def test_a_turn_without_personal_data_is_left_as_it_is() -> None:
    assert personal_stretches([TURNS[0], TURNS[2]], ORDER) == []


def test_turns_without_times_cannot_be_cut(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(QcError, match="没有时间"):
        cut_clip(recording, [Turn(0, Role.AGENT, "您好")], 0, 0, tmp_path / "a.m4a")


def test_times_after_the_end_belong_to_another_recording(
    recording: Recording, tmp_path: Path
) -> None:
    with pytest.raises(QcError, match="超出"):
        cut_clip(recording, [Turn(0, Role.AGENT, "您好", 60.0, 61.0)], 0, 0, tmp_path / "a.m4a")
    assert not (tmp_path / "a.m4a").exists()
