"""Who of two speakers speaks when, told from the sound alone: for recordings with one channel.

The usual chain for telephone calls: voice prints of windows, clustered into two; then for each
speaker a Gaussian mixture over short frames, and forward-backward over a chain of two states, which
finds the changes inside a window (S. Tranter and D. Reynolds, “An overview of automatic speaker
diarization systems”, IEEE TASLP 14(5), 2006).

What the prints of one stretch of speech differ in is mostly not the speaker. It is measured and
scaled down before they are clustered (A. Hatch, S. Kajarekar and A. Stolcke, “Within-class
covariance normalization for SVM-based speaker recognition”, Interspeech 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.mixtures import Mixture, fit_all, refit
from models.voice_activity import Span
from models.voice_prints import WINDOW, voice_prints

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

SAMPLE_RATE = 16_000  # Hz
HOP = 320  # samples, 20 ms between frames
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
FFT = 512  # samples, 32 ms, the length of a frame for the spectrum
BAND_HZ = (250.0, 3600.0)  # what a telephone carries
BANDS = 26  # mel bands in it
CEPSTRA = 16  # without the first, which is loudness: it follows the mood
QUIET_DB = 30.0  # frames this much below the loud ones of their stretch are not compared
BLOCK = 3_000  # frames described at a time, 60 s

WINDOW_FRAMES = WINDOW // HOP
MIN_WINDOW = 20  # frames of speech in a window worth clustering, 0.4 s
MIN_SPEECH = 2 * WINDOW_FRAMES  # frames; with less there is nothing to tell two speakers by
LEAST_HOP = 40  # frames from window to window, 0.8 s; more in long recordings
MOST_WINDOWS = 48  # evenly spread over the recording; the encoder takes 4 ms of CPU for each
AXES = 30  # principal directions of the prints in which they are clustered
SHRINKAGE = 0.25  # of the covariance within stretches towards a sphere
SAME_SPEAKER = 0.8  # share of neighbouring windows taken for one speaker's, the likest
STARTS = 20  # of k-means

ROUNDS = 4  # of training the mixtures and finding the path; labels settle after two or three
FIRST_FITTING, FITTING = 6, 2  # expectation-maximisation steps in the first round, and in others
DEPENDENT = 8.0  # frames that count as one: neighbours say nearly the same
MOST_EVIDENCE = 4.0  # natural log-odds a frame may give; more is an outlier
STEP = 2  # frames a state of the chain, 40 ms
TURN_SECONDS = 8.0  # mean length of a turn inside a stretch without a pause
PAUSE_CHANGE = 0.3  # probability that the speaker changes over a pause between stretches
ONE_SPEAKER = 0.1  # silhouette up to which two groups of windows are one voice


@dataclass(frozen=True)
class SpeakerSpan:
    """A stretch of one speaker. Seconds from the beginning; confidence 0.5..1."""

    start: float
    end: float
    speaker: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Separation:
    """Two speakers told apart, or one. `unlikeness` says how far apart they sound."""

    spans: tuple[SpeakerSpan, ...]
    speakers: int  # 0, 1 or 2
    unlikeness: float  # silhouette of the voice prints, 0..1
    evidence: NDArray[np.float32]  # (frames,) natural log-odds for speaker 1, 0 outside speech

    def label(
        self, words: Sequence[tuple[float, float]], changes: Sequence[float]
    ) -> list[tuple[int, float]]:
        """Speaker and confidence (0.5..1) of each word.

        Args:
            words: start and end in seconds, in time order.
            changes: probability that the speaker changes just before each word.
        """
        if not words or self.speakers < 2:
            return [(0, 1.0)] * len(words)
        total = np.concatenate([[0.0], np.cumsum(self.evidence, dtype=np.float64)])
        bounds = np.round(np.array(words) * FRAMES_PER_SECOND).astype(int)
        first, last = np.clip(bounds, 0, len(self.evidence)).T
        second = smooth(total[np.maximum(first, last)] - total[first], np.array(changes))
        return [(int(p > 0.5), float(max(p, 1 - p))) for p in second]


def separate(samples: NDArray, speech: Sequence[Span]) -> Separation:
    """Tell two speakers apart.

    Args:
        samples: (n,) float32 at 16 kHz; may be a memory map, is read in blocks.
        speech: where somebody speaks, in time order, as `find_speech` gives it.

    Returns:
        Speaker 0 is the one who speaks first.
    """
    silent = np.zeros(-(-len(samples) // HOP), np.float32)
    if not speech:
        return Separation((), 0, 0.0, silent)
    sound = _describe(samples, speech)
    windows = _windows(sound)
    if sound.heard.sum() < MIN_SPEECH or len(windows) < 2:
        return _one_speaker(speech, silent)
    with _threads().limit(limits=1):  # the matrices are small: threads only wait for one another
        prints = voice_prints(samples, [int(window[0]) * HOP for window in windows])
        found = _cluster(prints, [int(sound.stretch[window[0]]) for window in windows])
        second, evidence = _follow(sound, _shares(found, windows, len(silent)))
        unlikeness = _unlikeness(prints, windows, second)
    if unlikeness <= ONE_SPEAKER:
        return _one_speaker(speech, silent)
    if second[sound.heard][0] > 0.5:
        second, evidence = 1 - second, -evidence
    return Separation(tuple(_spans(second, sound, speech)), 2, unlikeness, evidence)


@cache
def _threads() -> "ThreadpoolController":
    import torch  # noqa: F401  # brings threads that the controller must know of
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def smooth(evidence: NDArray, change: NDArray) -> NDArray[np.float64]:
    """Forward-backward over two states.

    Args:
        evidence: (n,) natural log-odds for the second state at each step.
        change: (n,) probability that the state changes just before each step.

    Returns:
        (n,) probability of the second state, given all steps.
    """
    odds = np.clip(evidence, -50.0, 50.0)
    change = np.clip(change, 1e-6, 0.5)
    forward = _pass_on(odds, change)
    backward = _pass_on(odds[::-1], np.roll(change[::-1], 1))[::-1]
    return 1 / (1 + np.exp(-np.clip(forward + backward - odds, -50.0, 50.0)))


def _pass_on(odds: NDArray, change: NDArray) -> NDArray[np.float64]:
    """Log-odds of each step, given it and those before."""
    out = []
    before = 0.0
    for here, swap in zip(odds.tolist(), change.tolist(), strict=True):
        stay = 1 - swap
        ratio = exp(before)  # of at most 50 and the log-odds of staying, 14
        before = here + log((swap + stay * ratio) / (stay + swap * ratio))
        out.append(before)
    return np.array(out)


@dataclass(frozen=True, eq=False)
class _Sound:
    """Frames of a recording; what is outside `heard` is not to be used."""

    cepstra: NDArray[np.float32]  # (frames, CEPSTRA)
    heard: NDArray[np.bool_]  # (frames,) inside a stretch and loud enough
    stretch: NDArray[np.int32]  # (frames,) number of the stretch of speech, -1 outside


def _describe(samples: NDArray, speech: Sequence[Span]) -> _Sound:
    frames = -(-len(samples) // HOP)
    cepstra = np.zeros((frames, CEPSTRA), np.float32)
    level = np.full(frames, -np.inf, np.float32)
    stretch = np.full(frames, -1, np.int32)
    for number, span in enumerate(speech):
        first, last = _frame(span.start, frames), _frame(span.end, frames)
        stretch[first:last] = number
        for start in range(first, last, BLOCK):
            end = min(last, start + BLOCK)
            cepstra[start:end], level[start:end] = _cepstra(_framed(samples, start, end))
        if last > first:
            level[first:last] -= float(np.percentile(level[first:last], 95))
    return _Sound(cepstra, level > -QUIET_DB, stretch)


def _frame(seconds: float, frames: int) -> int:
    return min(frames, max(0, round(seconds * FRAMES_PER_SECOND)))


def _framed(samples: NDArray, first: int, last: int) -> NDArray[np.float32]:
    """(last - first, FFT) samples around the frames, zeros past the ends."""
    low = first * HOP - (FFT - HOP) // 2
    high = low + (last - first - 1) * HOP + FFT
    block = np.asarray(samples[max(0, low) : high], np.float32)
    block = np.pad(block, (max(0, -low), max(0, high - max(0, low) - len(block))))
    return np.lib.stride_tricks.sliding_window_view(block, FFT)[::HOP]


def _cepstra(cut: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cepstra (n, CEPSTRA) and level in dB (n,)."""
    from scipy.fft import dct, rfft

    hann = np.hanning(FFT + 1)[:-1].astype(np.float32)
    power = np.abs(rfft(cut * hann, axis=1)) ** 2
    bands = np.log(power @ _mel_filters() + 1e-8)
    level = 10 * np.log10(power.sum(axis=1) + 1e-8)
    return dct(bands, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1], level


