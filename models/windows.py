"""Packs stretches of speech into windows for recognisers that listen to 30 s at a time.

A window is fed whole, padded to 30 s, whatever it holds: packing stretches of one channel of a
call, where every other turn is silence, halves the work.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.recogniser import Word
from models.voice_activity import SAMPLE_RATE, Span
from models.words import merge_words, split_sentences

GAP = 0.2  # seconds of silence between two packed stretches, so that words do not run together
SEARCH_SHARE = 0.4  # of the limit: how far back from it a long stretch may be cut
DIP = SAMPLE_RATE // 20  # samples, 50 ms: a long stretch is cut in its quietest


@dataclass(frozen=True)
class Window:
    """Stretches of one recording, laid one after the other with `GAP` between them."""

    stretches: tuple[Span, ...]

    @property
    def offsets(self) -> tuple[float, ...]:
        """Where each stretch begins in the window, seconds."""
        lengths = [stretch.seconds + GAP for stretch in self.stretches]
        return tuple(float(x) for x in np.cumsum([0.0, *lengths[:-1]]))

    @property
    def seconds(self) -> float:
        return self.offsets[-1] + self.stretches[-1].seconds

    def cut_from(self, samples: NDArray) -> NDArray[np.float32]:
        """The samples of the window, (m,) float32, from those of the recording, (n,)."""
        gap = np.zeros(round(GAP * SAMPLE_RATE), np.float32)
        parts: list[NDArray] = []
        for stretch in self.stretches:
            start, end = round(stretch.start * SAMPLE_RATE), round(stretch.end * SAMPLE_RATE)
            parts += [gap, np.asarray(samples[start:end], np.float32)]
        return np.concatenate(parts[1:])

    def stretch_at(self, time: float) -> int:
        """Index of the stretch at a time of the window; a gap belongs half to either side."""
        return int(np.searchsorted([offset - GAP / 2 for offset in self.offsets[1:]], time))

    def in_recording(self, time: float, index: int) -> float:
        """The time in the recording of a time of the window, kept within stretch `index`."""
        stretch = self.stretches[index]
        return min(max(stretch.start, stretch.start + time - self.offsets[index]), stretch.end)


def pack(speech: Iterable[Span], samples: NDArray, limit: float) -> list[Window]:
    """Fill windows with stretches in time order.

    Args:
        speech: stretches of `samples` in time order; those longer than `limit` are cut.
        samples: (n,) at 16 kHz.
        limit: most seconds a window may hold.
    """
    windows: list[Window] = []
    current: list[Span] = []
    for stretch in _cut_long(speech, samples, limit):
        if current and Window((*current, stretch)).seconds > limit:
            windows.append(Window(tuple(current)))
            current = []
        current.append(stretch)
    if current:
        windows.append(Window(tuple(current)))
    return windows


def _cut_long(speech: Iterable[Span], samples: NDArray, limit: float) -> Iterator[Span]:
    for stretch in speech:
        start = stretch.start
        while stretch.end - start > limit:
            cut = _quietest(samples, start + limit * (1 - SEARCH_SHARE), start + limit)
            yield Span(start, cut)
            start = cut
        yield Span(start, stretch.end)


def _quietest(samples: NDArray, start: float, end: float) -> float:
    """Middle of the quietest 50 ms between two times, seconds."""
    first = round(start * SAMPLE_RATE)
    block = np.asarray(samples[first : round(end * SAMPLE_RATE)], np.float32)
    power = np.square(block[: len(block) // DIP * DIP].reshape(-1, DIP)).mean(axis=1)
    return (first + (int(power.argmin()) + 0.5) * DIP) / SAMPLE_RATE


def group_by_stretch(times: Sequence[tuple[float, float]], window: Window) -> list[int]:
    """Index of the stretch each word of a window belongs to, never going back in time."""
    indices = [window.stretch_at((start + end) / 2) for start, end in times]
    return [int(i) for i in np.maximum.accumulate(indices)] if indices else []


def sentences(pieces: Sequence[Word], window: Window) -> Iterator[tuple[Word, ...]]:
    """The words of a window, sentence by sentence, with their times in the recording.

    Args:
        pieces: characters, signs and parts of words in order, with times in the window.
    """
    merged = merge_words(pieces)
    stretches = group_by_stretch([(word.start, word.end) for word in merged], window)
    words = [
        replace(
            word,
            start=round(window.in_recording(word.start, index), 3),
            end=round(window.in_recording(word.end, index), 3),
        )
        for word, index in zip(merged, stretches, strict=True)
    ]
    return split_sentences(words, stretches)
