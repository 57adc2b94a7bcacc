"""From a decoded recording to a transcript with roles."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.recogniser import Recogniser
from qc.audio import SAMPLE_RATE, Recording, describe_sound
from qc.order import CallKind, Order
from qc.roles import build_transcript, without_split_voice
from qc.speech import Speech, transcribe
from qc.transcript import Role, Transcript, Turn

UNSURE_WORDS = 0.5  # mean confidence of a recording below which its text is not to be relied on
UNSURE_VOICES = 0.25  # silhouette; pairs of the same sex are above, mostly


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording. `warnings` are Chinese sentences for the report."""

    transcript: Transcript
    warnings: tuple[str, ...] = ()


def listen(recording: Recording, kind: CallKind, recogniser: Recogniser, prompt: str = "") -> Heard:
    """Recognise a recording and say who said what.

    Args:
        recording: as `read_recording` gives it.
        kind: of the call; tells the roles.
        recogniser: a loaded engine.
        prompt: words to expect, see `prompt_for`.
    """
    sound = describe_sound(recording)
    speech = without_split_voice(transcribe(recording, sound, recogniser, prompt), kind)
    transcript = with_loudness(build_transcript(speech.utterances, kind), recording.samples)
    doubts = () if sound.silent else _doubts(speech, transcript)
    return Heard(transcript, (*recording.warnings, *sound.notes, *doubts))


def with_loudness(transcript: Transcript, samples: NDArray[np.float32]) -> Transcript:
    """Each turn's loudness in dB against the median of its speaker's turns.

    Args:
        samples: (channels, n) at `SAMPLE_RATE`; the louder channel of a turn counts.
    """
    levels = {turn.index: _level(turn, samples) for turn in transcript.turns}
    usual = {
        role: float(np.median([levels[t.index] for t in transcript.turns if t.role is role] or [0]))
        for role in Role
    }
    turns = (
        replace(turn, loudness=round(levels[turn.index] - usual[turn.role], 1))
        for turn in transcript.turns
    )
    return replace(transcript, turns=tuple(turns))


def _level(turn: Turn, samples: NDArray[np.float32]) -> float:
    """Mean power of a turn, dB."""
    start, end = (int((at or 0.0) * SAMPLE_RATE) for at in (turn.start, turn.end))
    cut = samples[:, start : max(end, start + 1)].astype(np.float64)
    power = float(np.square(cut).mean(axis=1).max()) if cut.size else 0.0
    return 10 * float(np.log10(power + 1e-10))


def prompt_for(order: Order) -> str:
    """Names, place and matter of an order, as a sentence that a recogniser can take as context."""
    parts = (order.department, order.handler, order.petitioner, order.address, order.issue)
    known = [part for part in parts if part]
    return "，".join(known) + "。" if known else ""


def _doubts(speech: Speech, transcript: Transcript) -> tuple[str, ...]:
    """What a reader of the transcript should know. That roles are unsure, its margin says."""
    doubts = []
    if speech.dropped:
        doubts.append(f"识别结果中有 {len(speech.dropped)} 段疑似误识别，已舍弃")
    if not speech.utterances:
        return (*doubts, "录音里没有听到说话")
    if len({turn.role for turn in transcript.turns}) == 1:
        doubts.append("录音里只听到一个人说话")
    elif speech.unlikeness is not None and speech.unlikeness < UNSURE_VOICES:
        doubts.append("单声道录音中两人声音相近，说话人的区分可能有误")
    words = [word for utterance in speech.utterances for word in utterance.words]
    if sum(word.confidence for word in words) < UNSURE_WORDS * len(words):
        doubts.append("录音不清晰，识别的文字把握不大")
    return tuple(doubts)
