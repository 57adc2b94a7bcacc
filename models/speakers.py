"""Who of two speakers speaks when, told from the sound alone: for recordings with one channel.

The usual chain for telephone calls: voice prints of windows, clustered into two; then for each
speaker a Gaussian mixture over short frames, and forward-backward over a chain of two states, which
finds the changes inside a window (S. Tranter and D. Reynolds, “An overview of automatic speaker
diarization systems”, IEEE TASLP 14(5), 2006).

The voice prints are those of Resemblyzer's encoder (Apache-2.0; L. Wan et al., “Generalized
end-to-end loss for speaker verification”, ICASSP 2018). Without its weights, mean cepstra stand in,
which a change of mood misleads more often.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.voice_activity import Span

SAMPLE_RATE = 16_000  # Hz
HOP = 160  # samples, 10 ms between frames
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
FFT = 512  # samples, 32 ms, the length of a frame for the spectrum
BAND_HZ = (250.0, 3600.0)  # what a telephone carries
BANDS = 26  # mel bands in it
CEPSTRA = 16  # without the first, which is loudness: it follows the mood
QUIET_DB = 30.0  # frames this much below the loud ones of their stretch are not compared
BLOCK = 6_000  # frames described at a time, 60 s

WINDOW = 160  # frames, 1.6 s: what the encoder was trained on
WINDOW_HOP = 80
MIN_WINDOW = 30  # frames of speech in a window worth clustering
MIN_SPEECH = 2 * WINDOW  # frames; with less there is nothing to tell two speakers by
ROUNDS = 4  # of training the mixtures and finding the path; labels settle after two or three
COMPONENTS = 8  # Gaussians a speaker
FRAMES_PER_COMPONENT = 40
DEPENDENT = 8.0  # frames that count as one: neighbours say nearly the same
MOST_EVIDENCE = 4.0  # natural log-odds a frame may give; more is an outlier
STEP = 5  # frames a state of the chain, 50 ms
TURN_SECONDS = 3.0  # mean length of a turn
PAUSE_CHANGE = 0.3  # probability that the speaker changes over a pause between stretches
ONE_SPEAKER = 0.1  # silhouette up to which two groups of windows are one voice

WEIGHTS = Path(__file__).parent / "weights" / "speaker_encoder.npz"
ENCODER_FFT = 400  # samples, 25 ms
ENCODER_BANDS = 40
ENCODER_WIDTH = 256
ENCODER_LAYERS = 3
ENCODER_LEVEL = 10 ** (-30 / 20)  # rms it was trained at, -30 dB of full scale
ENCODER_BATCH = 64  # windows


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
    frames = -(-len(samples) // HOP)
    silent = np.zeros(frames, np.float32)
    if not speech:
        return Separation((), 0, 0.0, silent)
    sound = _describe(samples, speech)
    windows = _windows(sound)
    if sound.heard.sum() < MIN_SPEECH or len(windows) < 2:
        return _one_speaker(speech, silent)
    prints = _voice_prints(samples, sound, windows)
    labels = _cluster(prints, windows, frames)
    change = _changes(sound.stretch)
    for _ in range(ROUNDS):
        if len(np.unique(labels[sound.heard])) < 2:
            return _one_speaker(speech, silent)
        evidence = _compare(sound, labels)
        second = np.repeat(smooth(_by_step(evidence), change), STEP)[:frames]
        labels = (second > 0.5).astype(int)
    unlikeness = _unlikeness(prints, windows, labels)
    if unlikeness <= ONE_SPEAKER:
        return _one_speaker(speech, silent)
    if labels[sound.heard][0] == 1:
        second, evidence = 1 - second, -evidence
    return Separation(tuple(_spans(second, speech)), 2, unlikeness, evidence.astype(np.float32))


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
    out = np.empty(len(odds))
    before = 0.0
    for i, (here, swap) in enumerate(zip(odds.tolist(), change.tolist(), strict=True)):
        stay = 1 - swap
        ratio = np.exp(min(50.0, max(-50.0, before)))
        before = here + np.log((swap + stay * ratio) / (stay + swap * ratio))
        out[i] = before
    return out


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
            cepstra[start:end], level[start:end] = _cepstra(_framed(samples, start, end, FFT))
        if last > first:
            level[first:last] -= float(np.percentile(level[first:last], 95))
    return _Sound(cepstra, level > -QUIET_DB, stretch)


def _frame(seconds: float, frames: int) -> int:
    return min(frames, max(0, round(seconds * FRAMES_PER_SECOND)))


def _framed(samples: NDArray, first: int, last: int, length: int) -> NDArray[np.float32]:
    """(last - first, length) samples around the frames, zeros past the ends."""
    low = first * HOP - (length - HOP) // 2
    high = low + (last - first - 1) * HOP + length
    block = np.asarray(samples[max(0, low) : high], np.float32)
    block = np.pad(block, (max(0, -low), max(0, high - max(0, low) - len(block))))
    return np.lib.stride_tricks.sliding_window_view(block, length)[::HOP]


def _cepstra(cut: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cepstra (n, CEPSTRA) and level in dB (n,)."""
    from scipy.fft import dct

    power = _power(cut)
    bands = np.log(power @ _mel_filters() + 1e-8)
    level = 10 * np.log10(power.sum(axis=1) + 1e-8)
    return dct(bands, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1], level


