"""What a recogniser is: samples of one channel in, timed segments of Simplified Chinese out.

Every engine is one class that keeps this protocol; `load_recogniser` is the one place that
knows which engine a name means.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from qc.errors import RecogniserError

DEMO_WEIGHTS = Path(__file__).parent / "weights" / "demo.pt"
OFFICIAL = ("tiny", "base", "small", "medium", "large-v3", "turbo")  # openai-whisper's own names


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


class Recogniser(Protocol):
    """An engine that is loaded and ready."""

    name: str  # for the report: engine and weights

    def transcribe(self, samples: NDArray, *, prompt: str = "") -> list[Segment]:
        """Recognise one channel.

        Args:
            samples: (n,) float32 at 16 kHz; may be a memory map of any length, is read in blocks.
            prompt: words to expect (names, address, issue of the order); a bias, never a must.

        Returns:
            Segments in time order, empty where nobody speaks.
        """
        ...


def load_recogniser(spec: str = "demo", **options: Any) -> Recogniser:
    """Load a recogniser by name.

    Args:
        spec: `demo` (bundled), an official Whisper name (`OFFICIAL`; fetched once by whisper
            into its cache), or the path of a checkpoint in openai-whisper's format.
        options: passed to the engine, see `WhisperRecogniser`.

    Raises:
        RecogniserError: unknown name, no such file, not a checkpoint, or the download failed.
    """
    from models.whisper_recogniser import WhisperRecogniser  # slow import: torch

    if spec in OFFICIAL:
        return WhisperRecogniser.download(spec, **options)
    if spec == "demo":
        # Prompts mislead these weights: 24.7 % of characters wrong without, 33.1 % with one.
        return WhisperRecogniser.open(DEMO_WEIGHTS, **{"use_prompt": False, **options})
    path = Path(spec).expanduser()
    if not path.exists():
        raise RecogniserError(
            f"没有名为“{spec}”的识别模型，也没有这个文件",
            f"可用的名称：demo、{'、'.join(OFFICIAL)}，或模型文件（.pt）的路径",
        )
    return WhisperRecogniser.open(path, **options)
