"""How a turn is spoken, measured on synthetic voices of known rate, pitch and level."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.demo_asr.channel import send
from models.demo_asr.dialogue import SpokenCall, Turn, Voice, render
from models.demo_asr.speech import speak
from models.recogniser import Word
from qc.audio import SAMPLE_RATE
from qc.prosody import _praat, speaking_rate, with_prosody
from qc.transcript import Role, Transcript
from qc.transcript import Turn as Heard
from tests.qc.perfect_hearing import transcript_of

SENTENCE = "您反映的噪音问题我们已经收到了，明天上午到现场看。"
DIALOGUE = [
    line
    for i in range(4)
    for line in (
        Turn("agent", SENTENCE, fast=i == 2),
        Turn("citizen", "那你们什么时候到我们小区里面来看一看呢？"),
    )
]


def words(text: str, rate: float, confidence: float = 0.9, start: float = 0.0) -> list[Word]:
    return [
        Word(c, start + i / rate, start + (i + 1) / rate, confidence) for i, c in enumerate(text)
    ]


@pytest.mark.parametrize("rate", [3.5, 5.0, 8.0])
def test_rate_is_syllables_a_second(rate: float) -> None:
    assert speaking_rate(words("这个事情我们已经登记了", rate)) == pytest.approx(rate)


def test_pauses_do_not_slow_a_speaker_down() -> None:
    said = [*words("这个事情我们登记", 5), *words("后面有人会联系您", 5, start=9)]
    assert speaking_rate(said) == pytest.approx(5)


def test_rate_of_a_formula_or_of_doubtful_words_is_not_known() -> None:
    assert speaking_rate(words("谢谢再见", 9)) is None
    assert speaking_rate(words("这个事情我们已经登记了", 9, confidence=0.5)) is None
    assert speaking_rate([]) is None


@pytest.fixture(scope="module")
def hurried() -> SpokenCall:
    return render(DIALOGUE, (Voice("f2"), Voice("m3")), seed=4, stereo=True)


def test_a_hurried_turn_stands_out_against_the_speakers_own_rate(hurried: SpokenCall) -> None:
    agent = transcript_of(hurried).agent_turns
    assert agent[2].rate_ratio is not None and agent[2].rate_ratio > 1.3
    assert all(t.rate_ratio == pytest.approx(1, abs=0.1) for t in agent if t is not agent[2])
    citizen = transcript_of(hurried).citizen_turns
    assert all(t.rate_ratio == pytest.approx(1, abs=0.1) for t in citizen)


def test_two_turns_make_no_habit() -> None:
    call = render(DIALOGUE[:4], seed=1, stereo=True)
    assert all(turn.rate and turn.rate_ratio is None for turn in transcript_of(call).turns)


def in_turns(*said: np.ndarray) -> tuple[Transcript, np.ndarray]:
    """The handler says one thing after the other, half a second apart, in the second channel."""
    turns, pieces, at = [], [], 0.0
    for index, samples in enumerate(said):
        end = at + len(samples) / SAMPLE_RATE
        turns.append(Heard(index, Role.AGENT, SENTENCE, at, end))
        pieces += [samples, np.zeros(SAMPLE_RATE // 2, np.float32)]
        at = end + 0.5
    own = np.concatenate(pieces)
    return Transcript(tuple(turns)), np.stack([np.zeros_like(own), own])


@pytest.mark.parametrize("telephone", [False, True])
@pytest.mark.parametrize("voice", ["f2", "m3"])
def test_a_raised_voice_is_higher_and_louder(voice: str, telephone: bool) -> None:
    usual, raised = (speak(SENTENCE, voice, 180, pitch, 50).samples for pitch in (40, 70))
    transcript, samples = in_turns(usual / 3, usual / 3, usual / 3, raised)
    if telephone:
        samples = np.stack([samples[0], send(samples[1])])
    turns = with_prosody(transcript, samples).turns
    assert [t.pitch for t in turns[:3]] == pytest.approx([0, 0, 0], abs=0.2)
    assert turns[3].pitch is not None and turns[3].pitch > 2
    assert [t.loudness for t in turns] == pytest.approx([0, 0, 0, 9.5], abs=1.5)


def test_a_louder_line_is_not_a_higher_voice() -> None:
    said = speak(SENTENCE, "f2", 180, 50, 50).samples / 4
    turns = with_prosody(*in_turns(said, said, said, said * 3)).turns
    assert turns[3].loudness == pytest.approx(9.5, abs=0.2)
    assert turns[3].pitch == pytest.approx(0, abs=0.2)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, SAMPLE_RATE * 2).astype(np.float32)
    turns = with_prosody(*in_turns(noise, noise, noise)).turns
    assert {turn.pitch for turn in turns} == {None}
    assert {turn.loudness for turn in turns} == {0.0}


@pytest.fixture
def without_parselmouth(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    _praat.cache_clear()
    yield
    _praat.cache_clear()


def test_without_the_extra_there_is_no_pitch_but_all_the_rest(
    hurried: SpokenCall, without_parselmouth: None
) -> None:
    turns = transcript_of(hurried).turns
    assert {turn.pitch for turn in turns} == {None}
    assert None not in {turn.rate_ratio for turn in turns} | {turn.loudness for turn in turns}


def test_turns_beyond_the_sound_do_no_harm() -> None:
    turn = Heard(0, Role.AGENT, "您好。", 5.0, 6.0)
    for samples in (np.zeros((1, 100), np.float32), np.zeros((2, 0), np.float32)):
        (found,) = with_prosody(Transcript((turn, replace(turn, index=1))), samples).turns[:1]
        assert found.pitch is None and found.loudness == 0.0
