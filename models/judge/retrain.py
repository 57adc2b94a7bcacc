"""Teach the learned layer by reviewed turns, and keep it only if it judges no worse.

Before and after are compared on all labelled calls, five folds by call as in `cross_validate`: the
regressions that judge a call never saw it, neither before nor after. Reviewed turns are always
trained on, so those of a call that is itself labelled are left out. Both sides share the
vocabulary, and labels that no reviewed turn settles are trained once. Some minutes on two cores; a
worse model is refused before it is trained on everything as in `train`.

Worse is: a main figure falls by more than `FALL`, or their mean by more than `MEAN_FALL`. Less is
luck: one reply call of 180 is half a point of the accuracy of satisfaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table
from scipy.sparse import csr_matrix

from models.judge.cross_validate import classifiers, fit_folds, judge_call
from models.judge.examples import (
    CORPUS,
    Example,
    example_of_turn,
    labelled_calls,
    read_examples,
)
from models.judge.train import (
    Vectoriser,
    group_of,
    label_names,
    predict_unseen,
    train,
)
from qc.catalogue import Catalogue
from qc.errors import QcError
from qc.quality.evaluation import FIGURES, LOWER_IS_BETTER, Quality, measure
from qc.quality.reviews import read_reviewed_turns

FALL = 0.01
MEAN_FALL = 0.002


class WorseModelError(QcError):
    """The retrained model judges unseen calls worse than the one before."""


@dataclass(frozen=True)
class Comparison:
    """Quality on unseen calls without and with the reviewed turns."""

    before: Quality
    after: Quality
    learned: int  # reviewed turns trained on
    left_out: int  # reviewed turns of labelled calls

    @property
    def falls(self) -> dict[str, float]:
        """By how much each main figure got worse; negative where it got better."""
        before, after = self.before.figures, self.after.figures
        return {
            name: (after[name] - before[name]) * (1 if name in LOWER_IS_BETTER else -1)
            for name in FIGURES
        }

    @property
    def worse(self) -> list[str]:
        """Names of the figures that speak against the new model, the worst first."""
        falls = self.falls
        if max(falls.values()) <= FALL and np.mean(list(falls.values())) <= MEAN_FALL:
            return []
        return sorted((name for name in falls if falls[name] > 0), key=lambda name: -falls[name])

    def table(self) -> Table:
        """For the terminal."""
        title = f"{self.before.calls} 通没有学过的通话（学习 {self.learned} 句复核过的话）"
        table = Table(title=title, box=box.SIMPLE_HEAD)
        table.add_column("项目")
        for column in ("原来", "再训练后", "变化"):
            table.add_column(column, justify="right")
        before, after = self.before.figures, self.after.figures
        for name, figure in FIGURES.items():
            change = f"{after[name] - before[name]:+.3f}"
            table.add_row(figure, f"{before[name]:.3f}", f"{after[name]:.3f}", change)
        return table


@dataclass(frozen=True)
class Material:
    """What is trained on: the corpus, and after it the reviewed turns."""

    examples: Sequence[Example]
    corpus_size: int  # how many of the examples are the corpus's
    left_out: int
    vectoriser: Vectoriser
    rows: csr_matrix
    labels: Sequence[str]


def retrain(
    reviewed: Sequence[Path],
    out: Path,
    catalogue: Catalogue,
    *,
    corpus: Path = CORPUS,
    accept_worse: bool = False,
) -> Comparison:
    """Train with the reviewed turns as well and write the weights to `out`.

    Args:
        reviewed: files that `hotline-qc teach export` wrote.
        corpus: the labelled data to train on and to compare by.

    Raises:
        OrderError: a file of reviewed turns cannot be read.
        QcError: there is nothing to learn, or `out` cannot be written.
        WorseModelError: unseen calls are judged worse than before; nothing is written.
    """
    _check_writable(out)
    material = gather_material(reviewed, catalogue, corpus)
    comparison = compare(material, catalogue, corpus)
    if comparison.worse and not accept_worse:
        raise WorseModelError(_sentence(comparison), "请检查复核意见；确要使用请加 --accept-worse")
    train(material.rows, material.examples, material.vectoriser, material.labels).save(out)
    return comparison


def gather_material(reviewed: Sequence[Path], catalogue: Catalogue, corpus: Path) -> Material:
    """Read the corpus and the reviewed turns of calls that are not in it."""
    turns = read_reviewed_turns(reviewed)
    labelled = {str(row["call_id"]) for row in labelled_calls(corpus)}
    usable = [turn for turn in turns if turn.call_id not in labelled]
    if not usable:
        raise QcError("没有可以学习的句子", "请先用 hotline-qc teach export 写出复核过的句子")
    base = read_examples(catalogue, corpus)
    taught = [example_of_turn(turn.model_dump(mode="json"), catalogue) for turn in usable]
    vectoriser = Vectoriser([*base, *taught])
    return Material(
        examples=[*base, *taught],
        corpus_size=len(base),
        left_out=len(turns) - len(usable),
        vectoriser=vectoriser,
        rows=vectoriser.rows([*base, *taught]),
        labels=label_names(catalogue),
    )


def compare(material: Material, catalogue: Catalogue, corpus: Path) -> Comparison:
    """Judge every labelled call without having seen it, without and with the reviewed turns."""
    base, labels = material.examples[: material.corpus_size], material.labels
    old, new = _predictions(material)
    return Comparison(
        _quality(base, labels, old[: len(base)], catalogue, corpus),
        _quality(base, labels, new[: len(base)], catalogue, corpus),
        learned=len(material.examples) - len(base),
        left_out=material.left_out,
    )


def _check_writable(out: Path) -> None:
    """Before minutes are spent on training."""
    if out.suffix != ".npz":
        raise QcError(f"新模型的文件名 {out.name} 应以 .npz 结尾", "请改文件名")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        existed = out.exists()
        out.open("ab").close()
        if not existed:
            out.unlink()
    except OSError as error:
        raise QcError(f"写不了 {out}", "请换一个有写权限的位置") from error


def _predictions(material: Material) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Predictions for unseen calls without and with the reviewed turns."""
    rows, examples, labels = material.rows, material.examples, material.labels
    known = np.arange(len(examples)) < material.corpus_size
    old = predict_unseen(rows, examples, labels, known)
    settled = {name for example in examples[material.corpus_size :] for name in example.groups}
    changed = [label for label in labels if {label, group_of(label)} & settled]
    new = old.copy()
    places = [labels.index(label) for label in changed]
    new[:, places] = predict_unseen(rows, examples, changed)
    return old, new


def _quality(
    examples: Sequence[Example],
    labels: Sequence[str],
    table: NDArray[np.float32],
    catalogue: Catalogue,
    corpus: Path,
) -> Quality:
    known = classifiers(examples, labels, table, fit_folds(examples, labels, table))
    pairs = [judge_call(row, catalogue, known) for row in labelled_calls(corpus)]
    return measure(pairs, catalogue)


def _sentence(comparison: Comparison) -> str:
    before, after = comparison.before.figures, comparison.after.figures
    worst = comparison.worse[:3]
    told = "；".join(f"{FIGURES[n]} {before[n]:.3f} → {after[n]:.3f}" for n in worst)
    return f"再训练后的模型更差，没有写出：{told}"
