"""What was said when, and by which of two speakers: from a recording to timed utterances.

Where each speaker has a channel, the channel is the speaker. Where both share one, they are told
apart by their voices, word by word.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from models.hallucinations import Dropped, drop_hallucinations
from models.recogniser import Channel, Recogniser, Segment, Word
from models.speakers import Separation, separate
from models.voice_activity import find_speech
from qc.audio import SAMPLE_RATE, Recording, Sound
from qc.text import plain, syllables
from qc.transcript import Stretch

MAX_PAUSE = 0.6  # seconds between two words of one utterance
SENTENCE_END = "。？！?!"

# Probability that the speaker changes just before a word, in a recording with one channel. Turns
# of hotline calls hold some 25 characters in two or three sentences.
CHANGE_IN_PHRASE = 0.002
CHANGE_AFTER_PAUSE = 0.1
CHANGE_BETWEEN_FAREWELLS = 0.5  # 再见再见: one answers the other, or one says it twice
FAREWELLS = ("再见", "再会", "拜拜")
CHANGE_AFTER_SENTENCE = 0.5  # 0.6 in samples/corpus, but recognisers set full stops too freely
SHORT_PAUSE = 0.25  # seconds

# Echo: the other party heard faintly in one's own channel, some 20 dB softer and a little later.
ECHO_DB = 8.0  # softer than this below the other channel; leaves room for unequal levels
ECHO_DELAY = 0.3  # seconds an echo is late at most
ECHO_CORRELATION = 0.4  # measured over ECHO_WINDOW: echoes above 0.9, other speech below 0.25
ECHO_WINDOW = 1.5  # seconds compared at least; single syllables of one voice look alike
ECHO_TEXT = 70.0  # of 100, likeness of the two texts by sound
MIN_ECHO_TEXT = 4  # characters from which the texts can tell


@dataclass(frozen=True)
class Utterance:
    """Words of one speaker without a long pause."""

    speaker: int  # 0 or 1
    words: tuple[Word, ...]  # at least one, in time order

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        return self.words[0].start

    @property
    def end(self) -> float:
        return self.words[-1].end

    @property
    def confidence(self) -> float:
        """Mean of the words', 0..1."""
        return sum(word.confidence for word in self.words) / len(self.words)


@dataclass(frozen=True)
class Speech:
    """Utterances in order of beginning. `unlikeness` of the voices, None with a channel each."""

    utterances: tuple[Utterance, ...]
    dropped: tuple[Dropped, ...] = ()  # what the recogniser made up
    reliability: tuple[Stretch, ...] = ()  # how well it heard what is left
    unlikeness: float | None = None


def transcribe(
    recording: Recording, sound: Sound, recogniser: Recogniser, hot_words: tuple[str, ...] = ()
) -> Speech:
    """Recognise what is said in a recording and by whom.

    Args:
        recording: decoded, one or two channels.
        sound: what `describe_sound` says of it.
        recogniser: a loaded engine.
        hot_words: words to expect.
    """
    channels = [recording.samples[i] for i in sound.distinct_channels]
    heard: list[tuple[Word, ...]] = []
    dropped: list[Dropped] = []
    reliability: list[Stretch] = []
    for segments in recogniser.transcribe([Channel(samples, hot_words) for samples in channels]):
        filtered = drop_hallucinations(segments)
        heard.append(tuple(word for segment in filtered.kept for word in segment.words))
        dropped += filtered.dropped
        reliability += map(_stretch, filtered.kept)
    if len(channels) == 2:
        left, right = channels
        apart = (
            (0, without_echo(heard[0], heard[1], left, right)),
            (1, without_echo(heard[1], heard[0], right, left)),
        )
        said = _in_order(u for who, words in apart for u in utterances(who, words))
        return Speech(said, tuple(dropped), tuple(reliability))
    if not channels:
        return Speech(())
    said, unlikeness = _by_voice(heard[0], channels[0])
    return Speech(said, tuple(dropped), tuple(reliability), unlikeness)


def _stretch(segment: Segment) -> Stretch:
    return Stretch(
        segment.start,
        segment.end,
        segment.confidence,
        segment.no_speech,
        segment.compression_ratio,
        segment.mandarin,
    )


def utterances(speaker: int, words: Sequence[Word]) -> Iterator[Utterance]:
    """Cut one speaker's words at the pauses."""
    start = 0
    for i in range(1, len(words) + 1):
        if i == len(words) or words[i].start - words[i - 1].end > MAX_PAUSE:
            if i > start:
                yield Utterance(speaker, tuple(words[start:i]))
            start = i


def _in_order(found: Iterator[Utterance]) -> tuple[Utterance, ...]:
    return tuple(sorted(found, key=lambda u: (u.start, u.end)))


