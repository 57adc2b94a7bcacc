"""Whisper as an engine: only what voice activity lets through, packed and decoded in batches.

`whisper.transcribe` goes through the silence too and decodes one window after the other. Works
with every checkpoint in openai-whisper's format.
"""

import pickle
import socket
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper
from numpy.typing import NDArray
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.tokenizer import get_tokenizer

from models.alignment import TokenTime, align_tokens
from models.recogniser import Segment, Word
from models.voice_activity import find_speech
from models.windows import Window, group_by_stretch, pack
from models.words import merge_words, simplify, split_characters, split_sentences
from qc.errors import RecogniserError

WINDOW_SECONDS = 20.0  # of at most 30: measured best, and 224 tokens hold the fastest speaker
BATCH = 8  # windows decoded together
MAX_COMPRESSION = 2.4  # whisper's own limits: above, the text loops;
MIN_LOGPROB = -1.0  # below, the window is decoded again
FALLBACK_TEMPERATURES = (0.4, 0.8)
ONE_THREAD_BELOW = 512  # width of a model so small that threads only wait for one another
SEED = 12345  # of the sampling at those: an inspection must be reproducible
DOWNLOAD_TIMEOUT = 30.0  # seconds without a byte

# What `torch.load` and whisper raise on a file that is no checkpoint of theirs.
BAD_CHECKPOINT = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class WhisperOptions:
    """How to decode. `device` is chosen when None: CUDA where there is one."""

    device: str | None = None
    batch: int = BATCH
    window_seconds: float = WINDOW_SECONDS
    beam_size: int | None = None  # greedy when None
    use_prompt: bool = True  # False for weights that were not trained with prompts


