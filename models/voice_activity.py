"""Where somebody speaks: silero VAD's probabilities, with hysteresis."""

import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models import silero
from models.silero import CONTEXT, FRAME
from models.threads import one_blas_thread

SAMPLE_RATE = 16_000  # Hz
FRAME_RATE = SAMPLE_RATE / FRAME  # 31.25 a second
BLOCK = 256 * FRAME  # samples read at a time, 8 s: the layers' values stay in the cache

ENTER = 0.5  # probability at which speech begins
LEAVE = 0.35  # and below which it ends; the network's authors use 0.15 less than to enter
MIN_SPEECH = 0.2  # seconds; the shortest 嗯 or 对 of a citizen
MIN_SILENCE = 0.2  # seconds; shorter pauses are inside a phrase
SILENCE_AFTER = (0.0,) * (1 + int(MIN_SILENCE * FRAME_RATE))  # ends the last span
KNOWN = 16  # results kept: recogniser, speakers and quality ask of the same channel one by one
PADDING = 0.15  # seconds kept on either side: initial consonants are soft


@dataclass(frozen=True)
class Span:
    """A stretch of time in seconds from the beginning of the samples."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def find_speech(samples: NDArray) -> list[Span]:
    """Find the stretches in which somebody speaks.

    Args:
        samples: (n,) float32 at 16 kHz; may be a memory map of any length, is read in blocks.

    Returns:
        Spans in time order that do not overlap, padded, none shorter than `MIN_SPEECH`.
    """
    digest = _digest(samples)
    spans = _known.get(digest)
    if spans is None:
        spans = _pad(_spans(speech_probabilities(samples)), len(samples) / SAMPLE_RATE)
        with _remembering:
            while len(_known) >= KNOWN:
                _known.pop(next(iter(_known)))
            _known[digest] = spans
    return list(spans)


def speech_probabilities(samples: NDArray) -> Iterator[float]:
    """Probability of speech for each frame of 32 ms, the last one padded with zeros."""
    network = silero.load()
    memory = silero.BLANK
    context = np.zeros(CONTEXT, np.float32)
    for start in range(0, len(samples), BLOCK):
        block = np.asarray(samples[start : start + BLOCK], np.float32)
        block = np.concatenate([context, np.pad(block, (0, -len(block) % FRAME))])
        frames = sliding_window_view(block, CONTEXT + FRAME)[::FRAME]
        with one_blas_thread():
            probabilities, memory = network.probabilities(network.features(frames), memory)
        context = block[-CONTEXT:]
        yield from probabilities.tolist()


_known: dict[bytes, list[Span]] = {}  # by the digest of the samples, oldest first
_remembering = threading.Lock()


def _digest(samples: NDArray) -> bytes:
    """Identifies samples: 0.005 s a minute, a tenth of listening to it."""
    digest = hashlib.sha1(usedforsecurity=False)
    for start in range(0, len(samples), BLOCK):
        digest.update(np.asarray(samples[start : start + BLOCK], np.float32).tobytes())
    return digest.digest()


def _spans(probabilities: Iterable[float]) -> Iterator[Span]:
    """Spans above the thresholds, bridged over short pauses, without the short ones."""
    start: int | None = None  # frame in which the span we are in began
    end = 0  # frame after the last one with speech
    for now, probability in enumerate(itertools.chain(probabilities, SILENCE_AFTER)):
        if start is None:
            if probability >= ENTER:
                start, end = now, now + 1
        elif probability >= LEAVE:
            end = now + 1
        elif now + 1 - end >= MIN_SILENCE * FRAME_RATE:
            if end - start >= MIN_SPEECH * FRAME_RATE:
                yield Span(start / FRAME_RATE, end / FRAME_RATE)
            start = None


def _pad(spans: Iterable[Span], total: float) -> list[Span]:
    """Widen spans by `PADDING`, at most to the middle of the pause between two."""
    padded: list[Span] = []
    for span in spans:
        start, end = max(0.0, span.start - PADDING), min(total, span.end + PADDING)
        if padded and start < padded[-1].end:
            start = (start + padded[-1].end) / 2
            padded[-1] = Span(padded[-1].start, start)
        padded.append(Span(start, end))
    return padded