@cache
def _mel_filters() -> NDArray[np.float32]:
    """(FFT / 2 + 1, BANDS) triangles, evenly spread in mel over the telephone band."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in BAND_HZ)
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.arange(FFT // 2 + 1)[:, None] * SAMPLE_RATE / FFT
    rising = (hz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hz) / np.diff(edges)[1:]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def _windows(sound: _Sound) -> list[NDArray[np.intp]]:
    """Frames heard in each window; windows never cross from one stretch to another."""
    hop = max(LEAST_HOP, int(np.count_nonzero(sound.stretch >= 0) / MOST_WINDOWS))
    windows = []
    for number in range(sound.stretch.max() + 1):
        inside = np.flatnonzero(sound.stretch == number)
        for start in range(0, max(1, len(inside) - WINDOW_FRAMES + hop), hop):
            part = inside[start : start + WINDOW_FRAMES]
            part = part[sound.heard[part]]
            if len(part) >= MIN_WINDOW:
                windows.append(part)
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).round()
    return [windows[i] for i in chosen.astype(int)]


def _cluster(prints: NDArray[np.float64], stretch: Sequence[int]) -> NDArray[np.int_]:
    """Group, 0 or 1, of each voice print; `stretch` is the stretch of speech each comes from."""
    from scipy.cluster.vq import kmeans, vq

    points = _without_mood(prints, np.array(stretch))
    centres, _ = kmeans(points, 2, iter=STARTS, rng=0)
    return vq(points, centres)[0]


def _without_mood(prints: NDArray[np.float64], stretch: NDArray) -> NDArray[np.float64]:
    """Prints in units of how they change inside a stretch of speech."""
    centred = prints - prints.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:AXES]
    points = centred @ axes.T
    steps = np.diff(points, axis=0)[np.diff(stretch) == 0]
    sizes = np.square(steps).sum(axis=1)
    steps = steps[sizes <= np.quantile(sizes, SAME_SPEAKER)] if len(steps) else steps
    within = steps.T @ steps / max(1, len(steps))
    sphere = SHRINKAGE * np.trace(within) / len(within) + 1e-9
    return points @ np.linalg.cholesky(np.linalg.inv(within + sphere * np.eye(len(within))))


def _shares(
    found: NDArray[np.int_], windows: Sequence[NDArray[np.intp]], frames: int
) -> NDArray[np.float64]:
    """(frames,) first guess of the second speaker's share, a half outside the windows."""
    second = np.full(frames, 0.5)
    for window, group in zip(windows, found, strict=True):
        second[window] = group
    return second


