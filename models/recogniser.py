"""What a recogniser is: samples of one channel in, timed segments of Simplified Chinese out.

Every engine is one class that keeps this protocol; `load_recogniser` is the one place that
knows which engine a name means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from qc.errors import RecogniserError

if TYPE_CHECKING:
    from models.windowed import Backend, WhisperOptions

DEMO_WEIGHTS = Path(__file__).parent / "weights" / "demo.pt"
OFFICIAL = ("tiny", "base", "small", "medium", "large-v3", "turbo")  # openai-whisper's own names
FAST = "fast:"
# Prompts mislead the bundled weights: 24.7 % of characters wrong without, 33.1 % with one. They
# have heard no other language, hear better than they write, and learned from windows of 8 to 30 s.
DEMO_OPTIONS = {
    "use_prompt": False,
    "tell_language": False,
    "rewrite": True,
    "padded_seconds": 22.0,  # a little more than a window
}


@dataclass(frozen=True)
class Word:
    """One character of Chinese (with the punctuation after it) or one Latin word or number."""

    text: str
    start: float  # seconds from the beginning of the samples
    end: float
    confidence: float  # 0..1, the recogniser's own probability


@dataclass(frozen=True)
class Segment:
    """One stretch of speech without a pause. `text` is the words joined."""

    text: str
    start: float  # seconds from the beginning of the samples
    end: float
    words: tuple[Word, ...]
    confidence: float  # 0..1, mean of the words'
    no_speech: float  # 0..1, the recogniser's probability that nobody spoke in its window
    compression_ratio: float  # bytes of the window's text over its zlib size; above 2.4 it loops
    mandarin: float | None = None  # 0..1, that the language of its window is Mandarin, if known


@dataclass(frozen=True, eq=False)
class Channel:
    """Something to recognise.

    `samples` are (n,) float32 at 16 kHz; they may be a memory map of any length and are read in
    blocks. `hot_words` are to be expected (names, address, issue of the order): a bias, never a
    must.
    """

    samples: NDArray
    hot_words: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """The hot words as a sentence that may have gone before, for those who take text."""
        return "，".join(self.hot_words) + "。" if self.hot_words else ""


class Recogniser(Protocol):
    """An engine that is loaded and ready."""

    name: str  # for the report: engine and weights

    def transcribe(self, channels: Sequence[Channel]) -> list[list[Segment]]:
        """Recognise channels, of one recording or of many, together.

        Returns:
            For each channel its segments in time order, none where nobody speaks.

        Raises:
            RecogniserError: the engine cannot be reached or does not answer.
        """
        ...


def load_recogniser(spec: str = "demo", **options: Any) -> Recogniser:
    """Load a recogniser by name.

    Args:
        spec: `demo` (bundled), an official Whisper name (`OFFICIAL`; fetched once by whisper
            into its cache), the path of a checkpoint in openai-whisper's format, or the address of
            a server that speaks OpenAI's `/v1/audio/transcriptions`. `fast:` before a name or
            path runs it by faster-whisper, and takes a folder already converted, too.
        options: passed to the engine, see `WhisperOptions`.

    Raises:
        RecogniserError: unknown name, no such file, not a checkpoint, or the download failed.
    """
    if spec.startswith(("http://", "https://")):
        from models.remote_recogniser import RemoteRecogniser

        return RemoteRecogniser.from_environment(spec)
    from models.windowed import WhisperOptions, WindowedRecogniser  # slow import: whisper

    fast = spec.startswith(FAST)
    wanted = spec.removeprefix(FAST)
    if wanted == "demo":
        options = DEMO_OPTIONS | options
    chosen = WhisperOptions(**options)
    backend = (_load_fast if fast else _load_torch)(wanted, chosen)
    name = wanted if wanted in (*OFFICIAL, "demo") else Path(wanted).stem
    return WindowedRecogniser(backend, f"{'faster-whisper' if fast else 'whisper'}:{name}", chosen)


def _load_torch(wanted: str, options: "WhisperOptions") -> "Backend":
    from models.torch_whisper import TorchBackend, download, open_checkpoint

    if wanted in OFFICIAL:
        return TorchBackend(download(wanted, options.device), options)
    return TorchBackend(open_checkpoint(find_checkpoint(wanted), options.device), options)


def _load_fast(wanted: str, options: "WhisperOptions") -> "Backend":
    from models.fast_whisper import convert_and_open, open_folder
    from models.torch_whisper import open_checkpoint

    if wanted in OFFICIAL or Path(wanted).expanduser().is_dir():
        return open_folder(str(Path(wanted).expanduser()), options)
    return convert_and_open(open_checkpoint(find_checkpoint(wanted), "cpu"), options)


def find_checkpoint(wanted: str) -> Path:
    """The file of a checkpoint given by its path, or `demo`.

    Raises:
        RecogniserError: there is no such file.
    """
    path = DEMO_WEIGHTS if wanted == "demo" else Path(wanted).expanduser()
    if not path.exists():
        raise RecogniserError(
            f"没有名为“{wanted}”的识别模型，也没有这个文件",
            f"可用的名称：demo、{'、'.join(OFFICIAL)}，模型文件（.pt）的路径，"
            "或识别服务的网址；前面加 fast: 用 faster-whisper 运行",
        )
    return path
