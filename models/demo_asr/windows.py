"""Windows: clips laid out in time as `whisper.transcribe` will see them, and batches of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from whisper.audio import log_mel_spectrogram

from models.demo_asr.channel import random_channel, send
from models.demo_asr.clips import CHINESE, FRAMES_PER_SECOND, TOKENIZER, Clip
from models.demo_asr.speech import SAMPLE_RATE

FULL = 30  # seconds of Whisper's window
FULL_FRAMES = FULL * FRAMES_PER_SECOND
MOST_TOKENS = 212  # of the 224 that whisper.decode writes at most
MOST_PROMPT = 223
TIMESTAMP = TOKENIZER.timestamp_begin
TIMESTAMP_WIDTH = 0.06  # seconds either side of a time stamp that count as its place
FIRST_TIMESTAMP_LIMIT = 1.0  # seconds; whisper's `max_initial_timestamp`
IGNORED = -100

ClipSource = Callable[[], Sequence[Clip]]  # draws the clips of a passage, in order
Silence = Callable[[int], NDArray[np.float16]]  # gives the residual (n, D) of n silent frames


@dataclass
class Window:
    """One training example."""

    samples: NDArray[np.float32] | None  # None: only symbols
    tokens: list[int]
    targets: list[int]
    spans: list[tuple[float, float] | None]  # seconds where each target is heard
    labels: NDArray[np.uint8]  # (2, frames)
    offset: int  # frames of the 30 s before a short window
    syllables: list[tuple[str, float, float]]
    residual: NDArray[np.float16] | None


@dataclass(frozen=True)
class Batch:
    """B windows of T frames and up to L tokens."""

    mel: torch.Tensor | None  # (B, 80, 2T)
    tokens: torch.Tensor  # (B, L)
    targets: torch.Tensor  # (B, L), IGNORED where nothing is to be said
    guide: torch.Tensor  # (B, L, 2) first and last frame of each target, zeros for none
    labels: torch.Tensor  # (B, 2, T)
    offset: torch.Tensor  # (B,)
    syllables: list[list[tuple[str, float, float]]]  # numbered pinyin and its seconds
    residual: torch.Tensor | None = None  # (B, T, D), see `units`
    frames: torch.Tensor | None = None  # (B, T, D), encoded before

    @property
    def kind(self) -> str:
        """What its frames are made of: sound, units, symbols, or as encoded before."""
        if self.mel is not None:
            return "sound"
        if self.frames is not None:
            return "encoded"
        return "symbols" if self.residual is None else "units"


class _Layout:
    """The window while it is being filled."""

    def __init__(self, seconds: int, random: Random, silence: Silence | None) -> None:
        self.full = seconds == FULL
        self.random = random
        self.offset = 0 if self.full else random.randrange(FULL_FRAMES - seconds * 50 + 1)
        cut = self.full and random.random() < 0.35  # the end of a recording
        self.content = random.uniform(1.5, FULL) if cut else float(seconds)
        self.samples = np.zeros(int(self.content * SAMPLE_RATE), np.float32)
        self.labels = np.zeros((2, seconds * FRAMES_PER_SECOND), np.uint8)
        self.residual = None if silence is None else silence(self.labels.shape[1])
        self.syllables: list[tuple[str, float, float]] = []
        self.stamped = random.random() < (0.8 if self.full else 0.5)
        self.tokens: list[int] = []
        self.spans: list[tuple[float, float] | None] = []
        self.now = random.uniform(0, 0.5) if random.random() < 0.85 else random.uniform(0.5, 3)

    def stamp(self, seconds: float) -> None:
        """Write a time stamp, if this window has them."""
        if not self.stamped:
            return
        seconds = min(seconds, self.content)
        first = self.full and not self.tokens
        written = min(seconds, FIRST_TIMESTAMP_LIMIT) if first else seconds
        frame = round(written * FRAMES_PER_SECOND) + self.offset
        self.tokens.append(TIMESTAMP + min(FULL_FRAMES, frame))
        self.spans.append((max(0.0, seconds - TIMESTAMP_WIDTH), seconds + TIMESTAMP_WIDTH))

    def _lay(self, clip: Clip) -> None:
        """Put the sound and the labels of a clip at the present moment, cut at the end."""
        if clip.samples is not None:
            first = int(self.now * SAMPLE_RATE)
            count = min(len(clip.samples), len(self.samples) - first)
            level = self.random.uniform(0.4, 1) / 32768
            self.samples[first : first + count] += clip.samples[:count] * np.float32(level)
        first = round(self.now * FRAMES_PER_SECOND)
        last = min(first + clip.labels.shape[1], int(self.content * FRAMES_PER_SECOND))
        if last > first:
            self.labels[:, first:last] = clip.labels[:, : last - first]
            if self.residual is not None and clip.residual is not None:
                self.residual[first:last] = clip.residual[: last - first]

    def add(self, clip: Clip) -> bool:
        """Add a clip; False when the window is full."""
        too_long = self.now + clip.seconds > self.content - 0.02
        if too_long or len(self.tokens) + len(clip.tokens) > MOST_TOKENS:
            # transcribe() goes on from the last opened time stamp: teach it to open one.
            if self.stamped and self.now < self.content - 0.3 and self.random.random() < 0.7:
                self._lay(clip)
                self.stamp(self.now)
            return False
        self._lay(clip)
        self.stamp(self.now)
        self.tokens += clip.tokens
        self.spans += [s and (s[0] + self.now, s[1] + self.now) for s in clip.spans]
        self.syllables += [(n, a + self.now, b + self.now) for n, a, b in clip.syllables]
        self.now += clip.seconds
        self.stamp(self.now)
        long_pause = self.random.random() > 0.94
        self.now += self.random.uniform(0.8, 4) if long_pause else self.random.uniform(0.02, 0.8)
        return True


def _prompt(source: ClipSource, stamped: bool, random: Random) -> list[int]:
    """What was said before, as transcribe() gives it when conditioned on previous text."""
    said: list[int] = []
    limit = random.randint(10, MOST_PROMPT)
    while len(said) < limit:
        for clip in source():
            start = TIMESTAMP + random.randint(0, 1400)
            said += [start, *clip.tokens, start + 100] if stamped else clip.tokens
    return [TOKENIZER.sot_prev, *said[-limit:]]


def fill(
    source: ClipSource, seconds: int, random: Random, silence: Silence | None = None
) -> Window:
    """Fill one window with passages.

    Args:
        seconds: 30 gives the layout of whisper.transcribe; fewer, a window that stands at a
            random place of the 30 seconds.
    """
    layout = _Layout(seconds, random, silence)
    silent = layout.full and random.random() < 0.02
    if silent and layout.stamped:
        layout.tokens, layout.spans = [TIMESTAMP], [None]
    going = not silent
    while going:
        for clip in source():
            going = layout.add(clip)
            if not going:
                break
        going = going and not (layout.full and random.random() < 0.02)
    prompt = (
        _prompt(source, layout.stamped, random) if layout.full and random.random() < 0.12 else []
    )
    head = [*prompt, TOKENIZER.sot, CHINESE, TOKENIZER.transcribe]
    head += [] if layout.stamped else [TOKENIZER.no_timestamps]
    targets = [IGNORED] * (len(head) - 1) + layout.tokens + [TOKENIZER.eot]
    targets[len(prompt)] = TOKENIZER.no_speech if silent else CHINESE
    return Window(
        layout.samples,
        head + layout.tokens,
        targets,
        [None] * (len(head) - 1) + layout.spans + [None],
        layout.labels,
        layout.offset,
        layout.syllables,
        layout.residual,
    )


def _mel(window: Window, seconds: int, random: Random, noise: np.random.Generator) -> torch.Tensor:
    """(80, frames) of the window sent through a random channel."""
    assert window.samples is not None
    samples = send(window.samples, random_channel(noise), random.randrange(1 << 30))
    # transcribe() pads the log-mel of a short recording with zeros, others pad the samples.
    if seconds == FULL and len(samples) < seconds * SAMPLE_RATE and random.random() < 0.25:
        samples = np.pad(samples, (0, seconds * SAMPLE_RATE - len(samples)))
    mel = log_mel_spectrogram(samples)
    return F.pad(mel, (0, seconds * 100 - mel.shape[-1]))[:, : seconds * 100]


def make_batch(
    source: ClipSource,
    seconds: int,
    size: int,
    sound: bool,
    random: Random,
    noise: np.random.Generator,
    silence: Silence | None = None,
) -> Batch:
    """Fill and stack `size` windows; with log-mel spectrograms if `sound`."""
    windows = [fill(source, seconds, random, silence) for _ in range(size)]
    longest = max(len(window.tokens) for window in windows)
    tokens = torch.full((size, longest), TOKENIZER.eot)
    targets = torch.full((size, longest), IGNORED)
    guide = torch.zeros(size, longest, 2, dtype=torch.long)
    frames = seconds * FRAMES_PER_SECOND
    for i, window in enumerate(windows):
        tokens[i, : len(window.tokens)] = torch.tensor(window.tokens)
        targets[i, : len(window.targets)] = torch.tensor(window.targets)
        for j, span in enumerate(window.spans):
            if span is not None:
                first = min(frames - 1, int(span[0] * FRAMES_PER_SECOND))
                last = min(frames, max(first + 1, int(span[1] * FRAMES_PER_SECOND) + 1))
                guide[i, j] = torch.tensor([first, last])
    residuals = [window.residual for window in windows]
    return Batch(
        torch.stack([_mel(w, seconds, random, noise) for w in windows]) if sound else None,
        tokens,
        targets,
        guide,
        torch.tensor(np.stack([window.labels for window in windows])).long(),
        torch.tensor([window.offset for window in windows]),
        [window.syllables for window in windows],
        torch.tensor(np.stack([r for r in residuals if r is not None])) if silence else None,
    )