def _power(cut: NDArray) -> NDArray[np.float32]:
    """(n, length / 2 + 1) power spectrum of each frame."""
    hann = np.hanning(cut.shape[1] + 1)[:-1].astype(np.float32)
    return (np.abs(np.fft.rfft(cut * hann, axis=1)) ** 2).astype(np.float32)


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
    windows = []
    for number in range(sound.stretch.max() + 1):
        inside = np.flatnonzero(sound.stretch == number)
        for start in range(0, max(1, len(inside) - WINDOW + WINDOW_HOP), WINDOW_HOP):
            part = inside[start : start + WINDOW]
            part = part[sound.heard[part]]
            if len(part) >= MIN_WINDOW:
                windows.append(part)
    return windows


def _voice_prints(
    samples: NDArray, sound: _Sound, windows: list[NDArray[np.intp]]
) -> NDArray[np.float64]:
    """(windows, size) vectors whose angles tell voices apart."""
    if WEIGHTS.exists():
        return _encode(samples, windows)
    # Mean cepstra in units of their spread within windows: what differs from sound to sound of
    # the same speech is scaled down.
    means = np.array([sound.cepstra[w].mean(axis=0) for w in windows])
    within = np.mean([np.cov(sound.cepstra[w].T) for w in windows], axis=0)
    values, vectors = np.linalg.eigh(within)
    return (means - means.mean(axis=0)) @ (vectors / np.sqrt(np.maximum(values, 1e-6)))


