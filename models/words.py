"""From a recogniser's tokens to words and sentences of Simplified Chinese."""

import codecs
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from models.recogniser import Word

if TYPE_CHECKING:
    from opencc import OpenCC

SENTENCE_END = "。？！?!"
MAX_PAUSE = 0.6  # seconds between words of one segment
CHARACTER = re.compile(r"[\u4e00-\u9fff]|[^\u4e00-\u9fff]+")


@cache
def _converter() -> "OpenCC":
    import opencc  # slow import

    return opencc.OpenCC("t2s")


def simplify(texts: Sequence[str]) -> list[str]:
    """Traditional to Simplified, by phrases where that keeps the number of characters."""
    whole = _converter().convert("".join(texts))
    if len(whole) != sum(map(len, texts)):
        return [_converter().convert(text) for text in texts]
    ends = list(itertools.accumulate(map(len, texts)))
    return [whole[end - len(text) : end] for text, end in zip(texts, ends, strict=True)]


def split_tokens(tokens: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """The text of each token, or of the few that make a character together, and how many they are.

    What is no character is left out. (Whisper's own splitting fails where a text ends within one.)
    """
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    text, count = "", 0
    for token in tokens:
        text += decoder.decode(token)
        count += 1
        if not decoder.getstate()[0]:  # no byte is waiting for others
            yield text, count
            text, count = "", 0
    if text:
        yield text, count


def split_characters(word: Word) -> Iterator[Word]:
    """One word a Chinese character: tokens may hold two (先生), which share the time evenly."""
    pieces = CHARACTER.findall(word.text)
    step = (word.end - word.start) / max(1, len(pieces))
    for i, piece in enumerate(pieces):
        start = word.start + i * step
        yield replace(word, text=piece, start=start, end=start + step)


def merge_words(words: Sequence[Word]) -> list[Word]:
    """Join punctuation to the word before, and the pieces of a number or Latin word."""
    merged: list[Word] = []
    for word in words:
        before = merged[-1] if merged else None
        if before and _belongs(before.text, word.text):
            end = word.end if word.text.isalnum() else before.end
            merged[-1] = replace(before, text=before.text + word.text, end=end)
        elif word.text.strip():
            merged.append(word)
    return merged


def _belongs(before: str, text: str) -> bool:
    if not any(char.isalnum() for char in text):
        return True
    latin = text[0].isascii() and text[0].isalnum()
    return latin and before[-1].isascii() and before[-1].isalnum()


def split_sentences(words: Sequence[Word], stretches: Sequence[int]) -> Iterator[tuple[Word, ...]]:
    """Split where a stretch of speech, a sentence or a run of words without a pause ends.

    Args:
        words: in time order.
        stretches: index of the stretch of speech each word belongs to.
    """
    part: list[Word] = []
    for i, word in enumerate(words):
        if part and (
            stretches[i] != stretches[i - 1]
            or part[-1].text.rstrip()[-1:] in SENTENCE_END
            or word.start - part[-1].end > MAX_PAUSE
        ):
            yield tuple(part)
            part = []
        part.append(word if part else replace(word, text=word.text.lstrip()))
    if part:
        yield tuple(part)
