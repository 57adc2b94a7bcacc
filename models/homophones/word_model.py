"""A bigram model over words with an index of what sounds alike.

Absolute discounting with back-off to single words (H. Ney et al., “On structuring probabilistic
dependences in stochastic language modelling”, Computer Speech and Language 8(1), 1994); single
words are a mixture of the field's texts and jieba's dictionary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parents[1] / "weights" / "homophones.npz"
START = 0  # number of the word before the first one
DISCOUNT = 0.6
LONGEST_WORD = 5  # characters
SEPARATOR = "\n"

Sound = tuple[str, ...]  # syllables without tones


@dataclass(frozen=True, eq=False)
class WordModel:
    """Words by number; `START` stands before the first one."""

    words: Sequence[str]
    sounds: Sequence[str]  # of each word, syllables apart by blanks
    chances: NDArray[np.float32]  # probability of each word by itself
    pairs: NDArray[np.int32]  # (n, 3) word before, word, times seen

    @cached_property
    def alike(self) -> dict[Sound, list[int]]:
        """Numbers of the words with the same syllables."""
        found: dict[Sound, list[int]] = {}
        for number, sound in enumerate(self.sounds):
            found.setdefault(tuple(sound.split()), []).append(number)
        return found

    @cached_property
    def _seen(self) -> dict[tuple[int, int], int]:
        return {(before, word): times for before, word, times in self.pairs.tolist()}

    @cached_property
    def _followed(self) -> dict[int, tuple[int, int]]:
        """How often a word was followed, and by how many different ones."""
        total: dict[int, tuple[int, int]] = {}
        for before, _, times in self.pairs.tolist():
            seen, kinds = total.get(before, (0, 0))
            total[before] = (seen + times, kinds + 1)
        return total

    def log_chance(self, before: int, word: int) -> float:
        """Natural logarithm of the probability of a word after another."""
        alone = float(self.chances[word])
        seen, kinds = self._followed.get(before, (0, 0))
        if not seen:
            return math.log(alone)
        here = max(self._seen.get((before, word), 0) - DISCOUNT, 0.0)
        return math.log((here + DISCOUNT * kinds * alone) / seen)

    def save(self, path: Path) -> None:
        """Write the model, deflated."""
        np.savez_compressed(
            path,
            words=np.array(SEPARATOR.join(self.words)),
            sounds=np.array(SEPARATOR.join(self.sounds)),
            chances=self.chances.astype(np.float32),
            pairs=self.pairs.astype(np.int32),
        )

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "WordModel":
        """Read a model that `save` wrote."""
        with np.load(path) as stored:
            return cls(
                str(stored["words"]).split(SEPARATOR),
                str(stored["sounds"]).split(SEPARATOR),
                stored["chances"],
                stored["pairs"],
            )