def _encode(samples: NDArray, windows: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """(windows, ENCODER_WIDTH) voice prints of length 1."""
    import torch

    lstm, linear, filters = _encoder()
    prints = []
    for start in range(0, len(windows), ENCODER_BATCH):
        batch = [
            _encoder_input(samples, w, filters) for w in windows[start : start + ENCODER_BATCH]
        ]
        with torch.inference_mode():
            _, (hidden, _) = lstm(torch.from_numpy(np.stack(batch)))
            found = torch.relu(linear(hidden[-1]))
            prints.append(torch.nn.functional.normalize(found, dim=1).numpy())
    return np.concatenate(prints).astype(np.float64)


def _encoder_input(
    samples: NDArray, window: NDArray[np.intp], filters: NDArray
) -> NDArray[np.float32]:
    """(WINDOW, ENCODER_BANDS) mel powers at the level of training; short windows are repeated."""
    power = _power(_framed(samples, int(window[0]), int(window[-1]) + 1, ENCODER_FFT))
    mel = power @ filters
    first, last = int(window[0]) * HOP, (int(window[-1]) + 1) * HOP
    rms = float(np.sqrt(np.mean(np.square(samples[first:last], dtype=np.float64)))) + 1e-9
    return np.resize(mel * (ENCODER_LEVEL / rms) ** 2, (WINDOW, ENCODER_BANDS)).astype(np.float32)


@cache
def _encoder() -> tuple[Any, Any, NDArray[np.float32]]:
    """LSTM, linear layer and mel filters (ENCODER_FFT / 2 + 1, ENCODER_BANDS)."""
    import torch

    weights = np.load(WEIGHTS)
    lstm = torch.nn.LSTM(ENCODER_BANDS, ENCODER_WIDTH, ENCODER_LAYERS, batch_first=True)
    linear = torch.nn.Linear(ENCODER_WIDTH, ENCODER_WIDTH)
    for name, module in (("lstm", lstm), ("linear", linear)):
        module.load_state_dict(
            {
                key: torch.from_numpy(weights[f"{name}_{key}"].astype(np.float32))
                for key in module.state_dict()
            }
        )
    return lstm, linear, weights["mel_filters"].T


def _cluster(prints: NDArray, windows: list[NDArray[np.intp]], frames: int) -> NDArray[np.int_]:
    """(frames,) first guess of the speaker; every frame has one."""
    from sklearn.cluster import KMeans

    weights = np.array([len(window) for window in windows], float)
    found = KMeans(2, n_init=10, random_state=0).fit_predict(prints, sample_weight=weights)
    votes = np.zeros(frames)
    for window, label in zip(windows, found, strict=True):
        votes[window] += 1 if label else -1
    return (votes > 0).astype(int)


def _compare(sound: _Sound, labels: NDArray[np.int_]) -> NDArray[np.float64]:
    """(frames,) log-odds for speaker 1 by a mixture for each speaker, 0 where nothing is heard."""
    heard = sound.cepstra[sound.heard]
    first, second = (
        _likelihood(sound.cepstra[sound.heard & (labels == speaker)], heard) for speaker in (0, 1)
    )
    evidence = np.zeros(len(labels))
    evidence[sound.heard] = np.clip(second - first, -MOST_EVIDENCE, MOST_EVIDENCE) / DEPENDENT
    return evidence


def _likelihood(own: NDArray, frames: NDArray) -> NDArray[np.float64]:
    """(n,) log-likelihood of frames in a mixture trained on a speaker's own."""
    from sklearn.mixture import GaussianMixture

    count = max(1, min(COMPONENTS, len(own) // FRAMES_PER_COMPONENT))
    mixture = GaussianMixture(count, covariance_type="diag", reg_covar=1e-3, random_state=0)
    return mixture.fit(own).score_samples(frames)


def _by_step(evidence: NDArray) -> NDArray:
    return np.pad(evidence, (0, -len(evidence) % STEP)).reshape(-1, STEP).sum(axis=1)


def _changes(stretch: NDArray[np.int32]) -> NDArray[np.float64]:
    """(steps,) probability that the speaker changes just before each step of the chain."""
    steps = stretch[::STEP]
    change = np.full(len(steps), STEP / FRAMES_PER_SECOND / TURN_SECONDS)
    change[1:][(steps[1:] >= 0) & (steps[:-1] != steps[1:])] = PAUSE_CHANGE
    return change


def _unlikeness(
    prints: NDArray, windows: list[NDArray[np.intp]], labels: NDArray[np.int_]
) -> float:
    """Silhouette of the two speakers' voice prints, at most 1."""
    from sklearn.metrics import silhouette_score

    pure = [i for i, w in enumerate(windows) if len(w) > WINDOW / 2 and np.ptp(labels[w]) == 0]
    own = [int(labels[windows[i][0]]) for i in pure]
    if len(set(own)) < 2 or len(own) < 3:
        return 0.0
    return float(silhouette_score(prints[pure], own, metric="cosine"))


def _one_speaker(speech: Sequence[Span], silent: NDArray) -> Separation:
    spans = tuple(SpeakerSpan(s.start, s.end, 0, 1.0) for s in speech)
    return Separation(spans, 1, 0.0, silent)


def _spans(second: NDArray, speech: Sequence[Span]) -> list[SpeakerSpan]:
    """Cut the stretches of speech where the speaker changes."""
    spans = []
    for span in speech:
        first, last = _frame(span.start, len(second)), _frame(span.end, len(second))
        part = second[first:last]
        cuts = np.flatnonzero(np.diff(part > 0.5)) + 1
        edges = [0, *cuts.tolist(), len(part)]
        for low, high in pairwise(edges):
            if high > low:
                p = float(part[low:high].mean())
                start = span.start if low == 0 else (first + low) / FRAMES_PER_SECOND
                end = span.end if high == len(part) else (first + high) / FRAMES_PER_SECOND
                spans.append(SpeakerSpan(start, end, int(p > 0.5), max(p, 1 - p)))
    return spans
