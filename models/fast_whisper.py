"""faster-whisper: the same networks run by CTranslate2, several times faster (extra `fast`).

Integers of eight bits on a processor, half precision on a GPU.
"""

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import whisper
from numpy.typing import NDArray
from whisper.tokenizer import get_tokenizer

from models.alignment import REACH, TokenTime
from models.conversion import convert
from models.windowed import Hypothesis, WhisperOptions
from qc.errors import RecogniserError

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

SEED = 12345  # of the sampling: an inspection must be reproducible
CONTEXT = 448  # tokens, of every Whisper model
MOST_TOKENS = CONTEXT // 2  # written for a window, as whisper does
MEDIAN_FILTER = 7  # frames, as whisper's
MEL_FRAMES_PER_SECOND = 100


def open_folder(source: str, options: WhisperOptions) -> "FastBackend":
    """Load a converted model.

    Args:
        source: a folder, or a name that faster-whisper knows and fetches once into its cache.

    Raises:
        RecogniserError: the extra is not installed, the download failed, or it is no such model.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise RecogniserError(
            "没有安装快速识别引擎 faster-whisper", '请运行 pip install "hotline-qc[fast]"'
        ) from error
    device = options.device or "auto"
    for_device = {"cpu": "int8", "cuda": "float16"}.get(device, "default")
    try:
        model = WhisperModel(
            source,
            device=device,
            compute_type=for_device if device != "auto" else _best_type(),
            cpu_threads=options.threads or 0,
            local_files_only=Path(source).is_dir(),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise RecogniserError(
            f"快速识别模型“{Path(source).name}”打不开",
            "请用 hotline-qc convert 由 .pt 文件转换，或检查文件夹里是否有 model.bin",
        ) from error
    if not model.model.is_multilingual:
        raise RecogniserError("这个识别模型只懂英语", "请换用多语言的 Whisper 模型")
    return FastBackend(model, options)


def convert_and_open(model: whisper.Whisper, options: WhisperOptions) -> "FastBackend":
    """Convert a checkpoint for this run only; `hotline-qc convert` does it once for all."""
    with tempfile.TemporaryDirectory(prefix="hotline-qc-") as folder:
        convert(model, Path(folder))
        return open_folder(folder, options)


def _best_type() -> str:
    import ctranslate2

    return "float16" if ctranslate2.get_cuda_device_count() else "int8"


class FastBackend:
    """See `windowed.Backend`."""

    def __init__(self, model: "WhisperModel", options: WhisperOptions) -> None:
        self._network = model.model
        self._beam = options.beam_size or 1
        self.bands: int = self._network.n_mels
        self.languages: int = self._network.num_languages
        self.context = CONTEXT
        self.takes_short = True
        self._tokenizer = get_tokenizer(
            True, num_languages=self.languages, language="zh", task="transcribe"
        )

    def encode(self, mels: NDArray[np.float32]) -> Any:
        """A view of CTranslate2's, (B, frames, width)."""
        import ctranslate2

        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(mels))
        return self._network.encode(view, to_cpu=False)

    def decode(self, encoded: Any, prompt: Sequence[int], temperature: float) -> list[Hypothesis]:
        """Greedily, by beams, or drawn."""
        import ctranslate2

        ctranslate2.set_random_seed(SEED)
        results = self._network.generate(
            encoded,
            [list(prompt)] * encoded.shape[0],
            beam_size=1 if temperature else self._beam,
            sampling_topk=0 if temperature else 1,
            sampling_temperature=temperature or 1.0,
            max_length=min(CONTEXT, len(prompt) + MOST_TOKENS),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [
            Hypothesis(
                tuple(t for t in result.sequences_ids[0] if t < self._tokenizer.eot),
                _mean_logprob(result),
                result.no_speech_prob,
            )
            for result in results
        ]

    def align(
        self, encoded: Any, texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[list[TokenTime]]:
        """By the cross attention of the decoder, as whisper's word time stamps are made."""
        aligned = self._network.align(
            encoded,
            list(self._tokenizer.sot_sequence),
            [list(tokens) for tokens in texts],
            [round(length * MEL_FRAMES_PER_SECOND) for length in seconds],
            median_filter_width=MEDIAN_FILTER,
        )
        return [_times(found, len(tokens)) for found, tokens in zip(aligned, texts, strict=True)]

    def mandarin(self, encoded: Any) -> list[float]:
        """By Whisper's own language identification."""
        found = self._network.detect_language(encoded)
        return [dict(languages)["<|zh|>"] for languages in found]


def _mean_logprob(result: Any) -> float:
    """The score is divided by the length without the end token, which whisper counts."""
    length = len(result.sequences_ids[0])
    return float(result.scores[0]) * length / (length + 1)


def _times(found: Any, count: int) -> list[TokenTime]:
    """A token begins where the path through the frames reaches it, and ends with the next."""
    starts: dict[int, float] = {}
    for token, frame in found.alignments:
        starts.setdefault(token, frame * 0.02)
    bounds = [starts[token] for token in range(count)]
    bounds.append(starts.get(count, bounds[-1] + REACH if bounds else 0.0))
    return [
        TokenTime(start, min(end, start + REACH), float(probability))
        for (start, end), probability in zip(
            itertools.pairwise(bounds), found.text_token_probs, strict=False
        )
    ]