def _by_voice(words: Sequence[Word], samples: NDArray) -> tuple[tuple[Utterance, ...], float]:
    """Give each word of a shared channel to the voice that speaks at its time."""
    separation = _separate(samples)
    labels = separation.label([(w.start, w.end) for w in words], _change_probabilities(words))
    said: list[Utterance] = []
    for speaker, run in groupby(zip(words, labels, strict=True), key=lambda item: item[1][0]):
        said += utterances(speaker, [word for word, _ in run])
    return tuple(said), separation.unlikeness


def _separate(samples: NDArray) -> Separation:
    """By the voices, or by the pyannote.audio pipeline at HOTLINE_QC_SPEAKERS."""
    pipeline = os.environ.get("HOTLINE_QC_SPEAKERS", "").strip()
    if not pipeline:
        return separate(samples, find_speech(samples))
    from models.pyannote_speakers import load_pipeline, separate_by

    return separate_by(load_pipeline(Path(pipeline)), samples)


def _change_probabilities(words: Sequence[Word]) -> list[float]:
    """How likely a new speaker begins with each word, from the pause and the punctuation."""
    changes = [CHANGE_AFTER_SENTENCE] * min(1, len(words))
    said = "".join(word.text[0] for word in words)
    for number, (before, word) in enumerate(pairwise(words), 1):
        paused = word.start - before.end > SHORT_PAUSE
        answered = said[max(0, number - 2) : number] in FAREWELLS
        if answered and said[number : number + 2] in FAREWELLS:
            changes.append(CHANGE_BETWEEN_FAREWELLS)
        elif before.text.endswith(tuple(SENTENCE_END)):
            changes.append(CHANGE_AFTER_SENTENCE)
        else:
            changes.append(CHANGE_AFTER_PAUSE if paused else CHANGE_IN_PHRASE)
    return changes


def without_echo(
    words: Sequence[Word], others: Sequence[Word], own: NDArray, other: NDArray
) -> list[Word]:
    """Drop the words of a channel that are the other channel's, heard faintly.

    A run of words is an echo where the other channel is much louder and either carries the same
    wave a little earlier or says the same. Talking softly while the other one speaks is neither.

    Args:
        words: of the channel to be cleaned; `others` those of the other channel.
        own: (n,) samples of the channel to be cleaned; `other` those of the other channel.
    """
    kept: list[Word] = []
    faint = [_louder_by(other, own, word) > ECHO_DB for word in words]
    for is_faint, run in groupby(zip(words, faint, strict=True), key=lambda item: item[1]):
        stretch = [word for word, _ in run]
        if not (is_faint and _is_echo(stretch, others, own, other)):
            kept += stretch
    return kept


def _louder_by(loud: NDArray, soft: NDArray, word: Word) -> float:
    """By how many dB one channel is above the other during a word."""
    cut = slice(int(word.start * SAMPLE_RATE), int(word.end * SAMPLE_RATE) + 1)
    powers = [float(np.mean(np.square(x[cut], dtype=np.float64))) + 1e-12 for x in (loud, soft)]
    return 10 * float(np.log10(powers[0] / powers[1])) if len(loud[cut]) else 0.0


def _is_echo(words: Sequence[Word], others: Sequence[Word], own: NDArray, other: NDArray) -> bool:
    start, end = words[0].start, words[-1].end
    said = plain("".join(word.text for word in words))
    there = plain("".join(w.text for w in others if w.end > start - ECHO_DELAY and w.start < end))
    if len(said) >= MIN_ECHO_TEXT and there:
        alike = fuzz.partial_ratio("'".join(syllables(said)), "'".join(syllables(there)))
        if alike >= ECHO_TEXT:
            return True
    return _same_wave(own, other, start, end) >= ECHO_CORRELATION


def _same_wave(own: NDArray, other: NDArray, start: float, end: float) -> float:
    """Highest correlation of a stretch with the other channel up to `ECHO_DELAY` earlier, 0..1."""
    margin = max(0.0, ECHO_WINDOW - (end - start)) / 2
    first = max(0, int((start - margin) * SAMPLE_RATE))
    last = min(len(own), int((end + margin) * SAMPLE_RATE))
    early = max(0, first - int(ECHO_DELAY * SAMPLE_RATE))
    here = np.asarray(own[first:last], np.float64)
    there = np.asarray(other[early:last], np.float64)
    if len(here) < SAMPLE_RATE // 20:
        return 0.0
    size = 1 << int(np.ceil(np.log2(len(here) + len(there))))
    product = np.fft.rfft(there, size) * np.conj(np.fft.rfft(here, size))
    shifted = np.fft.irfft(product, size)[: first - early + 1]
    energy = np.sqrt(np.sum(here**2) * np.sum(there[-len(here) :] ** 2)) + 1e-9
    return float(np.abs(shifted).max() / energy)
