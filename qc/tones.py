"""Tones of the telephone network in a recording: ring-back, busy, dial tone, pressed keys.

Chinese exchanges send 450 Hz (GB/T 3380: 450 ± 25 Hz): ring-back 1 s in 5 s, busy 0.35 s in
0.7 s, congestion 0.7 s in 1.4 s, dial tone without a pause. Keys send one of four low and one of
four high frequencies (DTMF, ITU-T Q.23; at least 40 ms, Q.24).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.threads import one_blas_thread
from qc.audio import SAMPLE_RATE

FRAME, HOP = SAMPLE_RATE // 25, SAMPLE_RATE // 50  # samples, 40 ms each 20 ms
FRAME_RATE = SAMPLE_RATE / HOP
BLOCK = 250  # frames looked at at a time, 5 s: they stay in the cache

LINE = (425.0, 437.5, 450.0, 462.5, 475.0)  # Hz, the tolerance of the exchange's tone
LOW = (697.0, 770.0, 852.0, 941.0)  # Hz
HIGH = (1209.0, 1336.0, 1477.0, 1633.0)  # Hz
KEYS = ("123A", "456B", "789C", "*0#D")
WINDOW = np.hanning(FRAME + 1)[:-1].astype(np.float32)

LOUD_ENOUGH = 10 ** (-50 / 10)  # mean square of a frame; network tones are at -10 to -35 dBFS
LINE_SHARE = 0.8  # of a frame's energy in one tone; with noise 10 dB below it is 0.9
KEY_SHARE = 0.6  # in two tones; 0.65 where both are at the edge of their tolerance of 1.8 %
KEY_TWIST = 0.1  # the weaker of a key's two tones at least, as a share of the stronger (10 dB)
STEADY_DB = 2.0  # median deviation of a tone's level over its length; vowels swell and fade

MIN_LINE = 0.2  # seconds; the shortest busy tone is 0.35 s, the first may be cut off
MIN_KEY = 0.04  # seconds
MAX_HOLE = 0.06  # seconds within a tone lost to a click
DIAL = 1.6  # seconds; a longer tone is no ringing
BUSY_PAUSE = 1.2  # seconds; ringing pauses for 4, congestion for 0.7


class ToneKind(StrEnum):
    """What a tone means."""

    RINGING = "ringing"
    BUSY = "busy"
    DIAL = "dial"
    KEY = "key"


@dataclass(frozen=True)
class Tone:
    """One tone without a pause; seconds from the beginning of the samples."""

    start: float
    end: float
    kind: ToneKind
    key: str = ""  # which, of a pressed key

    @property
    def seconds(self) -> float:
        return self.end - self.start


def find_tones(samples: NDArray) -> list[Tone]:
    """Find ringing, busy and dial tones and pressed keys.

    Args:
        samples: (n,) float32 at 16 kHz; may be a memory map of any length, is read in blocks.

    Returns:
        In time order; each burst is one tone, so ten seconds of ringing are two.
    """
    with one_blas_thread():
        frames = list(_frames(samples))
    if not frames:
        return []
    level, line, key = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    keys = [
        Tone(start / FRAME_RATE, end / FRAME_RATE, ToneKind.KEY, "".join(KEYS)[int(key[start])])
        for start, end in _runs(key, MIN_KEY)
    ]
    steady = (
        (start / FRAME_RATE, end / FRAME_RATE)
        for start, end in _runs(np.where(line, 0, -1), MIN_LINE)
        if _is_steady(level[start + 1 : end - 2])
    )
    return sorted([*keys, *_with_meaning(list(steady))], key=lambda tone: tone.start)


def _frames(samples: NDArray) -> Iterator[tuple[NDArray, NDArray, NDArray]]:
    """Of the frames of each block: level in dB, whether it is the line's tone, key or -1."""
    count = max(0, (len(samples) - FRAME) // HOP + 1)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        cut = np.asarray(samples[first * HOP : (last - 1) * HOP + FRAME], np.float32)
        frames = sliding_window_view(cut, FRAME)[::HOP]
        frames = (frames - frames.mean(axis=1, keepdims=True)) * WINDOW
        energy = np.square(frames).sum(axis=1)
        power = energy / np.square(WINDOW).sum()
        shares = _shares(frames, energy)
        audible = power > LOUD_ENOUGH
        line = audible & (shares[:, : len(LINE)].max(axis=1) > LINE_SHARE)
        key = np.where(audible, _keys(shares[:, len(LINE) :]), -1)
        yield 10 * np.log10(power + 1e-12), line, key


def _shares(frames: NDArray, energy: NDArray) -> NDArray:
    """Share of each frame's energy in each frequency of `LINE`, `LOW` and `HIGH`."""
    times = np.arange(FRAME) / SAMPLE_RATE
    waves = np.exp(-2j * np.pi * np.outer(times, (*LINE, *LOW, *HIGH)))
    amplitudes = np.hypot(
        frames @ waves.real.astype(np.float32), frames @ waves.imag.astype(np.float32)
    )
    scale = 2 * float(np.square(WINDOW).sum()) / float(WINDOW.sum()) ** 2
    return scale * np.square(amplitudes) / (energy[:, None] + 1e-12)


def _keys(shares: NDArray) -> NDArray:
    """Number of the key pressed in each frame, row by row of the keypad, or -1."""
    low, high = shares[:, : len(LOW)], shares[:, len(LOW) :]
    pair = np.stack([low.max(axis=1), high.max(axis=1)])
    pressed = (pair.sum(axis=0) > KEY_SHARE) & (pair.min(axis=0) > KEY_TWIST * pair.max(axis=0))
    return np.where(pressed, low.argmax(axis=1) * len(HIGH) + high.argmax(axis=1), -1)


def _runs(values: NDArray, shortest: float) -> Iterator[tuple[int, int]]:
    """First frame and frame after the last of each run of one value that is not -1."""
    runs: list[tuple[int, int]] = []
    borders = np.flatnonzero(np.diff(values, prepend=-1, append=-1))
    for start, end in pairwise(borders.tolist()):
        if values[start] < 0:
            continue
        hole = (start - runs[-1][1]) / FRAME_RATE if runs else MAX_HOLE + 1
        if hole <= MAX_HOLE and values[runs[-1][0]] == values[start]:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    for start, end in runs:
        if (end - start) / FRAME_RATE >= shortest:
            yield start, end + 1  # the last frame reaches one hop further


def _is_steady(level: NDArray) -> bool:
    return len(level) > 0 and float(np.abs(level - np.median(level)).max()) < STEADY_DB


def _with_meaning(tones: list[tuple[float, float]]) -> Iterator[Tone]:
    """Tell the meaning of the line's tones from their lengths and pauses."""
    for i, (start, end) in enumerate(tones):
        pauses = [start - tones[i - 1][1]] if i else []
        pauses += [tones[i + 1][0] - end] if i + 1 < len(tones) else []
        if end - start > DIAL:
            kind = ToneKind.DIAL
        elif min(pauses, default=BUSY_PAUSE) < BUSY_PAUSE:
            kind = ToneKind.BUSY
        else:
            kind = ToneKind.RINGING
        yield Tone(start, end, kind)
