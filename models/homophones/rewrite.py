"""Writes what was heard with the words that were most likely meant.

A small recogniser gets nearly all syllables right and many characters wrong. Among all words with
the syllables it heard, the best path by the word model is found, with the recogniser's own
characters weighed by its confidence. The order's names and address join the words for their call:
that is how this recogniser takes hot words.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import groupby

from pypinyin import lazy_pinyin

from models.homophones.word_model import LONGEST_WORD, START, Sound, WordModel
from models.recogniser import Segment, Word

HAN = ("\u4e00", "\u9fff")
BEAM = 5  # words that a path may end with at each character; 12 change nothing
# Power of the confidence, the recogniser being surer than it is right: best on sixteen calls that
# neither its weights nor the word model had seen, where 1 is half a point worse.
SURENESS = 0.5
LEAST_DOUBT = 1e-3  # of a character, however sure the recogniser is
HOT_CHANCE = 1e-3  # of a hot word: as common as 街道
CHINESE = re.compile("[\u4e00-\u9fff]{2,}")  # single hot characters would turn up everywhere


@dataclass(frozen=True)
class _Step:
    """The best way to a word that ends here."""

    score: float
    text: str
    from_position: int
    before: int


class HomophoneRewriter:
    """Rewrites segments; safe to share between threads."""

    def __init__(self, model: WordModel) -> None:
        self._model = model

    def rewrite(self, segments: Iterable[Segment], hot_words: Sequence[str]) -> list[Segment]:
        """The same segments, with other characters of the same sound where those fit better."""
        known = (part for word in hot_words for part in CHINESE.findall(word))
        hot = {tuple(lazy_pinyin(part)): part for part in known}
        return [self._segment(segment, hot) for segment in segments]

    def _segment(self, segment: Segment, hot: dict[Sound, str]) -> Segment:
        words: list[Word] = []
        for is_phrase, run in groupby(_phrases(segment.words), key=lambda item: item[0]):
            part = [word for _, word in run]
            words += self._phrase(part, hot) if is_phrase >= 0 else part
        return replace(segment, words=tuple(words), text="".join(word.text for word in words))

    def _phrase(self, words: Sequence[Word], hot: dict[Sound, str]) -> list[Word]:
        heard = "".join(word.text[0] for word in words)
        syllables = lazy_pinyin(heard)
        if len(syllables) != len(words):
            return list(words)
        meant = self._best(heard, syllables, [word.confidence for word in words], hot)
        return [
            replace(word, text=character + word.text[1:])
            for word, character in zip(words, meant, strict=True)
        ]

    def _best(
        self, heard: str, syllables: Sequence[str], sure: Sequence[float], hot: dict[Sound, str]
    ) -> str:
        """Viterbi over the words that end at each character."""
        paths: list[dict[int, _Step]] = [{} for _ in range(len(heard) + 1)]
        paths[0] = {START: _Step(0.0, "", 0, START)}
        for start in range(len(heard)):
            best = nlargest(BEAM, paths[start].items(), key=lambda item: item[1].score)
            for length in range(
                1, min(max(LONGEST_WORD, *map(len, hot), 0), len(heard) - start) + 1
            ):
                end = start + length
                for number, text in self._candidates(heard[start:end], syllables[start:end], hot):
                    # What is expected fits as well as what was written: it sounds the same.
                    said = heard[start:end] if number == HOT else text
                    fits = _fit(said, heard[start:end], sure[start:end])
                    for before, step in best:
                        score = step.score + fits + self._log_chance(before, number)
                        known = paths[end].get(number)
                        if known is None or known.score < score:
                            paths[end][number] = _Step(score, text, start, before)
        return _trace(paths)

    def _candidates(
        self, heard: str, syllables: Sequence[str], hot: dict[Sound, str]
    ) -> Iterator[tuple[int, str]]:
        """Numbers and texts of words with these syllables; what is in no list stays as heard."""
        sound = tuple(syllables)
        own = len(heard) > 1
        for number in self._model.alike.get(sound, ()):
            text = self._model.words[number]
            own = own or text == heard
            yield number, text
        if sound in hot:
            yield HOT, hot[sound]
        if not own:
            yield UNKNOWN, heard

    def _log_chance(self, before: int, number: int) -> float:
        if number == HOT:
            return math.log(HOT_CHANCE)
        if number == UNKNOWN:
            return UNKNOWN_LOG_CHANCE
        return self._model.log_chance(before, number)


HOT, UNKNOWN = -1, -2
UNKNOWN_LOG_CHANCE = math.log(1e-7)


def _phrases(words: Sequence[Word]) -> Iterator[tuple[int, Word]]:
    """Number of the phrase, Chinese up to a sign, of each word; -1 for what is no Chinese."""
    phrase = 0
    for word in words:
        if not HAN[0] <= word.text[0] <= HAN[1]:
            yield -1, word
            continue
        yield phrase, word
        phrase += len(word.text) > 1


def _fit(text: str, heard: str, sure: Sequence[float]) -> float:
    """Log-probability of hearing characters where others were said, by the confidence."""
    total = 0.0
    for meant, written, confidence in zip(text, heard, sure, strict=True):
        right = min(max(confidence, LEAST_DOUBT), 1 - LEAST_DOUBT)
        total += SURENESS * math.log(right if meant == written else 1 - right)
    return total


def _trace(paths: Sequence[dict[int, _Step]]) -> str:
    """The text of the best path."""
    position = len(paths) - 1
    number = max(paths[position], key=lambda n: paths[position][n].score)
    parts: list[str] = []
    while position > 0:
        step = paths[position][number]
        parts.append(step.text)
        position, number = step.from_position, step.before
    return "".join(reversed(parts))
