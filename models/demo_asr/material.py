"""What is trained on: passages of sound from a stock, and passages put together of units."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from models.demo_asr.clips import Clip, Phones, is_sayable, spoken_clip, syllables_of
from models.demo_asr.sentences import draw_passage, read_texts
from models.demo_asr.units import Units


class Material:
    """Draws clips. The stock is spoken once; units are filled from it by the training."""

    def __init__(self, corpora: list[Path], phones: Phones, seed: int) -> None:
        self.corpora = corpora
        self.random = Random(seed)
        self.phones = phones
        self.units = Units()
        self.texts = read_texts(corpora)
        self.known: set[int] = set()  # tokens of the table
        self.stock: list[list[Clip]] = []
        self.next = -1

    def all_lines(self, drawn: int = 20_000) -> Iterator[str]:
        """Every line of the texts, and many drawn ones: what the token table must hold."""
        for kind in (self.texts.calls, self.texts.turns, self.texts.documents):
            for passage in kind:
                yield from passage
        random = Random(0)
        for _ in range(drawn):
            yield from draw_passage(self.texts, random)

    def covering(self, times: int = 3) -> Iterator[str]:
        """Lines that together hold every syllable of the texts a few times, common or rare."""
        lines = sorted({line for line in self.all_lines() if is_sayable(line)})
        self.random.shuffle(lines)
        seen: Counter[str] = Counter()
        for line in lines:
            syllables = syllables_of(line)
            if any(seen[syllable] < times for syllable in syllables):
                seen.update(syllables)
                yield line

    def speak_stock(self, lines: Iterable[str], count: int) -> None:
        """Speak lines, each a passage, and `count` drawn passages."""
        began = time.time()
        passages: Iterator[Sequence[str]] = itertools.chain(
            ((line,) for line in lines),
            (draw_passage(self.texts, self.random) for _ in range(count)),
        )
        for passage in passages:
            texts = [text for text in passage if is_sayable(text)]
            spoken = [spoken_clip(text, self.phones, self.random) for text in texts]
            if clips := self._known(spoken):
                self.stock.append(clips)
        hours = sum(clip.seconds for clips in self.stock for clip in clips) / 3600
        print(f"spoke {len(self.stock)} passages, {hours:.1f} h, in {time.time() - began:.0f} s",
              flush=True)  # fmt: skip

    def _known(self, clips: Iterable[Clip | None]) -> list[Clip]:
        """Those that were made, of tokens that are in the table."""
        return [clip for clip in clips if clip and self.known.issuperset(clip.tokens)]

    def in_order(self) -> list[Clip]:
        """The next passage of the stock; those with the rare syllables come first."""
        self.next = (self.next + 1) % len(self.stock)
        return self.stock[self.next]

    def spoken(self) -> list[Clip]:
        """The clips of a passage that was spoken."""
        return self.random.choice(self.stock)

    def of_units(self) -> list[Clip]:
        """The clips of a passage that is put together of units."""
        while True:
            texts = draw_passage(self.texts, self.random)
            clips = [self.units.clip(text, self.random) for text in texts if is_sayable(text)]
            if kept := self._known(clips):
                return kept
