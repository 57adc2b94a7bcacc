"""Whisper as an engine: only what voice activity lets through, packed and decoded in batches.

`whisper.transcribe` goes through the silence too and decodes one window after the other. Here the
windows of all channels are decoded together, by whatever runs the network: PyTorch
(`torch_whisper`) or CTranslate2 (`fast_whisper`).
"""

import itertools
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import whisper
from numpy.typing import NDArray
from whisper.tokenizer import get_tokenizer

from models.alignment import TokenTime
from models.homophones.rewrite import HomophoneRewriter
from models.homophones.word_model import WordModel
from models.recogniser import Channel, Segment, Word
from models.voice_activity import SAMPLE_RATE, find_speech
from models.windows import Window, pack, sentences
from models.words import simplify, split_characters, split_tokens

WINDOW_SECONDS = 20.0  # of at most 30: measured best, and 224 tokens hold the fastest speaker
FULL_SECONDS = 30.0  # that windows are padded to
BATCH = 8  # windows decoded together
MAX_COMPRESSION = 2.4  # whisper's own limits: above, the text loops;
MIN_LOGPROB = -1.0  # below, the window is decoded again
FALLBACK_TEMPERATURES = (0.4, 0.8)


@dataclass(frozen=True)
class WhisperOptions:
    """How to decode. `device` is chosen when None: CUDA where there is one."""

    device: str | None = None
    batch: int = BATCH
    window_seconds: float = WINDOW_SECONDS
    padded_seconds: float = FULL_SECONDS  # less for weights that learned from short windows, too
    beam_size: int | None = None  # greedy when None
    use_prompt: bool = True  # False for weights that were not trained with prompts
    tell_language: bool = True  # False for weights that know no other language
    rewrite: bool = False  # True for weights that hear better than they write
    threads: int | None = None  # of the processor; as many as it has when None


@dataclass(frozen=True)
class Hypothesis:
    """What was decoded in a window: text tokens without time stamps."""

    tokens: tuple[int, ...]
    logprob: float  # natural, mean of the tokens'
    no_speech: float  # 0..1


