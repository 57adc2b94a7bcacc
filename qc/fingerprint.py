"""Whether two recordings hold the same sound, however they were encoded: Chromaprint's fingerprint.

A fingerprint has one number of 32 bits for each 0.124 s of sound; two are compared by the share of
bits that differ. (L. Lalinský, How does Chromaprint work?, 2011; J. Haitsma, T. Kalker, A highly
robust audio fingerprinting system, ISMIR 2002.) Needs the system's library libchromaprint.
"""

import base64
import importlib
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qc.audio import SAMPLE_RATE

ITEM_SECONDS = 1365 / 11_025  # Chromaprint's step and rate
BLOCK = 60 * SAMPLE_RATE  # samples fed at a time
MIN_ITEMS = 32  # of 6 s of sound; less is compared with nothing
MIN_COMPARED = 24  # items of two that must meet

MAX_SHIFT = 25  # items, 3.1 s: how much earlier one may begin, and how much longer it may be
WINDOW = 16  # items, 2 s
SILENCE = 627_964_279  # the item of digital silence; coders that save on pauses leave it
REACH = 16  # items on either side that it shows in
# Share of bits that differ in the worst window of the best alignment. Measured on 44 rendered
# calls of two voices that begin with the same 13 s of greeting: the same call, as AMR at 12.2
# kbit/s, as MP3, at 15 % of its level, with 1 s of silence before it or 0.5 s cut off, or several
# of these: at most 0.13 (mean 0.10); two calls of about the same length: 0.26 and more.
SAME = 0.19
PROBES = 3  # windows looked at first, evenly spread
MAYBE = 0.25  # of their bits

Fingerprint = NDArray[np.uint32]  # (items,)
Key = TypeVar("Key", bound=Hashable)


@cache
def _chromaprint() -> ModuleType | None:
    try:
        return importlib.import_module("chromaprint")  # loads the system's library
    except ImportError:
        return None


def available() -> bool:
    """Whether the system has Chromaprint's library."""
    return _chromaprint() is not None


def fingerprint(samples: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of a recording, empty where the library is missing or the sound too short.

    Args:
        samples: (channels, n) at 16 kHz; may be a memory map of any length, is read in blocks.
    """
    library = _chromaprint()
    if library is None:
        return np.zeros(0, np.uint32)
    printer = library.Fingerprinter()
    printer.start(SAMPLE_RATE, 1)
    for start in range(0, samples.shape[1], BLOCK):
        mono = samples[:, start : start + BLOCK].mean(axis=0)
        printer.feed((np.clip(mono, -1, 1) * 32_767).astype("<i2").tobytes())
    items, _ = library.decode_fingerprint(printer.finish())
    return np.array(items if len(items) >= MIN_ITEMS else [], np.uint32)


def to_text(printed: Fingerprint) -> str:
    """For storing: base64."""
    return base64.b64encode(printed.astype("<u4").tobytes()).decode()


def from_text(text: str) -> Fingerprint:
    """Back from `to_text`."""
    return np.frombuffer(base64.b64decode(text), "<u4").astype(np.uint32)


def find_same(printed: Mapping[Key, Fingerprint]) -> Iterator[tuple[Key, Key]]:
    """All pairs of the same sound; only those of nearly one length are compared."""
    keys = sorted(printed, key=lambda key: len(printed[key]))
    lengths = [len(printed[key]) for key in keys]
    for i, key in enumerate(keys):
        last = bisect_right(lengths, lengths[i] + MAX_SHIFT)
        for other in matching(printed[key], {k: printed[k] for k in keys[i + 1 : last]}):
            yield key, other


def matching(wanted: Fingerprint, others: Mapping[Key, Fingerprint]) -> list[Key]:
    """The keys of those that are the same sound as `wanted`."""
    near = {
        key: other
        for key, other in others.items()
        if abs(len(other) - len(wanted)) <= MAX_SHIFT and len(other) >= MIN_ITEMS
    }
    if len(wanted) < MIN_ITEMS or not near:
        return []
    likely = _maybe(wanted, list(near.values()))
    return [
        key
        for (key, other), is_likely in zip(near.items(), likely, strict=True)
        if is_likely and _is_same(wanted, other)
    ]


def _maybe(wanted: Fingerprint, others: Sequence[Fingerprint]) -> NDArray[np.bool_]:
    """Whether a few windows of each agree at some alignment: a tenth of the work or less."""
    width = max(map(len, [wanted, *others])) + 2 * MAX_SHIFT
    table = np.zeros((len(others), width), np.uint32)
    for row, other in zip(table, others, strict=True):
        row[MAX_SHIFT : MAX_SHIFT + len(other)] = other
    firsts = np.linspace(0, len(wanted) - WINDOW, PROBES + 2).astype(int)[1:-1]
    places = np.concatenate([np.arange(first, first + WINDOW) for first in firsts])
    best = np.ones(len(others))
    for shift in range(2 * MAX_SHIFT + 1):
        there = table[:, places + shift]
        np.minimum(best, _differing(there, wanted[places]).mean(axis=1), out=best)
    return best <= MAYBE


def _is_same(a: Fingerprint, b: Fingerprint) -> bool:
    """By the worst window of the alignment at which most bits agree; pauses do not count."""
    compared = (errors for errors in _alignments(a, b) if len(errors) >= MIN_COMPARED)
    errors = min(compared, key=lambda errors: float(errors.mean()), default=None)
    if errors is None:
        return False
    sums = np.cumsum(np.concatenate([[0.0], errors]))
    return float((sums[WINDOW:] - sums[:-WINDOW]).max()) / WINDOW <= SAME


def _alignments(a: Fingerprint, b: Fingerprint) -> Iterator[NDArray[np.float64]]:
    """Differing bits where the two overlap and neither is near silence, for each shift."""
    sound_a, sound_b = _sounding(a), _sounding(b)
    for shift in range(-MAX_SHIFT, MAX_SHIFT + 1):
        first, second = max(0, -shift), max(0, shift)
        both = min(len(a) - first, len(b) - second)
        here, there = slice(first, first + both), slice(second, second + both)
        yield _differing(a[here], b[there])[sound_a[here] & sound_b[there]]


def _sounding(printed: Fingerprint) -> NDArray[np.bool_]:
    """Which items hold no part of a digital silence."""
    near = np.ones(2 * REACH + 1)
    return np.convolve(printed == SILENCE, near)[REACH:-REACH] < 0.5


def _differing(a: Fingerprint, b: Fingerprint) -> NDArray[np.float64]:
    """Share of differing bits, item by item."""
    return np.bitwise_count(a ^ b) / 32
