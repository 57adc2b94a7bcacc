"""Utterances as rows of numbers for the convolutional network: characters, syllables, facts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.judge.context import Utterance
from models.judge.features import facts
from qc.text import folded, syllable
from qc.transcript import Role

TURN, HEARD, OWN = 80, 40, 40  # characters kept: of the turn, of the other's and one's own last
NOTHING, UNKNOWN, FIRST = 0, 1, 2  # padding, a rare character, the first known one
MIN_TIMES = 3  # in which a character or a fact must occur


@dataclass(frozen=True)
class Encoded:
    """A batch: each text (n, 2, length) of character and syllable numbers, and facts (n, facts)."""

    turn: NDArray[np.int64]
    heard: NDArray[np.int64]
    own: NDArray[np.int64]
    facts: NDArray[np.float32]

    def __getitem__(self, rows: NDArray[np.int_]) -> "Encoded":
        return Encoded(self.turn[rows], self.heard[rows], self.own[rows], self.facts[rows])


@dataclass(frozen=True)
class Alphabet:
    """What the network knows by number."""

    characters: Sequence[str]
    facts: Sequence[str]

    @classmethod
    def of(cls, utterances: Iterable[Utterance]) -> "Alphabet":
        """Characters and facts that occur often enough."""
        signs: Counter[str] = Counter()
        known: Counter[str] = Counter()
        for utterance in utterances:
            texts = _texts(utterance)
            signs.update("".join(texts))
            known.update(facts(utterance, len(texts[0]), len(texts[1])))
        return cls(
            sorted(sign for sign, times in signs.items() if times >= MIN_TIMES),
            sorted(fact for fact, times in known.items() if times >= MIN_TIMES),
        )

    @cached_property
    def _sign(self) -> dict[str, int]:
        return {sign: number for number, sign in enumerate(self.characters, FIRST)}

    @cached_property
    def _fact(self) -> dict[str, int]:
        return {fact: number for number, fact in enumerate(self.facts)}

    @cached_property
    def syllables(self) -> dict[str, int]:
        """Number of each toneless syllable."""
        said = sorted({syllable(sign) for sign in self.characters})
        return {sound: number for number, sound in enumerate(said, FIRST)}

    @cached_property
    def homophones(self) -> dict[int, list[int]]:
        """Numbers of the characters of each syllable."""
        found: dict[int, list[int]] = {}
        for sign, number in self._sign.items():
            found.setdefault(self.syllables[syllable(sign)], []).append(number)
        return found

    def encode(self, utterances: Sequence[Utterance]) -> Encoded:
        """Numbers of a batch; each text is as wide as the longest of the batch."""
        texts = [_texts(utterance) for utterance in utterances]
        table = np.zeros((len(utterances), len(self.facts)), dtype=np.float32)
        for row, (utterance, (turn, heard, _)) in enumerate(zip(utterances, texts, strict=True)):
            for fact in facts(utterance, len(turn), len(heard)):
                if fact in self._fact:
                    table[row, self._fact[fact]] = 1
        said, before, own = (self._rows([text[part] for text in texts]) for part in range(3))
        return Encoded(said, before, own, table)

    def _rows(self, texts: Sequence[str]) -> NDArray[np.int64]:
        rows = np.zeros((len(texts), 2, max(map(len, texts), default=0)), dtype=np.int64)
        for row, text in zip(rows, texts, strict=True):
            for place, sign in enumerate(text):
                row[0, place] = self._sign.get(sign, UNKNOWN)
                row[1, place] = self.syllables.get(syllable(sign), UNKNOWN)
        return rows


def _texts(utterance: Utterance) -> tuple[str, str, str]:
    """The turn (a long one without its middle), what was heard before it, and one's own last."""
    turn = folded(utterance.text)
    if len(turn) > TURN:
        turn = turn[: TURN // 2] + turn[-TURN // 2 :]
    other = Role.CITIZEN if utterance.role is Role.AGENT else Role.AGENT
    heard = folded(utterance.last_said_by(other))[-HEARD:]
    return turn, heard, folded(utterance.last_said_by(utterance.role))[-OWN:]
