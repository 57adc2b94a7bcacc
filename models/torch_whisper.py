"""openai-whisper's own network, run by PyTorch. Works with every checkpoint in its format."""

import pickle
import socket
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import whisper
from numpy.typing import NDArray
from whisper.decoding import DecodingOptions
from whisper.tokenizer import get_tokenizer

from models.alignment import TokenTime, align_tokens
from models.windowed import Hypothesis, WhisperOptions
from qc.errors import RecogniserError

ONE_THREAD_BELOW = 512  # width of a model so small that threads only wait for one another
SEED = 12345  # of the sampling: an inspection must be reproducible
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


def open_checkpoint(path: Path, device: str | None = None) -> whisper.Whisper:
    """Load a checkpoint file.

    Raises:
        RecogniserError: no such file, not a Whisper checkpoint, or one for English only.
    """
    if not path.is_file():
        raise RecogniserError("找不到识别模型的文件", f"请检查路径：{path}")
    try:
        model = whisper.load_model(str(path), device=device)
    except BAD_CHECKPOINT as error:
        raise RecogniserError(
            "这个文件不是可用的 Whisper 模型", "请使用 openai-whisper 格式的 .pt 文件"
        ) from error
    return _multilingual(model)


def download(name: str, device: str | None = None) -> whisper.Whisper:
    """Load an official model, fetched into whisper's cache the first time.

    Raises:
        RecogniserError: the download failed.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # whisper sets none: a firewall may swallow it
    try:
        return _multilingual(whisper.load_model(name, device=device))
    except (OSError, RuntimeError) as error:
        raise RecogniserError(
            f"识别模型“{name}”下载失败，可能没有联网",
            "请在能上网的电脑上下载模型文件（.pt），复制到本机，再用文件路径代替模型名称",
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _multilingual(model: whisper.Whisper) -> whisper.Whisper:
    if not model.is_multilingual:
        raise RecogniserError("这个识别模型只懂英语", "请换用多语言的 Whisper 模型")
    return model


class TorchBackend:
    """See `windowed.Backend`."""

    def __init__(self, model: whisper.Whisper, options: WhisperOptions) -> None:
        if options.threads:
            torch.set_num_threads(options.threads)
        elif model.dims.n_audio_state < ONE_THREAD_BELOW:
            torch.set_num_threads(1)
        self.bands = model.dims.n_mels
        self.languages = model.num_languages
        self.context = model.dims.n_text_ctx
        self.takes_short = False  # whisper's encoder insists on 30 s
        self._model = model
        self._tokenizer = get_tokenizer(
            True, num_languages=self.languages, language="zh", task="transcribe"
        )
        self._options = DecodingOptions(
            language="zh",
            beam_size=options.beam_size,
            without_timestamps=True,  # better and faster on packed windows; words are aligned
            fp16=model.device.type == "cuda",
        )

    def encode(self, mels: NDArray[np.float32]) -> torch.Tensor:
        """(B, frames, width) in the precision that is decoded in."""
        mel = torch.from_numpy(mels).to(self._model.device)
        with torch.inference_mode():
            encoded: torch.Tensor = self._model.encoder(mel.half() if self._options.fp16 else mel)
        return encoded

    def decode(
        self, encoded: torch.Tensor, prompt: Sequence[int], temperature: float
    ) -> list[Hypothesis]:
        """By whisper's own decoder, which adds the task to the prompt itself."""
        words = list(prompt[1 : prompt.index(self._tokenizer.sot)])
        beam = None if temperature else self._options.beam_size
        options = {**vars(self._options), "temperature": temperature, "beam_size": beam}
        decoding = DecodingOptions(**{**options, "prompt": words or None})
        # Its beam search takes one window at a time.
        batches = encoded.split(1) if beam else [encoded]
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            results = [r for batch in batches for r in whisper.decode(self._model, batch, decoding)]
        return [
            Hypothesis(
                tuple(token for token in result.tokens if token < self._tokenizer.eot),
                result.avg_logprob,
                result.no_speech_prob,
            )
            for result in results
        ]

    def align(
        self, encoded: torch.Tensor, texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[list[TokenTime]]:
        """By the cross attention of the decoder."""
        return [
            align_tokens(self._model, self._tokenizer, features, tokens, length)
            for features, tokens, length in zip(encoded, texts, seconds, strict=True)
        ]

    def mandarin(self, encoded: torch.Tensor) -> list[float]:
        """By whisper's own language identification."""
        _, probabilities = whisper.detect_language(self._model, encoded, self._tokenizer)
        return [language["zh"] for language in probabilities]
