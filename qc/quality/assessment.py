"""An evaluation in full: figures with bootstrap intervals, what was taken for what, robustness."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc.catalogue import Catalogue
from qc.inspection import Inspection
from qc.order import CallKind
from qc.quality.evaluation import (
    FIGURES,
    CallCounts,
    Counts,
    Labels,
    Pair,
    Quality,
    attitude_scores,
    count_call,
    measure,
)

RESAMPLES = 1000
SEED = 20240611
COVERED = 0.95  # share of the resamples that an interval covers
NEAR = 1  # turns between a labelled behaviour and the one that it was taken for
NONE = "none"

Table = Mapping[tuple[str, str], int]  # (labelled, found) -> how often
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """What was taken for what.

    `statuses` counts elements of calls, `satisfaction` reply calls. `behaviours` counts behaviours
    of calls: one that was missed was taken for the one invented within `NEAR` turns of it, or for
    “none”; what was invented elsewhere was “none” in truth.
    """

    statuses: Table
    behaviours: Table
    satisfaction: Table


@dataclass(frozen=True)
class Assessment:
    """Figures, intervals by the same names (rules by their ids), confusion, robustness."""

    quality: Quality
    intervals: Mapping[str, Interval]
    confusion: Confusion
    robustness: Mapping[str, Quality] = field(default_factory=dict)  # by title of the distortion

    def to_json(self) -> dict[str, Any]:
        """Everything, rates rounded to four places; distortions with their difference."""
        quality = self.quality
        rules = {**quality.defects_by_element, **quality.by_behaviour, **quality.by_signal}
        return quality.to_json() | {
            "counts": {rule: _counts_json(counts) for rule, counts in rules.items()},
            "intervals": {
                name: [round(found.low, 4), round(found.high, 4)]
                for name, found in self.intervals.items()
            },
            "confusion": {
                "statuses": _table_json(self.confusion.statuses),
                "behaviours": _table_json(self.confusion.behaviours),
                "satisfaction": _table_json(self.confusion.satisfaction),
            },
            "robustness": {
                title: {
                    name: {"value": round(value, 4), "difference": round(change, 4)}
                    for name, (value, change) in changes(quality, distorted).items()
                }
                for title, distorted in self.robustness.items()
            },
            "mistakes": [asdict(mistake) for mistake in quality.mistakes],
        }


def assess(
    pairs: Sequence[Pair],
    catalogue: Catalogue,
    distorted: Mapping[str, Sequence[Pair]] | None = None,
) -> Assessment:
    """Compare inspections with labels in every way that the reports show.

    Args:
        pairs: at least one.
        distorted: the same calls, distorted, by the title of the distortion.
    """
    return Assessment(
        measure(pairs, catalogue),
        bootstrap(pairs, catalogue),
        confuse(pairs),
        {title: measure(found, catalogue) for title, found in (distorted or {}).items()},
    )


def changes(before: Quality, after: Quality) -> dict[str, tuple[float, float]]:
    """Each main figure afterwards, and its difference to before."""
    first, then = before.figures, after.figures
    return {name: (then[name], then[name] - first[name]) for name in FIGURES}


def _counts_json(counts: Counts) -> dict[str, float]:
    rates = {name: getattr(counts, name) for name in ("precision", "recall", "f1")}
    return asdict(counts) | {name: round(rate, 4) for name, rate in rates.items()}


def _table_json(table: Table) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for (labelled, found), count in sorted(table.items()):
        rows.setdefault(labelled, {})[found] = count
    return rows


def bootstrap(
    pairs: Sequence[Pair], catalogue: Catalogue, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Interval]:
    """Percentile intervals of the figures over resampled calls, drawn with replacement.

    Names are those of `FIGURES` and rule ids; a rule's own figure is its F1, an element's its
    status accuracy (`fc.closing`) and the F1 of its defects (`fc.closing defects`). Calls are
    drawn whole, because the findings of a call depend on each other.
    """
    drawn = np.random.default_rng(seed).multinomial(
        len(pairs), np.full(len(pairs), 1 / len(pairs)), size=resamples
    )
    found = _rates(pairs, catalogue, drawn.astype(float))
    edges = [(1 - COVERED) / 2, (1 + COVERED) / 2]
    return {
        name: Interval(*(float(edge) for edge in np.nanquantile(rates, edges)))
        for name, rates in found.items()
        if not np.isnan(rates).all()
    }


def _rates(pairs: Sequence[Pair], catalogue: Catalogue, drawn: Array) -> dict[str, Array]:
    """Every figure of every resample; `drawn` is (resamples, calls), NaN where undefined."""
    calls = [count_call(inspection, labels) for inspection, labels in pairs]
    rules = sorted({rule for call in calls for rule in call.rules})
    elements = {element for call in calls for element in call.statuses}
    counts = {rule: drawn @ _columns(calls, rule) for rule in rules}  # (resamples, 3) each
    behaviours = [counts[rule] for rule in rules if rule.startswith("bh.")]
    right = {e: drawn @ _right([_known(call.statuses, e) for call in calls]) for e in elements}
    nothing = np.zeros((len(drawn), 3))
    seen = np.array([np.where(c[:, 0] + c[:, 2] > 0, _f1(c), np.nan) for c in behaviours])
    return {
        "element_accuracy": _ratio(sum(right.values(), np.zeros((len(drawn), 2)))),
        "element_defect_f1": _f1(sum((counts[e] for e in elements), nothing)),
        "behaviour_micro_f1": _f1(sum(behaviours, nothing)),
        "behaviour_macro_f1": _mean(seen, len(drawn)),
        "turn_hit": _ratio(drawn @ _right([call.turn_hits for call in calls])),
        "false_alarms": _ratio(drawn @ _right([_answer(call.alarm) for call in calls])),
        "signal_f1": _f1(sum((counts[r] for r in rules if r.startswith("ct.")), nothing)),
        "satisfaction_accuracy": _ratio(
            drawn @ _right([_answer(call.satisfaction) for call in calls])
        ),
        "attitude_auc": _auc(*attitude_scores(pairs, catalogue), drawn),
        **{rule: _f1(counts[rule]) for rule in rules if rule not in elements},
        **{element: _ratio(right[element]) for element in elements},
        **{f"{element} defects": _f1(counts[element]) for element in elements},
    }


def _columns(calls: Sequence[CallCounts], rule: str) -> Array:
    """(calls, 3): hit, false, missed."""
    found = [call.rules.get(rule, Counts()) for call in calls]
    return np.array([(c.hit, c.false, c.missed) for c in found], dtype=float)


def _right(answers: Sequence[Sequence[bool]]) -> Array:
    """(calls, 2): how many answers are yes, and how many there are."""
    return np.array([(sum(call), len(call)) for call in answers], dtype=float)


def _known(answers: Mapping[str, bool], name: str) -> tuple[bool, ...]:
    return (answers[name],) if name in answers else ()


def _answer(answer: bool | None) -> tuple[bool, ...]:
    return () if answer is None else (answer,)


def _ratio(sums: Array) -> Array:
    return _divided(sums[:, 0], sums[:, 1])


def _f1(sums: Array) -> Array:
    return _divided(2 * sums[:, 0], 2 * sums[:, 0] + sums[:, 1] + sums[:, 2])


def _divided(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(rates: Array, resamples: int) -> Array:
    """Mean over the rules that were labelled in the resample."""
    if not len(rates):
        return np.full(resamples, np.nan)
    known = ~np.isnan(rates)
    return _divided(np.where(known, rates, 0.0).sum(0), known.sum(0).astype(float))


def _auc(scores: Array, bad: NDArray[np.bool_], drawn: Array) -> Array:
    difference = np.subtract.outer(scores[~bad], scores[bad])
    higher = (difference > 0) + 0.5 * (difference == 0)
    good, rough = drawn[:, ~bad], drawn[:, bad]
    return _divided((good @ higher * rough).sum(1), good.sum(1) * rough.sum(1))


def confuse(pairs: Sequence[Pair]) -> Confusion:
    """Count what was taken for what."""
    return Confusion(
        Counter(
            (labels.elements[e.id], e.status)
            for inspection, labels in pairs
            for e in inspection.elements
            if e.id in labels.elements
        ),
        sum((_taken_for(inspection, labels) for inspection, labels in pairs), Counter()),
        Counter(
            (labels.satisfaction, inspection.satisfaction)
            for inspection, labels in pairs
            if inspection.kind is CallKind.REPLY
        ),
    )


def _taken_for(inspection: Inspection, labels: Labels) -> Counter[tuple[str, str]]:
    found = {b.id: b.turns for b in inspection.behaviours}
    wanted = {label.id: label.turns for label in labels.behaviours}
    table = Counter((rule, rule) for rule in found.keys() & wanted.keys())
    invented = {rule: turns for rule, turns in found.items() if rule not in wanted}
    explained: set[str] = set()
    for missed in wanted.keys() - found.keys():
        taken = {
            rule
            for rule, turns in invented.items()
            if any(abs(a - b) <= NEAR for a in turns for b in wanted[missed])
        }
        explained |= taken
        table.update((missed, rule) for rule in taken or {NONE})
    table.update((NONE, rule) for rule in invented.keys() - explained)
    return table
