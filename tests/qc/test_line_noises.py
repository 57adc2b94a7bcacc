"""Ring-back tones, keys and recorded voices are no part of the conversation."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.demo_asr.channel import send
from models.demo_asr.dialogue import Turn, Voice, render
from models.recogniser import Word, load_recogniser
from models.voice_activity import find_speech
from qc.audio import SAMPLE_RATE, Recording
from qc.line_noises import is_announcement, without_announcements, without_tones
from qc.listen import listen
from qc.order import CallKind
from qc.speech import Speech, Utterance
from qc.tones import find_tones

CALL = render(
    [
        Turn("agent", "您好，请问是王先生吗？我是城管中队的热线工作人员。"),
        Turn("citizen", "对，我是，你们什么时候来？"),
        Turn("agent", "我们会尽快到现场核实处理，处理完给您回电。"),
    ],
    (Voice("f2"), Voice("m3")),
    seed=2,
    stereo=True,
)


def tone(seconds: float, *frequencies: float) -> NDArray[np.float32]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return sum(0.2 * np.sin(2 * np.pi * f * t) for f in frequencies).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


RINGING = np.concatenate([tone(1, 450), silence(4), tone(1, 450), silence(1)])
KEYS = np.concatenate([tone(0.2, 697, 1209), silence(0.1), tone(0.2, 941, 1336), silence(0.3)])
BUSY = np.concatenate([tone(0.35, 450), silence(0.35)] * 3)


def recorded(*channels: NDArray[np.float32]) -> Recording:
    return Recording(Path("call.wav"), np.stack(channels), "pcm", 16_000, "")


def tones_of(recording: Recording) -> list:
    return [find_tones(channel) for channel in recording.samples]


def test_what_is_said_stays_to_the_sample_and_the_tones_go() -> None:
    agent, citizen = (np.concatenate([KEYS, RINGING, c, BUSY]) for c in CALL.samples)
    call = recorded(agent, citizen)
    silenced = without_tones(call, tones_of(call))
    first = len(KEYS) + len(RINGING)
    last = first + CALL.samples.shape[1]
    assert silenced.samples.shape == call.samples.shape
    assert np.array_equal(silenced.samples[:, first:last], call.samples[:, first:last])
    for noise in (silenced.samples[:, :first], silenced.samples[:, last:]):
        assert np.square(noise).mean() < 1e-6
    assert np.array_equal(call.samples[0], agent)  # the recording itself is as it was


def test_a_recording_without_tones_is_not_copied() -> None:
    call = recorded(*CALL.samples)
    assert without_tones(call, tones_of(call)) is call


def test_a_channel_without_tones_keeps_what_is_said_over_them() -> None:
    over = np.concatenate([tone(1, 450), silence(20)])[: CALL.samples.shape[1]]
    call = recorded(CALL.samples[0], over)
    silenced = without_tones(call, tones_of(call))
    assert np.array_equal(silenced.samples[0], CALL.samples[0])
    assert not silenced.samples[1].any()


def test_no_voice_is_found_where_the_tones_were() -> None:
    rings = np.concatenate([send(np.concatenate([KEYS, RINGING, BUSY])), silence(1)])
    call = recorded(rings)
    assert find_speech(without_tones(call, tones_of(call)).samples[0]) == []


def test_ringing_before_the_call_leaves_no_words() -> None:
    noises = np.concatenate([KEYS, RINGING])
    agent, citizen = CALL.samples
    call = recorded(
        send(np.concatenate([silence(len(noises) / SAMPLE_RATE), agent])),
        send(np.concatenate([noises, citizen])),
    )
    turns = listen(call, CallKind.FIRST_CONTACT, load_recogniser("demo")).transcript.turns
    assert [turn.is_agent for turn in turns] == [True, False, True]
    assert turns[0].start is not None and turns[0].start > len(noises) / SAMPLE_RATE


def said(speaker: int, text: str, start: float) -> Utterance:
    words: list[Word] = []
    for character in text:
        if character.isalnum():
            at = start + len(words) / 5
            words.append(Word(character, at, at + 0.2, 0.9))
        else:
            last = words[-1]
            words[-1] = Word(last.text + character, last.start, last.end, last.confidence)
    return Utterance(speaker, tuple(words))


@pytest.mark.parametrize(
    "text",
    [
        "您好，欢迎致电潍坊物业，查询业务请按一，人工服务请按零。",
        "您拨打的用户正在通话中，请稍后再拨。",
        "对不起，您所拨打的号码是空号。",
        "本次通话将被录音。",
        "为了提高服务质量，您的通话可能会被录音。",
        "请在提示音后留言。",
        "电话正在接通，请不要挂机。",
        "您波打的永护暂时无法接通。",  # misheard
        "Sorry, the subscriber you dialed is busy now.",
    ],
)
def test_recorded_voices_are_known_by_their_phrases(text: str) -> None:
    assert is_announcement(text)


@pytest.mark.parametrize(
    "text",
    [
        "您好，请问是王先生吗？",
        "您按一下门铃，请按一下好吗？",
        "请按照通知上的要求来办。",
        "欢迎您随时来电。",
        "您拨打12345反映的问题我们收到了。",
        "请您先不要挂电话。",
        "我们会转给物业。",
    ],
)
def test_what_people_say_is_no_announcement(text: str) -> None:
    assert not is_announcement(text)


def test_announcements_before_the_call_are_nobodys_turn() -> None:
    speech = Speech(
        (
            said(1, "您好，欢迎致电远景物业。人工服务请按零。", 0),
            said(1, "喂，哪位？", 8),
            said(0, "您好，我是城管中队的。", 10),
            said(1, "您拨打的用户是谁？", 13),  # in the call, people may say anything
        )
    )
    left = without_announcements(speech).utterances
    assert [u.text for u in left] == ["喂，哪位？", "您好，我是城管中队的。", "您拨打的用户是谁？"]


def test_a_sentence_of_a_person_after_the_announcement_stays() -> None:
    speech = Speech((said(0, "本次通话将被录音。您好，我是城管中队的。", 0),))
    (left,) = without_announcements(speech).utterances
    assert left.text == "您好，我是城管中队的。"


def test_nobody_there_leaves_nothing() -> None:
    assert without_announcements(Speech(())).utterances == ()
    busy = Speech((said(0, "您拨打的用户正在通话中，请稍后再拨。", 0),))
    assert without_announcements(busy).utterances == ()
