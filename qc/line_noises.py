"""What the telephone network adds to a recording is cut out, so that nobody is heard to say it.

Tones are silenced before recognition: recognisers hear words in them. Announcements of exchanges
and switchboards before the first turn are nobody's turn.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from models.recogniser import Word
from qc.audio import BLOCK_SECONDS, SAMPLE_RATE, Recording
from qc.speech import SENTENCE_END, Speech, Utterance
from qc.text import plain, syllables
from qc.tones import Tone

MARGIN = 0.04  # seconds silenced on either side of a tone, which fades in the filters of a line

# What recorded voices say before anybody answers: the mobile networks' and switchboards' standing
# phrases. Handlers call from their own telephones and say none of them.
_PHRASES = """
您拨打的用户 您拨打的电话 您拨打的号码 您所拨打的 您呼叫的用户 对方正在通话中 请稍后再拨
暂时无人接听 暂时无法接通 暂时不能接听 已启用来电提醒 来电信息将以短信 语音信箱
本次通话将被录音 您的通话将被录音 通话将会被录音 通话可能会被录音
为保证服务质量 为提高服务质量 为了保证服务质量 为了提高服务质量
欢迎致电 感谢您的致电 欢迎拨打 请直拨分机号 查号请拨 请按井号 请按星号
请按一 请按二 请按三 请按零 请按1 请按2 请按3 请按0 请按# 请不要挂机 请勿挂机
正在为您接通 正在为您转接 电话正在接通 正在转接 滴声后留言 嘀声后留言 提示音后留言
thesubscriber thenumberyoudial pleaseredial
"""
ANNOUNCEMENTS = tuple(_PHRASES.split())
GAP = "'"  # between syllables
NOT_ANNOUNCED = "请按一下"


def without_tones(recording: Recording, tones: Sequence[Sequence[Tone]]) -> Recording:
    """The recording with silence in the place of the tones; every word keeps its time.

    Args:
        recording: decoded.
        tones: of each channel, as `find_tones` gives them.
    """
    if not any(tones):
        return recording
    channels, count = recording.samples.shape
    with tempfile.TemporaryFile(prefix="hotline-qc-") as store:  # memory does not grow with length
        samples: NDArray[np.float32] = np.memmap(store, np.float32, "w+", shape=(channels, count))
    step = BLOCK_SECONDS * SAMPLE_RATE
    for start in range(0, count, step):
        samples[:, start : start + step] = recording.samples[:, start : start + step]
    for channel, found in zip(samples, tones, strict=True):
        for tone in found:
            first = max(0, int((tone.start - MARGIN) * SAMPLE_RATE))
            channel[first : int((tone.end + MARGIN) * SAMPLE_RATE)] = 0
    return replace(recording, samples=samples)


def without_announcements(speech: Speech) -> Speech:
    """Drop the sentences of recorded voices from what is said before the other party speaks."""
    said = speech.utterances
    lead = list(takewhile(lambda utterance: utterance.speaker == said[0].speaker, said))
    people = (
        replace(utterance, words=words) for utterance in lead if (words := _of_people(utterance))
    )
    return replace(speech, utterances=(*people, *said[len(lead) :]))


def _of_people(utterance: Utterance) -> tuple[Word, ...]:
    """The words of an utterance without the sentences of a recorded voice."""
    sentences: list[list[Word]] = [[]]
    for word in utterance.words:
        sentences[-1].append(word)
        if word.text.endswith(tuple(SENTENCE_END)):
            sentences.append([])
    return tuple(
        word
        for sentence in sentences
        if not is_announcement("".join(word.text for word in sentence))
        for word in sentence
    )


def is_announcement(sentence: str) -> bool:
    """Whether a recorded voice says this, by its words or, misheard, by their sound."""
    said = plain(sentence).replace(NOT_ANNOUNCED, "")
    sound = _sound(said)
    return any(phrase in said or _sound(phrase) in sound for phrase in ANNOUNCEMENTS)


def _sound(text: str) -> str:
    return GAP + GAP.join(syllables(text)) + GAP
