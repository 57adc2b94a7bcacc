"""From a decoded recording to a transcript with roles."""

from dataclasses import dataclass, replace

from models.recogniser import Recogniser
from qc.audio import Recording, describe_sound
from qc.circumstances import with_ending
from qc.fitness import Quality, QualityLevel
from qc.line_noises import without_announcements, without_tones
from qc.order import CallKind, Order
from qc.privacy import surname_of
from qc.prosody import with_prosody
from qc.recording_quality import judge_quality, with_parties
from qc.roles import build_transcript, without_split_voice
from qc.speech import Speech, transcribe
from qc.tones import find_tones
from qc.transcript import Transcript

FORMS_OF_ADDRESS = ("先生", "女士")
UNSURE_WORDS = 0.5  # mean confidence of a recording below which its text is not to be relied on
UNSURE_VOICES = 0.25  # silhouette; pairs of the same sex are above, mostly


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording. `warnings` are Chinese sentences for the report."""

    transcript: Transcript
    quality: Quality
    warnings: tuple[str, ...] = ()


def listen(
    recording: Recording, kind: CallKind, recogniser: Recogniser, hot_words: tuple[str, ...] = ()
) -> Heard:
    """Recognise a recording and say who said what. What is unusable is not recognised.

    Args:
        recording: as `read_recording` gives it.
        kind: of the call; tells the roles.
        recogniser: a loaded engine.
        hot_words: words to expect, see `hot_words_of`.
    """
    sound = describe_sound(recording)
    tones = [find_tones(channel) for channel in recording.samples]
    quality = judge_quality(recording, sound, tones)
    known = (*recording.warnings, *sound.notes)
    if quality.level is QualityLevel.UNUSABLE:
        return Heard(Transcript(()), quality, tuple(dict.fromkeys((*known, *quality.reasons))))
    call = without_tones(recording, tones)
    speech = without_announcements(transcribe(call, sound, recogniser, hot_words))
    speech = without_split_voice(speech, kind)
    transcript = with_prosody(build_transcript(speech.utterances, kind), recording.samples)
    transcript = replace(transcript, reliability=speech.reliability)
    if not recording.warnings:  # of a damaged file the end tells nothing
        transcript = with_ending(transcript, recording.seconds)
    quality = with_parties(quality, len({turn.role for turn in transcript.turns}))
    doubts = (*_doubts(speech, transcript), *quality.reasons)
    return Heard(transcript, quality, tuple(dict.fromkeys((*known, *doubts))))


def hot_words_of(order: Order) -> tuple[str, ...]:
    """Names, place and matter of an order, and how those named are addressed."""
    people = [name for name in (order.petitioner, order.handler) if name]
    called = [f"{surname_of(name)}{title}" for name in people for title in FORMS_OF_ADDRESS]
    parts = (order.department, *people, *called, order.address, order.issue)
    return tuple(dict.fromkeys(part for part in parts if part))


def _doubts(speech: Speech, transcript: Transcript) -> tuple[str, ...]:
    """What a reader of the transcript should know. That roles are unsure, its margin says."""
    doubts = []
    if speech.dropped:
        doubts.append(f"识别结果中有 {len(speech.dropped)} 段疑似误识别，已舍弃")
    if not speech.utterances:
        return tuple(doubts)
    two = len({turn.role for turn in transcript.turns}) > 1
    if two and speech.unlikeness is not None and speech.unlikeness < UNSURE_VOICES:
        doubts.append("单声道录音中两人声音相近，说话人的区分可能有误")
    words = [word for utterance in speech.utterances for word in utterance.words]
    if sum(word.confidence for word in words) < UNSURE_WORDS * len(words):
        doubts.append("录音不清晰，识别的文字把握不大")
    return tuple(doubts)