def _follow(
    sound: _Sound, second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Train a mixture for each speaker and find who speaks, in turn.

    Returns:
        (frames,) probability of the second speaker, and the log-odds for it that each frame gives.
    """
    heard = sound.cepstra[sound.heard]
    heard = (heard - heard.mean(axis=0)) / (heard.std(axis=0) + 1e-6)
    powers = np.hstack([heard, heard**2])
    both = fit_all(powers)
    speakers = [both, both]
    change = _changes(sound.stretch)
    evidence = np.zeros(len(second), np.float32)
    for number in range(ROUNDS):
        share = second[sound.heard]
        steps = FITTING if number else FIRST_FITTING
        speakers = [
            refit(own, powers, part, both, steps)
            for own, part in zip(speakers, (1 - share, share), strict=True)
        ]
        evidence[sound.heard] = _compare(speakers, powers)
        found = smooth(_by_step(evidence), change)
        second = np.repeat(found, STEP)[: len(second)]
    return second, evidence


def _compare(speakers: Sequence[Mixture], powers: NDArray) -> NDArray[np.float32]:
    first, second = (speaker.explain(powers)[1] for speaker in speakers)
    return np.clip(second - first, -MOST_EVIDENCE, MOST_EVIDENCE) / DEPENDENT


def _by_step(evidence: NDArray) -> NDArray:
    return np.pad(evidence, (0, -len(evidence) % STEP)).reshape(-1, STEP).sum(axis=1)


def _changes(stretch: NDArray[np.int32]) -> NDArray[np.float64]:
    """(steps,) probability that the speaker changes just before each step of the chain."""
    steps = stretch[::STEP]
    change = np.full(len(steps), STEP / FRAMES_PER_SECOND / TURN_SECONDS)
    change[1:][(steps[1:] >= 0) & (steps[:-1] != steps[1:])] = PAUSE_CHANGE
    return change


def _unlikeness(
    prints: NDArray, windows: Sequence[NDArray[np.intp]], second: NDArray[np.float64]
) -> float:
    """Silhouette of the two speakers' voice prints, at most 1."""
    from sklearn.metrics import silhouette_score

    shares = np.array([(second[w] > 0.5).mean() for w in windows])
    long = np.array([len(w) > WINDOW_FRAMES / 2 for w in windows])
    pure = long & ((shares == 0) | (shares == 1))
    own = shares[pure]
    if len(np.unique(own)) < 2 or len(own) < 3:
        return 0.0
    return float(silhouette_score(prints[pure], own, metric="cosine"))


def _one_speaker(speech: Sequence[Span], silent: NDArray) -> Separation:
    spans = tuple(SpeakerSpan(s.start, s.end, 0, 1.0) for s in speech)
    return Separation(spans, 1, 0.0, silent)


def _spans(second: NDArray, sound: _Sound, speech: Sequence[Span]) -> list[SpeakerSpan]:
    """Cut the stretches of speech where the speaker changes, without the silence around them."""
    spans = []
    for number in range(len(speech)):
        inside = np.flatnonzero(sound.heard & (sound.stretch == number))
        if not len(inside):
            continue
        first = int(inside[0])
        part = second[first : int(inside[-1]) + 1]
        cuts = np.flatnonzero(np.diff(part > 0.5)) + 1
        for low, high in pairwise([0, *cuts.tolist(), len(part)]):
            p = float(part[low:high].mean())
            start, end = ((first + at) / FRAMES_PER_SECOND for at in (low, high))
            spans.append(SpeakerSpan(start, end, int(p > 0.5), max(p, 1 - p)))
    return spans
