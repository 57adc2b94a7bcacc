"""How well unseen calls are judged: `python -m models.judge.cross_validate`.

Five folds by call. For the calls of a fold the regressions come from the other folds (and the
single utterances); calibration and thresholds are fitted on the predictions for the other folds.
These were made by regressions that saw the fold, and the vocabulary is of all calls: not quite
nested. The whole judgement then runs on the predictions, and `qc.evaluation` compares it with the
labels.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from models.judge.context import Utterance
from models.judge.examples import CORPUS, Example, read_examples
from models.judge.train import (
    FOLDS,
    Vectoriser,
    calibrate,
    calibrated,
    choose_thresholds,
    folds_of,
    label_names,
    predict_unseen,
)
from qc.catalogue import Catalogue, load_catalogue
from qc.evaluation import Labels, measure, read_labelled
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.terminal import show_quality


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


def classifiers(
    examples: Sequence[Example], labels: Sequence[str], table: NDArray[np.float32]
) -> dict[str, KnownCall]:
    """For each call a classifier that never saw it, from the table of `predict_unseen`."""
    folds = folds_of(examples)
    found = {}
    for fold in range(FOLDS):
        others = [int(i) for i in np.flatnonzero((folds != fold) & (folds >= 0))]
        seen = [examples[i] for i in others]
        calibration = calibrate(table[others], seen, labels)
        thresholds = choose_thresholds(calibrated(table[others], labels, calibration), seen, labels)
        own = [int(i) for i in np.flatnonzero(folds == fold)]
        rows = calibrated(table[own], labels, calibration)
        for call_id in {examples[i].call_id for i in own}:
            here = [at for at, i in enumerate(own) if examples[i].call_id == call_id]
            found[call_id] = KnownCall(labels, thresholds, rows[here])
    return found


def judge_unseen(catalogue: Catalogue) -> list[tuple[Inspection, Labels]]:
    """Every labelled call, judged without having been seen, and its labels."""
    examples = read_examples(catalogue)
    labels = label_names(catalogue)
    rows = Vectoriser(examples).rows(examples)
    known = classifiers(examples, labels, predict_unseen(rows, examples, labels))
    paths = [*sorted(CORPUS.glob("dev-*.jsonl")), *sorted(CORPUS.glob("calls-*.jsonl"))]
    return [
        (inspect_call(call, catalogue, known[call.call_id]), marked)
        for call, marked in read_labelled(paths)
    ]


def main() -> None:
    """Print the tables: the guide's calls, and those that were written for this project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--mistakes", action="store_true", help="list every disagreement")
    arguments = parser.parse_args()
    console = Console(width=100)
    pairs = judge_unseen(load_catalogue())
    figures = {}
    for name in ("dev", "own"):
        quality = measure([pair for pair in pairs if pair[0].call_id.startswith(name)])
        show_quality(console, quality)
        figures[name] = quality.to_json()
        if arguments.mistakes:
            for m in quality.mistakes:
                console.print(f"{m.call_id} {m.rule} {m.found} / {m.labelled}: {m.quote}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
