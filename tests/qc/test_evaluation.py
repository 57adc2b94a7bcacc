"""The quality table: right figures for known disagreements."""

import json
from pathlib import Path

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.errors import OrderError
from qc.evaluation import Counts, Labels, measure, read_labelled
from qc.inspect import inspect_call

CORPUS = Path(__file__).parents[2] / "samples" / "corpus"


@pytest.fixture(scope="module")
def pairs():
    labelled = read_labelled([CORPUS / "dev-e.jsonl"])
    return [(inspect_call(c, load_catalogue(), load_classifier()), la) for c, la in labelled]


def test_perfect_labels_give_perfect_figures(pairs) -> None:
    own = [
        (
            inspection,
            Labels(
                elements={e.id: e.status for e in inspection.elements},
                behaviours=[{"id": b.id, "turns": b.turns} for b in inspection.behaviours],
                citizen=[{"id": s.id, "turns": s.turns} for s in inspection.citizen],
                satisfaction=inspection.satisfaction,
            ),
        )
        for inspection, _ in pairs
    ]
    quality = measure(own)
    assert quality.element_accuracy == quality.turn_hit == quality.satisfaction_accuracy == 1
    assert quality.element_defects.f1 == quality.behaviours.f1 == quality.signals.f1 == 1
    assert quality.false_alarms == 0
    assert not quality.mistakes


def test_a_missed_and_an_invented_behaviour_are_counted(pairs) -> None:
    inspection, labels = next((i, la) for i, la in pairs if not i.behaviours and not la.behaviours)
    wrong = labels.model_copy(update={"behaviours": ({"id": "bh.rude", "turns": [0]},)})
    quality = measure([(inspection, Labels.model_validate(wrong.model_dump(warnings=False)))])
    assert quality.by_behaviour["bh.rude"] == Counts(missed=1)
    assert quality.behaviours.recall == 0
    assert [m.rule for m in quality.mistakes if m.rule.startswith("bh.")] == ["bh.rude"]


def test_counts_follow_their_definitions() -> None:
    counts = Counts(hit=6, false=2, missed=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)


def test_the_bundled_weights_fit_the_calls_they_learned_from(pairs) -> None:
    """A floor that a broken feature or weights file falls through; no figure of quality."""
    quality = measure(pairs)
    assert quality.element_accuracy > 0.9
    assert quality.behaviours.f1 > 0.9


def test_unlabelled_and_broken_lines_are_told(tmp_path: Path) -> None:
    call = {"kind": "reply", "turns": [{"role": "agent", "text": "您好"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(call), "utf-8")
    with pytest.raises(OrderError, match="没有 labels"):
        read_labelled([tmp_path / "a.jsonl"])
    (tmp_path / "b.jsonl").write_text("{", "utf-8")
    with pytest.raises(OrderError, match="第 1 行"):
        read_labelled([tmp_path / "b.jsonl"])