class WhisperRecogniser:
    """One loaded checkpoint. Safe to share between threads: they take turns."""

    def __init__(self, model: whisper.Whisper, name: str, options: WhisperOptions) -> None:
        if not model.is_multilingual:
            raise RecogniserError("这个识别模型只懂英语", "请换用多语言的 Whisper 模型")
        self.name = name
        self._model = model
        self._options = options
        self._lock = threading.Lock()  # whisper hangs its cache on the model while decoding
        self._tokenizer = get_tokenizer(
            True, num_languages=model.num_languages, language="zh", task="transcribe"
        )
        self._decoding = DecodingOptions(
            language="zh",
            beam_size=options.beam_size,
            without_timestamps=True,  # better and faster on packed windows; words are aligned
            fp16=model.device.type == "cuda",
        )

    @classmethod
    def open(cls, path: Path, **options: Any) -> "WhisperRecogniser":
        """Load a checkpoint file.

        Raises:
            RecogniserError: no such file, or not a Whisper checkpoint.
        """
        if not path.is_file():
            raise RecogniserError("找不到识别模型的文件", f"请检查路径：{path}")
        try:
            return cls._load(str(path), f"whisper:{path.stem}", WhisperOptions(**options))
        except BAD_CHECKPOINT as error:
            raise RecogniserError(
                "这个文件不是可用的 Whisper 模型", "请使用 openai-whisper 格式的 .pt 文件"
            ) from error

    @classmethod
    def download(cls, name: str, **options: Any) -> "WhisperRecogniser":
        """Load an official model, fetched into whisper's cache the first time.

        Raises:
            RecogniserError: the download failed.
        """
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # whisper sets none: a firewall may swallow it
        try:
            return cls._load(name, f"whisper:{name}", WhisperOptions(**options))
        except (OSError, RuntimeError) as error:
            raise RecogniserError(
                f"识别模型“{name}”下载失败，可能没有联网",
                "请在能上网的电脑上下载模型文件（.pt），复制到本机，再用文件路径代替模型名称",
            ) from error
        finally:
            socket.setdefaulttimeout(before)

    @classmethod
    def _load(cls, source: str, name: str, options: WhisperOptions) -> "WhisperRecogniser":
        model = whisper.load_model(source, device=options.device)
        if model.dims.n_audio_state < ONE_THREAD_BELOW:
            torch.set_num_threads(1)
        return cls(model, name, options)

    def transcribe(self, samples: NDArray, *, prompt: str = "") -> list[Segment]:
        """Recognise one channel, see `Recogniser.transcribe`."""
        windows = pack(find_speech(samples), samples, self._options.window_seconds)
        segments: list[Segment] = []
        with self._lock:
            # whisper's beam search takes one window at a time
            together = 1 if self._options.beam_size else self._options.batch
            for start in range(0, len(windows), together):
                batch = windows[start : start + together]
                results = self._decode([window.cut_from(samples) for window in batch], prompt)
                for window, result in zip(batch, results, strict=True):
                    segments += self._segments(window, result)
        return segments

    def _decode(self, sounds: Sequence[NDArray[np.float32]], prompt: str) -> list[DecodingResult]:
        """Decode windows greedily, and those that fail again with some randomness."""
        mels = [
            whisper.log_mel_spectrogram(whisper.pad_or_trim(sound), self._model.dims.n_mels)
            for sound in sounds
        ]
        used = prompt if self._options.use_prompt else ""
        options = replace(self._decoding, prompt=used or None)
        mel = torch.stack(mels).to(self._model.device)
        results: list[DecodingResult] = whisper.decode(self._model, mel, options)
        for temperature in FALLBACK_TEMPERATURES:
            failed = [i for i, result in enumerate(results) if _failed(result)]
            if not failed:
                break
            features = torch.stack([results[i].audio_features for i in failed])
            options = replace(options, temperature=temperature, beam_size=None)
            with torch.random.fork_rng():
                torch.manual_seed(SEED)
                again: list[DecodingResult] = whisper.decode(self._model, features, options)
            for i, result in zip(failed, again, strict=True):
                results[i] = min(results[i], result, key=_badness)
        return results

    def _segments(self, window: Window, result: DecodingResult) -> Iterator[Segment]:
        """Words with their times in the recording, in segments of one sentence at most."""
        tokens = [token for token in result.tokens if token < self._tokenizer.eot]
        times = align_tokens(
            self._model, self._tokenizer, result.audio_features, tokens, window.seconds
        )
        pieces = merge_words(self._pieces(tokens, times))
        stretches = group_by_stretch([(piece.start, piece.end) for piece in pieces], window)
        words = [
            replace(
                piece,
                start=round(window.in_recording(piece.start, index), 3),
                end=round(window.in_recording(piece.end, index), 3),
            )
            for piece, index in zip(pieces, stretches, strict=True)
        ]
        for part in split_sentences(words, stretches):
            text = "".join(word.text for word in part)
            yield Segment(
                text=text,
                start=part[0].start,
                end=part[-1].end,
                words=part,
                confidence=sum(word.confidence for word in part) / len(part),
                no_speech=result.no_speech_prob,
                compression_ratio=result.compression_ratio,
            )

    def _pieces(self, tokens: list[int], times: list[TokenTime]) -> list[Word]:
        """One word a character, in Simplified Chinese, with times in the window."""
        texts, groups = self._tokenizer.split_to_word_tokens(tokens)
        texts = simplify(texts)
        words: list[Word] = []
        used = 0
        for text, group in zip(texts, groups, strict=True):
            mine = times[used : used + len(group)]
            used += len(group)
            confidence = sum(time.probability for time in mine) / len(mine)
            words += split_characters(Word(text, mine[0].start, mine[-1].end, confidence))
        return words


def _failed(result: DecodingResult) -> bool:
    return result.compression_ratio > MAX_COMPRESSION or result.avg_logprob < MIN_LOGPROB


def _badness(result: DecodingResult) -> tuple[bool, float]:
    """Looping is worst, then improbable."""
    return result.compression_ratio > MAX_COMPRESSION, -result.avg_logprob
