"""Train the learned layer: `python -m models.judge.train`.

Logistic regression for each label over the features of `features.py`; calibration and thresholds
are chosen on predictions for calls that were not trained on. Some minutes on two cores.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from models.judge.classifier import WEIGHTS, UtteranceClassifier
from models.judge.examples import Example, group_of, read_examples
from models.judge.features import BLOCK_WEIGHTS, features
from qc.catalogue import Catalogue, load_catalogue
from qc.conduct import SATISFACTIONS

FOLDS = 5
MIN_EXAMPLES = 3  # utterances in which a feature must occur
KEPT_FEATURES = 80_000  # those with the largest weights go into the file
INVERSE_REGULARISATION = 30.0
TOLERANCE = 1e-2  # of the dual solver; a finer one changes probabilities by under 0.002
MIN_WEIGHT_SEEN = 20  # examples of a label below which its threshold is not tuned
DEFAULT_THRESHOLDS = {"bh": 0.5, "ct": 0.45, "facet": 0.3, "sat": 0.25, "upset": 0.45}
CLEARANCE = 0.02  # over a counter-example, which has a few features less than a turn of a call
MOST_RAISED = 0.1  # of a threshold, for the sake of a rule's counter-example
THRESHOLD_GRID = np.arange(0.06, 0.66, 0.03)


def label_names(catalogue: Catalogue) -> list[str]:
    """Everything the classifier may say."""
    return [
        *(rule.id for rule in catalogue.behaviours),
        *(rule.id for rule in catalogue.signals),
        *catalogue.facets,
        *(f"sat.{value}" for value in SATISFACTIONS),
        "upset",
    ]


class Vectoriser:
    """Turns utterances into rows; learns the vocabulary and its inverse document frequencies."""

    def __init__(self, examples: Sequence[Example]) -> None:
        counts: dict[str, int] = {}
        for example in examples:
            for names in features(example.utterance).values():
                for name in set(names):
                    counts[name] = counts.get(name, 0) + 1
        self.vocabulary = [name for name, count in counts.items() if count >= MIN_EXAMPLES]
        self._column = {name: i for i, name in enumerate(self.vocabulary)}
        often = np.array([counts[name] for name in self.vocabulary], dtype=np.float32)
        self.scale = np.log(len(examples) / often) + 1

    def rows(self, examples: Sequence[Example]) -> csr_matrix:
        """(examples, features), each block of each row of length `BLOCK_WEIGHTS`."""
        columns: list[int] = []
        values: list[NDArray[np.float32]] = []
        ends = [0]
        for example in examples:
            for block, names in features(example.utterance).items():
                found = sorted({self._column[name] for name in names if name in self._column})
                if found:
                    scaled = self.scale[found]
                    columns += found
                    values.append(scaled * (BLOCK_WEIGHTS[block] / np.linalg.norm(scaled)))
            ends.append(len(columns))
        shape = (len(examples), len(self.vocabulary))
        return csr_matrix((np.concatenate(values), columns, ends), shape=shape)


@dataclass(frozen=True)
class Targets:
    """What one label's regression learns from: places of the examples, whether they carry it."""

    places: NDArray[np.int_]
    wanted: NDArray[np.bool_]
    weights: NDArray[np.float64]


def targets_of(examples: Sequence[Example], label: str, chosen: NDArray[np.bool_]) -> Targets:
    """The chosen examples whose labels of that label's group are complete."""
    asked = {group_of(label), label}
    places = [i for i in np.flatnonzero(chosen).tolist() if asked & examples[i].groups]
    return Targets(
        np.array(places),
        np.array([label in examples[i].labels for i in places]),
        np.array([examples[i].weight for i in places]),
    )


def fit_label(rows: csr_matrix, targets: Targets) -> LogisticRegression:
    """One label's regression; the same targets always give the same one."""
    model = LogisticRegression(
        C=INVERSE_REGULARISATION, solver="liblinear", dual=True, tol=TOLERANCE, random_state=0
    )
    return model.fit(rows[targets.places], targets.wanted, sample_weight=targets.weights)


def folds_of(examples: Sequence[Example]) -> NDArray[np.int_]:
    """Fold of each example by its call; -1 for single utterances, which are always trained on."""
    calls = sorted({e.call_id for e in examples if e.call_id})
    order = np.random.default_rng(0).permutation(len(calls))
    fold = {calls[place]: number % FOLDS for number, place in enumerate(order)}
    return np.array([fold[e.call_id] if e.call_id else -1 for e in examples])


