"""From a recording to utterances with their speaker, and to what is told of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.demo_asr.channel import send
from models.demo_asr.dialogue import SpokenCall, Turn, Voice, render
from models.recogniser import Channel, Segment, Word
from models.recogniser import load_recogniser as load
from qc.audio import SAMPLE_RATE, Recording, describe_sound
from qc.errors import QcError
from qc.fitness import QualityLevel
from qc.listen import hot_words_of, listen
from qc.order import CallKind, Order
from qc.speech import transcribe, without_echo
from qc.transcript import Role

KIND = CallKind.FIRST_CONTACT
TURNS = (
    Turn("agent", "您好，请问是王建国先生吗？"),
    Turn("citizen", "对，是我，你是哪位？"),
    Turn("agent", "我是街道城管的热线工作人员，您反映的问题我们收到了。"),
    Turn("citizen", "你们总算打电话来了，我家都等了三天了。"),
    Turn("agent", "好的，我们明天到现场看一下，看完给您回电话。"),
)


@pytest.fixture(scope="module")
def call() -> SpokenCall:
    return render(TURNS, (Voice("f2"), Voice("m3")), seed=2, stereo=True)


@pytest.fixture(scope="module")
def recogniser():
    return load("demo")


def recorded(*channels: NDArray) -> Recording:
    return Recording(Path("call.wav"), np.stack(channels).astype(np.float32), "pcm", 16_000, "")


def words(text: str, start: float, rate: float = 5.0) -> list[Word]:
    return [Word(c, start + i / rate, start + (i + 1) / rate, 0.9) for i, c in enumerate(text)]


class Said:
    """Gives the true words of a rendered call, one answer a channel."""

    name = "truth"

    def __init__(self, *channels: Sequence[Word]) -> None:
        self.channels = list(channels)

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        return [self._said() for _ in channels]

    def _said(self) -> list[Segment]:
        said = tuple(self.channels.pop(0))
        text = "".join(word.text for word in said)
        return [Segment(text, said[0].start, said[-1].end, said, 0.9, 0.0, 1.0)] if said else []


def true_words(call: SpokenCall, role: str | None = None) -> list[Word]:
    found = []
    for turn in call.turns:
        if role in (None, turn.turn.role):
            characters = [c for c in turn.turn.text if c.isalnum()]
            found += [
                Word(c, a, b, 0.9) for c, (a, b) in zip(characters, turn.characters, strict=True)
            ]
    return found


def test_stereo_gives_each_channel_its_speaker(call: SpokenCall, recogniser) -> None:
    heard = listen(
        recorded(*(send(c, seed=i) for i, c in enumerate(call.samples))), KIND, recogniser
    )
    assert [t.role for t in heard.transcript.turns] == [Role(t.role) for t in TURNS]
    assert heard.warnings == ()


def test_citizen_may_be_in_the_left_channel(call: SpokenCall, recogniser) -> None:
    agent, citizen = (send(c) for c in call.samples)
    heard = listen(recorded(citizen, agent), KIND, recogniser)
    assert heard.transcript.turns[0].is_agent


def test_mono_cuts_the_turns_at_words(call: SpokenCall) -> None:
    samples = send(call.mono)
    heard = listen(recorded(samples), KIND, Said(true_words(call)))
    turns = heard.transcript.turns
    assert [t.role for t in turns] == [Role(t.role) for t in TURNS]
    assert [t.text for t in turns] == ["".join(filter(str.isalnum, t.text)) for t in TURNS]


def test_short_answer_after_a_question_is_a_turn_of_its_own() -> None:
    turns = (
        *TURNS[:3],
        Turn("agent", "您看明天可以吗？"),
        Turn("citizen", "行，可以的。"),
        TURNS[4],
        TURNS[3],
    )
    call = render(turns, (Voice("f2"), Voice("m3")), seed=5)
    said, heard = [], true_words(call)
    for turn in call.turns:  # with the full stops that a recogniser sets
        *before, last = heard[: len(turn.characters)]
        said += [*before, replace(last, text=last.text + "。")]
        heard = heard[len(turn.characters) :]
    found = listen(recorded(send(call.mono)), KIND, Said(said)).transcript.turns
    assert [t.text for t in found if not t.is_agent][1] == "行可以的。"


def test_pipeline_that_is_not_installed_is_said_to_be_so(
    call: SpokenCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_QC_SPEAKERS", "no/such/config.yaml")
    with pytest.raises(QcError, match="pyannote"):
        listen(recorded(send(call.mono)), KIND, Said(true_words(call)))


def test_same_signal_on_both_channels_is_separated_by_voice(call: SpokenCall) -> None:
    samples = send(call.mono)
    heard = listen(recorded(samples, samples), KIND, Said(true_words(call)))
    assert {turn.role for turn in heard.transcript.turns} == {Role.AGENT, Role.CITIZEN}
    assert "两个声道内容相同，按单声道处理" in heard.warnings


def test_silence_is_said_to_be_silent(recogniser) -> None:
    heard = listen(recorded(np.zeros(SAMPLE_RATE * 3, np.float32)), KIND, recogniser)
    assert heard.transcript.turns == ()
    assert heard.warnings == ("录音无声",)


def test_noise_without_speech_is_reported(recogniser) -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, SAMPLE_RATE * 4)
    heard = listen(recorded(noise), KIND, recogniser)
    assert heard.warnings == ("录音只有 4.0 秒", "没有人说话，只有噪声")
    assert heard.quality.level is QualityLevel.UNUSABLE


def test_made_up_text_is_dropped_and_counted(call: SpokenCall) -> None:
    samples = send(call.samples[0])
    heard = listen(recorded(samples), KIND, Said(words("请不吝点赞订阅转发打赏支持", 0.3)))
    assert heard.transcript.turns == ()
    assert heard.warnings == ("识别结果中有 1 段疑似误识别，已舍弃", "录音里没有听到说话")


def test_voicemail_is_one_speaker() -> None:
    alone = render([t for t in TURNS if t.role == "agent"], (Voice("f2"), Voice("m3")), seed=2)
    heard = listen(recorded(send(alone.mono)), KIND, Said(true_words(alone)))
    assert {turn.role for turn in heard.transcript.turns} == {Role.AGENT}
    assert "录音里只听到一个人说话" in heard.warnings


def test_echo_of_the_other_party_is_dropped(call: SpokenCall) -> None:
    agent, citizen = call.samples
    late = np.roll(agent, int(0.08 * SAMPLE_RATE)) * 0.1  # 20 dB softer, 80 ms later
    recording = recorded(send(agent), send(citizen + late, seed=1))
    agent_words = true_words(call, "agent")
    misheard = (
        "天地玄黄宇宙洪荒盈昃辰宿列张寒暑往秋收冬藏闰余成岁律吕调阳"
        "云腾致雨露结为霜金丽水玉出昆冈剑号巨阙珠称夜光"
    )
    ghost = [
        Word(text, word.start + 0.08, word.end + 0.08, 0.4)
        for text, word in zip(misheard, agent_words, strict=False)
    ]
    citizen_words = sorted([*true_words(call, "citizen"), *ghost], key=lambda w: w.start)
    said = Said(agent_words, citizen_words)
    speech = transcribe(recording, describe_sound(recording), said)
    kept = "".join(u.text for u in speech.utterances if u.speaker == 1)
    assert kept == "".join(w.text for w in true_words(call, "citizen"))


def test_soft_words_over_a_loud_voice_are_no_echo() -> None:
    loud = render([Turn("agent", "您反映的问题我们已经收到了，会尽快安排人员到现场。")]).mono
    soft = np.zeros_like(loud)
    own = render([Turn("citizen", "好的谢谢。")], (Voice("f2"), Voice("m3"))).mono * 0.1
    soft[16_000 : 16_000 + len(own)] = own
    said = words("好的谢谢", 1.3)
    assert without_echo(said, words("您反映的问题我们已经收到了", 0.3), soft, loud) == said


def test_hot_words_are_what_the_order_knows() -> None:
    order = Order(
        petitioner="王建国", address="潍坊四村105号", issue="噪音扰民", department="城管中队"
    )
    assert hot_words_of(order) == (
        "城管中队", "王建国", "王先生", "王女士", "潍坊四村105号", "噪音扰民"
    )  # fmt: skip
    assert hot_words_of(Order()) == ()
