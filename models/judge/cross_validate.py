"""How well unseen calls are judged: `python -m models.judge.cross_validate [--robustness]`.

Five folds by call. For the calls of a fold the regressions come from the other folds (and the
single utterances); calibration and thresholds are fitted on the predictions for the other folds.
These were made by regressions that saw the fold, and the vocabulary is of all calls: not quite
nested. The whole judgement then runs on the predictions, and `qc.quality` compares it with the
labels. With `--robustness` the regressions of each fold judge its calls distorted as well; nothing
distorted is trained on.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from models.judge.context import Utterance
from models.judge.examples import (
    CORPUS,
    Example,
    examples_of_call,
    labelled_calls,
    read_examples,
)
from models.judge.train import (
    FOLDS,
    Calibration,
    Vectoriser,
    calibrate,
    calibrated,
    choose_thresholds,
    folds_of,
    label_names,
    predict_unseen,
)
from qc.catalogue import Catalogue, load_catalogue
from qc.inspect import inspect_call
from qc.order import Call
from qc.quality.assessment import assess
from qc.quality.distortion import DISTORTIONS, distort
from qc.quality.evaluation import Labels, Pair
from qc.quality.report import show_assessment, show_mistakes

AS_WRITTEN = ""  # the version of the calls that is not distorted


class KnownCall:
    """Stands in for the classifier with predictions made beforehand for one call."""

    def __init__(
        self, labels: Sequence[str], thresholds: Mapping[str, float], rows: NDArray[np.float32]
    ) -> None:
        self.labels = labels
        self.thresholds = thresholds
        self._rows = rows

    def judge(self, batch: Sequence[Utterance]) -> NDArray[np.float32]:
        assert len(batch) == len(self._rows)
        return self._rows


Fitted = Mapping[int, tuple[Calibration, Mapping[str, float]]]  # fold -> and its thresholds


def fit_folds(
    examples: Sequence[Example], labels: Sequence[str], table: NDArray[np.float32]
) -> Fitted:
    """Calibration and thresholds of each fold, from the predictions for the other folds."""
    folds = folds_of(examples)
    found = {}
    for fold in range(FOLDS):
        others = [i for i, e in enumerate(examples) if e.call_id and folds[i] != fold]
        seen = [examples[i] for i in others]
        calibration = calibrate(table[others], seen, labels)
        known = calibrated(table[others], labels, calibration)
        found[fold] = calibration, choose_thresholds(known, seen, labels)
    return found


def classifiers(
    examples: Sequence[Example], labels: Sequence[str], table: NDArray[np.float32], fitted: Fitted
) -> dict[str, KnownCall]:
    """For each call a classifier that never saw it, from the table of `predict_unseen`."""
    folds = folds_of(examples)
    places: dict[str, list[int]] = {}
    for place, example in enumerate(examples):
        if example.call_id:
            places.setdefault(example.call_id, []).append(place)
    found = {}
    for call_id, here in places.items():
        calibration, thresholds = fitted[int(folds[here[0]])]
        found[call_id] = KnownCall(labels, thresholds, calibrated(table[here], labels, calibration))
    return found


def judge_unseen(
    catalogue: Catalogue,
    distortions: Sequence[str] = (),
    corpus: Path = CORPUS,
) -> dict[str, list[Pair]]:
    """Every labelled call, judged without having been seen, and its labels.

    By version: the calls as they were written (`AS_WRITTEN`), and distorted.
    """
    versions = {title: list(_calls(corpus, title)) for title in (AS_WRITTEN, *distortions)}
    learned, labels = read_examples(catalogue, corpus), label_names(catalogue)
    judged = {
        title: [e for row in versions[title] for e in examples_of_call(row, catalogue)]
        for title in distortions
    }
    everything = [*learned, *(example for own in judged.values() for example in own)]
    rows = Vectoriser(learned).rows(everything)
    usable = np.arange(len(everything)) < len(learned)
    table = predict_unseen(rows, everything, labels, usable)
    fitted = fit_folds(learned, labels, table[usable])
    pairs, start = {}, 0
    for title, own in {AS_WRITTEN: learned, **judged}.items():
        known = classifiers(own, labels, table[start : start + len(own)], fitted)
        pairs[title] = [judge_call(row, catalogue, known) for row in versions[title]]
        start += len(own)
    return pairs


def _calls(corpus: Path, distortion: str) -> Iterator[Mapping[str, Any]]:
    for row in labelled_calls(corpus):
        if distortion == AS_WRITTEN:
            yield row
        else:
            changed = distort(Call.model_validate(row), distortion).turns
            turns = [
                spoken | {"text": turn.text}
                for spoken, turn in zip(row["turns"], changed, strict=True)
            ]
            yield row | {"turns": turns}


def judge_call(
    row: Mapping[str, Any], catalogue: Catalogue, known: Mapping[str, KnownCall]
) -> Pair:
    """Inspect a labelled call with its own classifier; labels are only handed through."""
    call = Call.model_validate(row)
    return inspect_call(call, catalogue, known[call.call_id]), Labels.model_validate(row["labels"])


def main() -> None:
    """Print the tables: the guide's calls, and those that were written for this project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--mistakes", action="store_true", help="list every disagreement")
    parser.add_argument("--robustness", action="store_true", help="judge distorted calls as well")
    arguments = parser.parse_args()
    console, catalogue = Console(width=110), load_catalogue()
    versions = judge_unseen(
        catalogue,
        tuple(DISTORTIONS) if arguments.robustness else (),
    )
    figures = {}
    for name in ("dev", "own"):
        own = {
            title: [pair for pair in pairs if pair[0].call_id.startswith(name)]
            for title, pairs in versions.items()
        }
        assessment = assess(own.pop(AS_WRITTEN), catalogue, own)
        show_assessment(console, assessment, catalogue)
        figures[name] = assessment.to_json()
        if arguments.mistakes:
            show_mistakes(console, assessment.quality.mistakes, catalogue)
    if arguments.json:
        text = json.dumps(figures, indent=2, ensure_ascii=False)
        arguments.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