class Backend(Protocol):
    """A Whisper network that runs somewhere."""

    bands: int  # of its log-mel spectrograms
    languages: int
    context: int  # most tokens it attends to
    takes_short: bool  # whether windows may be shorter than `FULL_SECONDS`

    def encode(self, mels: NDArray[np.float32]) -> Any:
        """What the encoder says of windows (B, bands, 100 a second)."""
        ...

    def decode(self, encoded: Any, prompt: Sequence[int], temperature: float) -> list[Hypothesis]:
        """The text of each window. At a temperature above 0 it is drawn, the same every time."""
        ...

    def align(
        self, encoded: Any, texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[list[TokenTime]]:
        """When each token of each window was said; `seconds` are the lengths of the windows."""
        ...

    def mandarin(self, encoded: Any) -> list[float]:
        """Probability (0..1) that the language of each window is Mandarin."""
        ...


class WindowedRecogniser:
    """One loaded checkpoint. Safe to share between threads: they take turns."""

    def __init__(self, backend: Backend, name: str, options: WhisperOptions) -> None:
        self.name = name
        self._backend = backend
        self._options = options
        self._lock = threading.Lock()
        self._rewriter = HomophoneRewriter(WordModel.load()) if options.rewrite else None
        self._tokenizer = get_tokenizer(
            True, num_languages=backend.languages, language="zh", task="transcribe"
        )

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        """Recognise channels, see `Recogniser.transcribe`."""
        found: list[list[Segment]] = [[] for _ in channels]
        with self._lock:
            for prompt, numbers in _by_prompt(channels, self._options.use_prompt):
                windows = (
                    (number, window)
                    for number in numbers
                    for window in self._windows(channels[number].samples)
                )
                while batch := list(itertools.islice(windows, self._options.batch)):
                    sounds = [window.cut_from(channels[n].samples) for n, window in batch]
                    heard = self._hear(sounds, [w.seconds for _, w in batch], prompt)
                    for (number, window), part in zip(batch, heard, strict=True):
                        found[number] += self._segments(window, part)
        if self._rewriter is None:
            return found
        return [
            self._rewriter.rewrite(segments, channel.hot_words)
            for segments, channel in zip(found, channels, strict=True)
        ]

    def _windows(self, samples: NDArray) -> list[Window]:
        return pack(find_speech(samples), samples, self._options.window_seconds)

    def _hear(
        self, sounds: Sequence[NDArray], seconds: Sequence[float], prompt: str
    ) -> list["_Heard"]:
        """Decode windows greedily, and those that fail again with some randomness."""
        mels = np.stack([self._mel(sound) for sound in sounds])
        start = self._prompt(prompt)
        encoded = self._backend.encode(mels)
        best = self._backend.decode(encoded, start, 0.0)
        for temperature in FALLBACK_TEMPERATURES:
            failed = [i for i, hypothesis in enumerate(best) if self._fails(hypothesis)]
            if not failed:
                break
            again = self._backend.decode(self._backend.encode(mels[failed]), start, temperature)
            for i, hypothesis in zip(failed, again, strict=True):
                best[i] = min(best[i], hypothesis, key=self._badness)
        times = self._backend.align(encoded, [h.tokens for h in best], seconds)
        known = self._options.tell_language
        mandarin = self._backend.mandarin(encoded) if known else [None] * len(best)
        return [
            _Heard(hypothesis, token_times, self._compression(hypothesis), language)
            for hypothesis, token_times, language in zip(best, times, mandarin, strict=True)
        ]

    def _mel(self, sound: NDArray) -> NDArray[np.float32]:
        seconds = self._options.padded_seconds if self._backend.takes_short else FULL_SECONDS
        padded = whisper.pad_or_trim(np.asarray(sound, np.float32), int(seconds * SAMPLE_RATE))
        mel: NDArray[np.float32] = whisper.log_mel_spectrogram(padded, self._backend.bands).numpy()
        return mel

    def _prompt(self, text: str) -> list[int]:
        """Words to expect as the text before, cut to what Whisper takes, and the task."""
        task = list(self._tokenizer.sot_sequence_including_notimestamps)
        if not text:
            return task
        words = self._tokenizer.encode(" " + text.strip())[-(self._backend.context // 2 - 1) :]
        return [self._tokenizer.sot_prev, *words, *task]

    def _compression(self, hypothesis: Hypothesis) -> float:
        text = self._tokenizer.decode(list(hypothesis.tokens)).encode()
        return len(text) / len(zlib.compress(text))

    def _fails(self, hypothesis: Hypothesis) -> bool:
        return self._compression(hypothesis) > MAX_COMPRESSION or hypothesis.logprob < MIN_LOGPROB

    def _badness(self, hypothesis: Hypothesis) -> tuple[bool, float]:
        """Looping is worst, then improbable."""
        return self._compression(hypothesis) > MAX_COMPRESSION, -hypothesis.logprob

    def _segments(self, window: Window, heard: "_Heard") -> Iterator[Segment]:
        """Words with their times in the recording, in segments of one sentence at most."""
        pieces = self._pieces(list(heard.hypothesis.tokens), heard.times)
        for part in sentences(pieces, window):
            yield Segment(
                text="".join(word.text for word in part),
                start=part[0].start,
                end=part[-1].end,
                words=part,
                confidence=sum(word.confidence for word in part) / len(part),
                no_speech=heard.hypothesis.no_speech,
                compression_ratio=heard.compression,
                mandarin=heard.mandarin,
            )

    def _pieces(self, tokens: list[int], times: list[TokenTime]) -> list[Word]:
        """One word a character, in Simplified Chinese, with times in the window."""
        split = list(split_tokens(map(self._tokenizer.encoding.decode_single_token_bytes, tokens)))
        texts = simplify([text for text, _ in split])
        words: list[Word] = []
        used = 0
        for text, (_, count) in zip(texts, split, strict=True):
            mine = times[used : used + count]
            used += count
            confidence = sum(time.probability for time in mine) / len(mine)
            words += split_characters(Word(text, mine[0].start, mine[-1].end, confidence))
        return words


@dataclass(frozen=True)
class _Heard:
    """All that is known of a window."""

    hypothesis: Hypothesis
    times: list[TokenTime]
    compression: float
    mandarin: float | None


def _by_prompt(channels: Sequence[Channel], used: bool) -> Iterator[tuple[str, list[int]]]:
    """Numbers of the channels with the same prompt: what is decoded together shares one."""
    numbers: dict[str, list[int]] = {}
    for number, channel in enumerate(channels):
        numbers.setdefault(channel.prompt if used else "", []).append(number)
    yield from numbers.items()
