"""Counts the word model: `python -m models.homophones.train`, a minute on one core."""

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import jieba
import numpy as np
from pypinyin import lazy_pinyin

from models.demo_asr.sentences import Texts, pattern_passage, read_texts
from models.homophones.word_model import LONGEST_WORD, WEIGHTS, WordModel

PATTERNS = 4_000  # passages of names, roads and departments
FIELD_SHARE = 0.85  # of the field's texts in the chance of a word by itself; the rest is jieba's
LEAST_IN_DICTIONARY = 50  # times a word of jieba's dictionary must have been counted
START_WORD = ""
PHRASE = re.compile(r"[\u4e00-\u9fff]+")


def phrases(texts: Texts, patterns: int = PATTERNS) -> Iterator[str]:
    """Stretches of Chinese without a sign."""
    random = Random(0)
    passages = [*texts.calls, *texts.turns, *texts.documents]
    passages += [pattern_passage(random) for _ in range(patterns)]
    for passage in passages:
        for line in passage:
            yield from PHRASE.findall(line)


def count(lines: Iterable[str]) -> WordModel:
    """Count words and pairs of words as jieba cuts them."""
    jieba.setLogLevel(60)
    jieba.initialize()
    single: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for line in lines:
        before = START_WORD
        for word in jieba.cut(line, HMM=False):
            single[word] += 1
            pairs[before, word] += 1
            before = word
    dictionary = {
        word: times
        for word, times in jieba.dt.FREQ.items()
        if times >= LEAST_IN_DICTIONARY and PHRASE.fullmatch(word) and len(word) <= LONGEST_WORD
    }
    words = [START_WORD, *sorted({*dictionary, *(w for w in single if len(w) <= LONGEST_WORD)})]
    numbers = {word: number for number, word in enumerate(words)}
    here, there = sum(single.values()), sum(dictionary.values())
    chances = [
        FIELD_SHARE * single[word] / here
        + (1 - FIELD_SHARE) * (dictionary.get(word, 0) + 0.1) / there
        for word in words
    ]
    kept = [
        (numbers[a], numbers[b], n) for (a, b), n in pairs.items() if a in numbers and b in numbers
    ]
    sounds = [" ".join(lazy_pinyin(word)) for word in words]
    return WordModel(words, sounds, np.array(chances, np.float32), np.array(kept, np.int32))


def main() -> None:
    """Read the texts, count, and write the weights."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=WEIGHTS)
    options = arguments.parse_args()
    model = count(phrases(read_texts()))
    model.save(options.out)
    print(f"{len(model.words)} words, {len(model.pairs)} pairs")


if __name__ == "__main__":
    main()
