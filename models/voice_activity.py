"""Where somebody speaks: silero VAD on onnxruntime, frame by frame, with hysteresis.

The weights are silero-vad 6.2's (MIT, see weights/silero_vad.LICENSE).
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WEIGHTS = Path(__file__).parent / "weights" / "silero_vad.onnx"
SAMPLE_RATE = 16_000  # Hz
FRAME = 512  # samples, 32 ms, what the network takes at 16 kHz
CONTEXT = 64  # samples of the frame before that it wants to see again
FRAME_RATE = SAMPLE_RATE / FRAME  # 31.25 a second
STATE_SHAPE = (2, 1, 128)
BLOCK = 1_024 * FRAME  # samples read at a time, 33 s

ENTER = 0.5  # probability at which speech begins
LEAVE = 0.35  # and below which it ends; the network's authors use 0.15 less than to enter
MIN_SPEECH = 0.2  # seconds; the shortest 嗯 or 对 of a citizen
MIN_SILENCE = 0.2  # seconds; shorter pauses are inside a phrase
SILENCE_AFTER = (0.0,) * (1 + int(MIN_SILENCE * FRAME_RATE))  # ends the last span
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
    spans = _spans(speech_probabilities(samples))
    return _pad(spans, len(samples) / SAMPLE_RATE)


def speech_probabilities(samples: NDArray) -> Iterator[float]:
    """Probability of speech for each frame of 32 ms, the last one padded with zeros."""
    session = _session()
    state = np.zeros(STATE_SHAPE, np.float32)
    rate = np.array(SAMPLE_RATE, np.int64)
    window = np.zeros((1, CONTEXT + FRAME), np.float32)
    for start in range(0, len(samples), BLOCK):
        block = np.asarray(samples[start : start + BLOCK], np.float32)
        frames = np.pad(block, (0, -len(block) % FRAME)).reshape(-1, FRAME)
        for frame in frames:
            window[0, :CONTEXT] = window[0, -CONTEXT:]
            window[0, CONTEXT:] = frame
            probability, state = session.run(None, {"input": window, "state": state, "sr": rate})
            yield float(probability[0, 0])


@cache
def _session() -> "InferenceSession":
    import onnxruntime  # slow import

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1  # frames are tiny
    return onnxruntime.InferenceSession(str(WEIGHTS), options, ["CPUExecutionProvider"])


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