def predict_unseen(
    rows: csr_matrix,
    examples: Sequence[Example],
    labels: Sequence[str],
    learned: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """(examples, labels): probabilities for turns of calls from models that never saw the call.

    `learned` leaves out of the training what is only to be judged; None is to learn from all.
    """
    folds = folds_of(examples)
    usable = np.ones(len(examples), dtype=bool) if learned is None else learned

    jobs = [(label, fold) for label in labels for fold in range(FOLDS)]
    regressed = Parallel(n_jobs=2)(
        delayed(_regress)(
            rows,
            targets_of(examples, label, usable & (folds != fold)),
            np.flatnonzero(folds == fold),
        )
        for label, fold in jobs
    )
    odds = np.full((len(examples), len(labels)), np.nan, dtype=np.float32)
    for (label, fold), found in zip(jobs, regressed, strict=True):
        odds[folds == fold, labels.index(label)] = found
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def _regress(rows: csr_matrix, targets: Targets, unseen: NDArray[np.int_]) -> NDArray[np.float32]:
    """Log-odds of the unseen rows."""
    model = fit_label(rows, targets)
    return np.asarray(model.decision_function(rows[unseen]), dtype=np.float32)


Calibration = Mapping[str, tuple[float, float]]  # group -> slope and offset of the log-odds


def calibrate(
    table: NDArray[np.float32], examples: Sequence[Example], labels: Sequence[str]
) -> Calibration:
    """Platt's scaling of each group of labels, so that probabilities are right on turns of calls.

    Single utterances were written to dwell on the labels; in calls they are rarer.
    """
    found = {}
    for group in {group_of(label) for label in labels}:
        columns = [i for i, label in enumerate(labels) if group_of(label) == group]
        rows = [i for i, e in enumerate(examples) if e.call_id and group in e.groups]
        odds = _log_odds(table[np.ix_(rows, columns)]).reshape(-1, 1)
        truth = [labels[c] in examples[r].labels for r in rows for c in columns]
        model = LogisticRegression(C=1e6).fit(odds, truth)
        found[group] = (float(model.coef_[0, 0]), float(model.intercept_[0]))
    return found


def calibrated(
    table: NDArray[np.float32], labels: Sequence[str], calibration: Calibration
) -> NDArray[np.float32]:
    """Probabilities after `calibrate`."""
    slope, offset = np.array([calibration[group_of(label)] for label in labels]).T
    return (1 / (1 + np.exp(-(_log_odds(table) * slope + offset)))).astype(np.float32)


def _log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def choose_thresholds(
    table: NDArray[np.float32], examples: Sequence[Example], labels: Sequence[str]
) -> dict[str, float]:
    """For each label the threshold of best F1 over calls, drawn halfway to its group's default.

    Halfway, because few calls show each label and their best threshold is partly luck.
    """
    thresholds = {}
    for column, label in enumerate(labels):
        default = DEFAULT_THRESHOLDS[group_of(label)]
        seen = list(_by_call(table[:, column], examples, label))
        if label.startswith("sat.") or sum(truth for _, truth in seen) < MIN_WEIGHT_SEEN:
            thresholds[label] = default
            continue
        best = max(THRESHOLD_GRID, key=lambda t: _f1(seen, t))
        thresholds[label] = round(float(best + default) / 2, 3)
    return thresholds


def _by_call(
    column: NDArray[np.float32], examples: Sequence[Example], label: str
) -> Iterator[tuple[float, bool]]:
    """Highest probability in each call and whether any of its turns carries the label."""
    group = group_of(label)
    calls: dict[str, list[tuple[float, bool]]] = {}
    for probability, example in zip(column, examples, strict=True):
        if example.call_id and group in example.groups:
            entry = (float(probability), label in example.labels)
            calls.setdefault(example.call_id, []).append(entry)
    for turns in calls.values():
        yield max(p for p, _ in turns), any(truth for _, truth in turns)


def _f1(seen: Sequence[tuple[float, bool]], threshold: float) -> float:
    hit = sum(p >= threshold and truth for p, truth in seen)
    wrong = sum((p >= threshold) != truth for p, truth in seen)
    return 2 * hit / (2 * hit + wrong) if hit or wrong else 1.0


def fit(
    rows: csr_matrix,
    examples: Sequence[Example],
    vectoriser: Vectoriser,
    labels: Sequence[str],
    calibration: Calibration,
    thresholds: Mapping[str, float],
) -> UtteranceClassifier:
    """The classifier trained on all examples, calibrated, its file kept small."""
    everything = np.ones(len(examples), dtype=bool)
    models = Parallel(n_jobs=2)(
        delayed(fit_label)(rows, targets_of(examples, label, everything)) for label in labels
    )
    weights = np.stack([model.coef_[0] for model in models], axis=1).astype(np.float32)
    bias = np.array([model.intercept_[0] for model in models], dtype=np.float32)
    slope, offset = np.array([calibration[group_of(label)] for label in labels]).T
    weights = (weights * slope).astype(np.float32)
    bias = bias * slope + offset
    strongest = np.sort(np.argsort(-np.abs(weights).max(axis=1))[:KEPT_FEATURES])
    return UtteranceClassifier(
        vocabulary=[vectoriser.vocabulary[i] for i in strongest],
        scale=vectoriser.scale[strongest],
        weights=weights[strongest],
        bias=bias.astype(np.float32),
        labels=labels,
        thresholds=thresholds,
    )


def train(
    rows: csr_matrix, examples: Sequence[Example], vectoriser: Vectoriser, labels: Sequence[str]
) -> UtteranceClassifier:
    """The classifier for use: trained on everything, set by what it says of unseen calls."""
    unseen = predict_unseen(rows, examples, labels)
    calibration = calibrate(unseen, examples, labels)
    thresholds = choose_thresholds(calibrated(unseen, labels, calibration), examples, labels)
    trained = fit(rows, examples, vectoriser, labels, calibration, thresholds)
    keep_to_the_rules(trained, examples)
    return trained


def keep_to_the_rules(trained: UtteranceClassifier, examples: Sequence[Example]) -> None:
    """Raise a threshold, by little, over what a rule's own counter-example gets."""
    for example in examples:
        label = next(iter(example.groups), "")
        if len(example.groups) > 1 or label not in trained.thresholds or example.labels:
            continue
        heard = float(trained.judge([example.utterance])[0, trained.labels.index(label)])
        if 0 <= heard - trained.thresholds[label] < MOST_RAISED:
            trained.thresholds[label] = round(heard + CLEARANCE, 3)


def main() -> None:
    """Train on everything and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    catalogue = load_catalogue()
    examples = read_examples(catalogue)
    labels = label_names(catalogue)
    vectoriser = Vectoriser(examples)
    rows = vectoriser.rows(examples)
    print(f"{len(examples)} utterances, {rows.shape[1]} features, {len(labels)} labels", flush=True)
    train(rows, examples, vectoriser, labels).save(arguments.out)
    print(f"wrote {arguments.out} ({arguments.out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
