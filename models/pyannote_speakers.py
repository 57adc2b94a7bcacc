"""Speakers told apart by a pyannote.audio pipeline: extra `[pyannote]`, for those with its weights.

The weights are licensed by their authors and do not ship here. See `separate_by`, which gives the
same `Separation` as `models.speakers.separate`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.speakers import (
    FRAMES_PER_SECOND,
    HOP,
    SAMPLE_RATE,
    Separation,
    SpeakerSpan,
)
from qc.errors import QcError

if TYPE_CHECKING:
    from pyannote.core import Annotation

CONFIDENCE = 0.95  # pipelines give none; leaves room for the words to say otherwise
EVIDENCE = float(np.log(CONFIDENCE / (1 - CONFIDENCE))) / FRAMES_PER_SECOND  # a second's, a frame
UNLIKENESS = 1.0  # not measured: the pipeline has decided how many there are


@cache
def load_pipeline(path: Path) -> Callable[[dict[str, Any]], Any]:
    """Load a diarization pipeline from its local folder or `config.yaml`.

    Raises:
        QcError: pyannote.audio is not installed, or there is no usable pipeline at `path`.
    """
    try:
        from pyannote.audio import Pipeline
    except ImportError as error:
        raise QcError(
            "没有安装 pyannote.audio，无法用它区分说话人", "请运行 pip install hotline-qc[pyannote]"
        ) from error
    try:
        pipeline = Pipeline.from_pretrained(str(path)) if path.exists() else None
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        raise QcError("pyannote 的模型无法读取", f"请检查文件是否完整：{path}") from error
    if pipeline is None:
        raise QcError("找不到 pyannote 的模型", f"请检查路径：{path}")
    return pipeline


def separate_by(pipeline: Callable[[dict[str, Any]], Any], samples: NDArray) -> Separation:
    """Tell two speakers apart with a pipeline.

    Args:
        pipeline: as `load_pipeline` gives it.
        samples: (n,) float32 at 16 kHz.
    """
    import torch

    wave = torch.from_numpy(np.array(samples, np.float32)[None])
    found = pipeline({"waveform": wave, "sample_rate": SAMPLE_RATE, "num_speakers": 2})
    # version 4 wraps the annotation
    return to_separation(getattr(found, "speaker_diarization", found), -(-len(samples) // HOP))


def to_separation(found: "Annotation", frames: int) -> Separation:
    """Spans and evidence of an annotation; whoever speaks first is speaker 0."""
    tracks = [(segment, str(label)) for segment, _, label in found.itertracks(yield_label=True)]
    labels = list(dict.fromkeys(label for _, label in tracks))
    evidence = np.zeros(frames, np.float32)
    spans = []
    for segment, label in tracks:
        speaker = min(1, labels.index(label))
        first, last = (round(at * FRAMES_PER_SECOND) for at in (segment.start, segment.end))
        evidence[max(0, first) : last] += EVIDENCE if speaker else -EVIDENCE
        spans.append(SpeakerSpan(segment.start, segment.end, speaker, CONFIDENCE))
    speakers = min(2, len(labels))
    return Separation(tuple(spans), speakers, UNLIKENESS if speakers == 2 else 0.0, evidence)
