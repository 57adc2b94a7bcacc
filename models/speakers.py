"""Who of two speakers speaks when, told from the sound alone: for recordings with one channel.

The classical chain for telephone calls, which needs no weights: cepstra and pitch of short frames,
windows clustered into two, then for each speaker a Gaussian mixture, and forward-backward over a
chain of two states (S. Tranter and D. Reynolds, “An overview of automatic speaker diarization
systems”, IEEE TASLP 14(5), 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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
PITCH_FRAME = 640  # samples, 40 ms: two periods of the lowest voice
PITCH_HZ = (70.0, 400.0)
VOICED = 0.5  # autocorrelation at the pitch period from which a frame counts as voiced
QUIET_DB = 30.0  # frames this much below the loud ones of their stretch are not compared
BLOCK = 6_000  # frames described at a time, 60 s

WINDOW = 150  # frames, 1.5 s: shorter ones vary more with the sounds than with the speaker
WINDOW_HOP = 75
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
# Distance of the two speakers' mean windows, in standard deviations of frames within a window,
# below which they are one person. Measured on synthetic voices.
ONE_SPEAKER = 1.0


@dataclass(frozen=True)
class SpeakerSpan:
    """A stretch of one speaker. Seconds from the beginning; confidence 0.5..1."""

    start: float
    end: float
    speaker: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Separation:
    """Two speakers told apart, or one. `distance` says how unlike they sound."""

    spans: tuple[SpeakerSpan, ...]
    speakers: int  # 0, 1 or 2
    distance: float  # see ONE_SPEAKER
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
    if sound.heard.sum() < MIN_SPEECH:
        return _one_speaker(speech, 0.0, silent)
    labels = _cluster(sound)
    if len(np.unique(labels[sound.heard])) < 2:
        return _one_speaker(speech, 0.0, silent)
    change = _changes(sound.stretch)
    for _ in range(ROUNDS):
        evidence = _compare(sound, labels)
        second = np.repeat(smooth(_by_step(evidence), change), STEP)[:frames]
        labels = (second > 0.5).astype(int)
        if len(np.unique(labels[sound.heard])) < 2:
            return _one_speaker(speech, 0.0, silent)
    distance = _distance(sound, labels)
    if distance < ONE_SPEAKER:
        return _one_speaker(speech, distance, silent)
    if labels[sound.heard][0] == 1:
        second, evidence = 1 - second, -evidence
    return Separation(tuple(_spans(second, speech)), 2, distance, evidence.astype(np.float32))


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
    pitch: NDArray[np.float32]  # (frames,) octaves, nan where unvoiced
    heard: NDArray[np.bool_]  # (frames,) inside a stretch and loud enough
    stretch: NDArray[np.int32]  # (frames,) number of the stretch of speech, -1 outside


def _describe(samples: NDArray, speech: Sequence[Span]) -> _Sound:
    frames = -(-len(samples) // HOP)
    cepstra = np.zeros((frames, CEPSTRA), np.float32)
    pitch = np.full(frames, np.nan, np.float32)
    level = np.full(frames, -np.inf, np.float32)
    stretch = np.full(frames, -1, np.int32)
    for number, span in enumerate(speech):
        first, last = _frame(span.start, frames), _frame(span.end, frames)
        stretch[first:last] = number
        for start in range(first, last, BLOCK):
            end = min(last, start + BLOCK)
            cut = _framed(samples, start, end)
            cepstra[start:end], level[start:end] = _cepstra(cut)
            pitch[start:end] = _pitch(cut)
        if last > first:
            loud = float(np.percentile(level[first:last], 95))
            level[first:last] -= loud
    heard = level > -QUIET_DB
    pitch[~heard] = np.nan
    return _Sound(cepstra, pitch, heard, stretch)


def _frame(seconds: float, frames: int) -> int:
    return min(frames, max(0, round(seconds * FRAMES_PER_SECOND)))


def _framed(samples: NDArray, first: int, last: int) -> NDArray[np.float32]:
    """(last - first, PITCH_FRAME) windows of samples around the frames, zeros past the ends."""
    margin = (PITCH_FRAME - HOP) // 2
    low, high = first * HOP - margin, (last - 1) * HOP + PITCH_FRAME - margin
    block = np.asarray(samples[max(0, low) : high], np.float32)
    block = np.pad(block, (max(0, -low), max(0, high - max(0, low) - len(block))))
    return np.lib.stride_tricks.sliding_window_view(block, PITCH_FRAME)[::HOP]


def _cepstra(cut: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cepstra (n, CEPSTRA) and level in dB (n,)."""
    from scipy.fft import dct

    margin = (PITCH_FRAME - FFT) // 2
    window = cut[:, margin : margin + FFT] * np.hanning(FFT).astype(np.float32)
    power = np.abs(np.fft.rfft(window, axis=1)) ** 2
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


