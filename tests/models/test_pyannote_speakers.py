"""Separation by a pipeline of pyannote.audio, for those who have one."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from models.pyannote_speakers import load_pipeline, separate_by
from qc.errors import QcError

SAMPLES = np.zeros(10 * 16_000, np.float32)


def pipeline(said: dict[str, Any]) -> Annotation:
    """Stands for weights that do not ship: citizen, agent, and both at once at the end."""
    assert said["waveform"].shape == (1, len(SAMPLES))
    found = Annotation()
    found[Segment(0.5, 3.0)] = "SPEAKER_01"
    found[Segment(3.5, 9.0)] = "SPEAKER_00"
    found[Segment(8.0, 9.0), "second"] = "SPEAKER_01"
    return found


@pytest.mark.parametrize(
    "found_by", [pipeline, lambda said: SimpleNamespace(speaker_diarization=pipeline(said))]
)
def test_spans_and_words_follow_the_pipeline(found_by) -> None:
    separation = separate_by(found_by, SAMPLES)
    assert separation.speakers == 2
    assert [(s.start, s.end, s.speaker) for s in separation.spans] == [
        (0.5, 3.0, 0), (3.5, 9.0, 1), (8.0, 9.0, 0)
    ]  # fmt: skip
    labels = separation.label([(1.0, 2.0), (4.0, 5.0)], [0.3, 0.3])
    assert [speaker for speaker, _ in labels] == [0, 1]


def test_where_both_speak_the_sound_says_nothing() -> None:
    evidence = separate_by(pipeline, SAMPLES).evidence
    assert evidence[int(len(evidence) * 0.85)] == 0


def test_nobody_is_no_speaker() -> None:
    assert separate_by(lambda _: Annotation(), SAMPLES).speakers == 0


@pytest.mark.skipif(
    importlib.util.find_spec("pyannote.audio") is not None, reason="pyannote.audio is installed"
)
def test_missing_package_is_one_clear_sentence() -> None:
    with pytest.raises(QcError) as error:
        load_pipeline(Path("config.yaml"))
    assert str(error.value) == (
        "没有安装 pyannote.audio，无法用它区分说话人，请运行 pip install hotline-qc[pyannote]。"
    )
