"""Units: what the encoder says about a syllable, kept so that any text can be put together of it.

The decoder learns which characters are meant by what the encoder hears. To let it read much more
text than could be spoken and encoded, a stock of sound is encoded once. What a frame says beyond
its phone and tone, the *residual* (with all the encoder's doubts and mistakes), is kept by
syllable. A new text is then the symbols of its syllables plus residuals of them as once heard.
"""

from collections import defaultdict
from random import Random

import numpy as np
import torch

from models.demo_asr.clips import FRAMES_PER_SECOND, Clip, syllables_of, token_spans, tokens_of
from models.demo_asr.network import WIDTH, Student
from models.demo_asr.spoken import PAUSES
from models.demo_asr.windows import Batch

MOST_KEPT = 60  # of a syllable
LONGEST_GAP = 4  # frames to the next syllable that still belong to this one
LONGEST_SILENCE = 1500  # frames
COMMA = (0.08, 0.4)  # seconds

Unit = tuple[np.ndarray, np.ndarray]  # labels (2, n), residual (n, D)


class Units:
    """The stock of units."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Unit]] = defaultdict(list)
        self.silences: list[np.ndarray] = []  # residuals (n, D) of silent stretches

    @torch.no_grad()
    def listen(self, student: Student, batch: Batch) -> None:
        """Keep the syllables and silences of an encoded batch."""
        assert batch.frames is not None
        frames = batch.frames.float()
        known = student.symbolise(batch.labels, batch.offset, noisy=False)
        residuals = (frames - known).half().numpy()
        labels = batch.labels.numpy().astype(np.uint8)
        for residual, label, syllables in zip(residuals, labels, batch.syllables, strict=True):
            self._keep_syllables(residual, label, syllables)
            self._keep_silences(residual, label)

    def _keep_syllables(self, residual, labels, syllables) -> None:
        for i, (name, start, end) in enumerate(syllables):
            first, last = round(start * FRAMES_PER_SECOND), round(end * FRAMES_PER_SECOND)
            if i + 1 < len(syllables):
                following = round(syllables[i + 1][1] * FRAMES_PER_SECOND)
                if following - last <= LONGEST_GAP:
                    last = following
            kept = self.heard[name]
            if last <= first or last > len(residual):
                continue
            unit = (labels[:, first:last].copy(), residual[first:last].copy())
            if len(kept) < MOST_KEPT:
                kept.append(unit)

    def _keep_silences(self, residual: np.ndarray, labels: np.ndarray) -> None:
        silent = np.flatnonzero(labels[0] == 0)
        for run in np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1):
            if len(run) > LONGEST_GAP:
                self.silences.append(residual[run])

    def silence(self, count: int, random: Random) -> np.ndarray:
        """Residual (count, D) of silent frames."""
        parts, have = [np.zeros((0, WIDTH), np.float16)], 0
        while have < count:
            parts.append(random.choice(self.silences))
            have += len(parts[-1])
        return np.concatenate(parts)[:count]

    def clip(self, text: str, random: Random) -> Clip | None:
        """Put a text together; None when one of its syllables was never heard."""
        names = syllables_of(text)
        if not names or any(not self.heard.get(name) for name in names):
            return None
        rest = iter(names)
        labels: list[np.ndarray] = []
        residuals: list[np.ndarray] = []
        characters: list[tuple[float, float]] = []
        now = 0
        for character in text:
            if character in PAUSES:
                count = round(random.uniform(*COMMA) * FRAMES_PER_SECOND)
                label, residual = np.zeros((2, count), np.uint8), self.silence(count, random)
            else:
                label, residual = random.choice(self.heard[next(rest)])
                start, end = now / FRAMES_PER_SECOND, (now + len(residual)) / FRAMES_PER_SECOND
                characters.append((start, end))
            labels.append(label)
            residuals.append(residual)
            now += len(residual)
        return Clip(
            tokens_of(text)[0],
            token_spans(text, characters),
            np.concatenate(labels, 1),
            now / FRAMES_PER_SECOND,
            tuple((name, *span) for name, span in zip(names, characters, strict=True)),
            residual=np.concatenate(residuals),
        )