def _pitch(cut: NDArray) -> NDArray[np.float32]:
    """(n,) octaves above 1 Hz by autocorrelation, nan where unvoiced."""
    centred = cut - cut.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * PITCH_FRAME, axis=1)
    shortest, longest = (round(SAMPLE_RATE / hz) for hz in reversed(PITCH_HZ))
    same = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : longest + 1]
    # A window of finite length shares fewer samples with itself the further it is shifted.
    same = same / (1 - np.arange(longest + 1) / PITCH_FRAME)
    strength = same[:, shortest:] / (same[:, :1] + 1e-9)
    best = strength.argmax(axis=1)
    octaves = np.log2(SAMPLE_RATE / (best + shortest))
    voiced = strength[np.arange(len(cut)), best] >= VOICED
    return np.where(voiced, octaves, np.nan).astype(np.float32)


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


def _window_means(sound: _Sound, windows: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """(windows, CEPSTRA + 1) mean of each window, in units of the spread within windows.

    What differs from sound to sound of the same speech is scaled down, what differs from window
    to window stands out.
    """
    means = np.array([sound.cepstra[w].mean(axis=0) for w in windows])
    within = np.mean([np.cov(sound.cepstra[w].T) for w in windows], axis=0)
    values, vectors = np.linalg.eigh(within)
    whitened = means @ (vectors / np.sqrt(np.maximum(values, 1e-6)))
    voiced = [sound.pitch[w][~np.isnan(sound.pitch[w])] for w in windows]
    known = np.array([np.median(v) if len(v) else np.nan for v in voiced])
    middle = np.nanmedian(known) if not np.isnan(known).all() else 0.0
    spread = np.mean([v.std() for v in voiced if len(v)] or [1.0]) + 1e-3
    pitch = np.where(np.isnan(known), middle, known) / spread
    return np.column_stack([whitened, pitch])


def _cluster(sound: _Sound) -> NDArray[np.int_]:
    """(frames,) first guess of the speaker; every frame has one."""
    from sklearn.cluster import KMeans

    labels = np.zeros(len(sound.heard), int)
    windows = _windows(sound)
    if len(windows) < 2:
        return labels
    weights = np.array([len(w) for w in windows], float)
    means = _window_means(sound, windows)
    found = KMeans(2, n_init=10, random_state=0).fit_predict(means, sample_weight=weights)
    votes = np.zeros(len(labels))
    for window, label in zip(windows, found, strict=True):
        votes[window] += 1 if label else -1
    labels[votes > 0] = 1
    return labels


def _compare(sound: _Sound, labels: NDArray[np.int_]) -> NDArray[np.float64]:
    """(frames,) log-odds for speaker 1 by a mixture for each speaker, 0 where nothing is heard."""
    evidence = np.zeros(len(labels))
    heard = sound.cepstra[sound.heard]
    voiced = sound.heard & ~np.isnan(sound.pitch)
    pitch = sound.pitch[voiced, None]
    for speaker, sign in ((0, -1), (1, 1)):
        own = labels == speaker
        evidence[sound.heard] += sign * _likelihood(sound.cepstra[sound.heard & own], heard)
        if (voiced & own).sum() >= MIN_WINDOW:
            evidence[voiced] += sign * _likelihood(sound.pitch[voiced & own, None], pitch, most=2)
    return np.clip(evidence, -MOST_EVIDENCE, MOST_EVIDENCE) / DEPENDENT


def _likelihood(own: NDArray, frames: NDArray, most: int = COMPONENTS) -> NDArray[np.float64]:
    """(n,) log-likelihood of frames in a mixture trained on a speaker's own."""
    from sklearn.mixture import GaussianMixture

    count = max(1, min(most, len(own) // FRAMES_PER_COMPONENT))
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


def _distance(sound: _Sound, labels: NDArray[np.int_]) -> float:
    """How far the two speakers' mean windows are apart, in spreads within a window."""
    windows = [w for w in _windows(sound) if len(np.unique(labels[w])) == 1]
    if len({labels[w[0]] for w in windows}) < 2:
        return 0.0
    means = _window_means(sound, windows)
    second = np.array([labels[w[0]] == 1 for w in windows])
    return float(np.linalg.norm(means[second].mean(axis=0) - means[~second].mean(axis=0)))


def _one_speaker(speech: Sequence[Span], distance: float, silent: NDArray) -> Separation:
    spans = tuple(SpeakerSpan(s.start, s.end, 0, 1.0) for s in speech)
    return Separation(spans, 1, distance, silent)


def _spans(second: NDArray, speech: Sequence[Span]) -> list[SpeakerSpan]:
    """Cut the stretches of speech where the speaker changes."""
    spans = []
    for span in speech:
        first, last = _frame(span.start, len(second)), _frame(span.end, len(second))
        part = second[first:last]
        cuts = np.flatnonzero(np.diff(part > 0.5)) + 1
        edges = [0, *cuts.tolist(), len(part)]
        for low, high in zip(edges, edges[1:], strict=False):
            if high > low:
                p = float(part[low:high].mean())
                start = span.start if low == 0 else (first + low) / FRAMES_PER_SECOND
                end = span.end if high == len(part) else (first + high) / FRAMES_PER_SECOND
                spans.append(SpeakerSpan(start, end, int(p > 0.5), max(p, 1 - p)))
    return spans
