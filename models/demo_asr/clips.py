"""Clips: one utterance with its tokens, the phone and tone of every 20 ms frame, and samples."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from models.demo_asr.speech import SAMPLE_RATE, VOICES, Phone, speak, syllables
from models.demo_asr.spoken import HAN, PAUSES

FRAMES_PER_SECOND = 50  # encoder frames; one covers two frames of the log-mel spectrogram
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND
RATES = (140, 275)  # espeak-ng words a minute

TOKENIZER: Tokenizer = get_tokenizer(True, num_languages=99, language="zh", task="transcribe")
CHINESE = TOKENIZER.sot + 1 + list(LANGUAGES).index("zh")


@dataclass(frozen=True)
class Clip:
    """An utterance to train on."""

    tokens: tuple[int, ...]
    spans: tuple[tuple[float, float] | None, ...]  # seconds of each token, None for punctuation
    labels: NDArray[np.uint8]  # (2, frames): phone number, tone
    seconds: float
    syllables: tuple[tuple[str, float, float], ...]  # numbered pinyin and its seconds
    samples: NDArray[np.int16] | None = None  # (n,) at 16 kHz
    residual: NDArray[np.float16] | None = None  # (frames, D), see `units`


@lru_cache(200_000)
def tokens_of(text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int] | None, ...]]:
    """Tokens of a text, and for each the first and last of its characters that are said.

    Rare characters are two or three tokens of bytes each; a token may also hold two characters.
    """
    tokens = TOKENIZER.encode(text)
    said = -1
    byte_owner: list[int | None] = []
    for character in text:
        said += character not in PAUSES
        byte_owner += [None if character in PAUSES else said] * len(character.encode())
    spans: list[tuple[int, int] | None] = []
    position = 0
    for token in tokens:
        count = len(TOKENIZER.encoding.decode_single_token_bytes(token))
        owners = [o for o in byte_owner[position : position + count] if o is not None]
        spans.append((owners[0], owners[-1]) if owners else None)
        position += count
    return tuple(tokens), tuple(spans)


def token_spans(text: str, characters) -> tuple[tuple[float, float] | None, ...]:
    return tuple(
        None if span is None else (characters[span[0]][0], characters[span[1]][1])
        for span in tokens_of(text)[1]
    )


@lru_cache(200_000)
def syllables_of(text: str) -> tuple[str, ...]:
    return tuple(syllables(text))


class Phones:
    """Numbers of espeak-ng's sounds; 0 is silence. New sounds get the next number."""

    def __init__(self, names: Iterable[str] = ("_",)) -> None:
        self.numbers = {name: number for number, name in enumerate(names)}

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    @property
    def names(self) -> list[str]:
        return list(self.numbers)


def frame_labels(phones: Iterable[Phone], seconds: float, numbers: Phones) -> NDArray[np.uint8]:
    """(2, frames) phone number and tone of each frame."""
    labels = np.zeros((2, -(-int(seconds * SAMPLE_RATE) // SAMPLES_PER_FRAME)), np.uint8)
    for phone in phones:
        first = max(0, round(phone.start * FRAMES_PER_SECOND))
        last = round(phone.end * FRAMES_PER_SECOND)
        labels[0, first:last] = numbers.number(phone.name)
        labels[1, first:last] = phone.tone
    return labels


def spoken_clip(text: str, numbers: Phones, random: Random) -> Clip | None:
    """Say a text in a random voice; None when its sounds cannot be told apart."""
    rate = random.randint(*RATES)
    voice = random.choice(VOICES)
    said = speak(text, voice, rate, random.randint(25, 75), random.randint(30, 70))
    if not said.exact or said.text != text:
        return None
    named = zip(syllables_of(text), said.characters, strict=True)
    return Clip(
        tokens_of(text)[0],
        token_spans(text, said.characters),
        frame_labels(said.phones, said.seconds, numbers),
        said.seconds,
        tuple((name, start, end) for name, (start, end) in named),
        (said.samples * 32767).astype(np.int16),
    )


def is_sayable(text: str) -> bool:
    return re.fullmatch(f"[{HAN}{PAUSES}]+", text) is not None
