"""From which probability on a label counts as heard, chosen on calls that were not trained on.

A behaviour or signal: the threshold of best F1 over calls. A facet: the one with which most
elements of the calls get the right status, since that is what facets are for. Each is drawn
halfway to its group's default, because few calls show each label and its best threshold is partly
luck.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.judge.examples import Example, group_of
from qc.catalogue import Catalogue, Element
from qc.elements import status_of
from qc.order import Call
from qc.scene import Scene

MIN_SEEN = 20  # calls with a label, below which its threshold is not tuned
DEFAULTS = {"bh": 0.45, "ct": 0.45, "facet": 0.4, "sat": 0.25, "upset": 0.45}
GRID = np.arange(0.06, 0.66, 0.03)
ROUNDS = 2  # over all facets: the elements join several


@dataclass(frozen=True)
class KnownElements:
    """A call with the right status of each element, and the highest probability of each facet."""

    scene: Scene
    statuses: Mapping[str, str]
    highest: Mapping[str, float]


def choose_thresholds(
    table: NDArray[np.float32],
    examples: Sequence[Example],
    labels: Sequence[str],
    calls: Mapping[str, Mapping],
    catalogue: Catalogue,
) -> dict[str, float]:
    """The threshold of every label.

    Args:
        table: (examples, labels) probabilities for turns of calls.
        calls: rows of the labelled calls by id, with their `labels`.
    """
    chosen = {label: DEFAULTS[group_of(label)] for label in labels}
    for column, label in enumerate(labels):
        if group_of(label) not in ("bh", "ct", "upset"):
            continue
        seen = list(_by_call(table[:, column], examples, label))
        if sum(truth for _, truth in seen) >= MIN_SEEN:
            best = max(GRID, key=lambda threshold: _f1(seen, threshold))
            chosen[label] = _halfway(best, chosen[label])
    known = list(_known_elements(table, examples, labels, calls, chosen["upset"]))
    return chosen | _facet_thresholds(known, catalogue, chosen)


def _halfway(best: float, default: float) -> float:
    return round(float(best + default) / 2, 3)


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


def _known_elements(
    table: NDArray[np.float32],
    examples: Sequence[Example],
    labels: Sequence[str],
    calls: Mapping[str, Mapping],
    upset: float,
) -> Iterator[KnownElements]:
    rows: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        if example.call_id:
            rows.setdefault(example.call_id, []).append(row)
    at_upset = list(labels).index("upset")
    for call_id, own in rows.items():
        call = Call.model_validate(calls[call_id])
        transcript = call.transcript()
        agents = [row for row in own if examples[row].utterance.role == "agent"]
        citizens = [row for row in own if examples[row].utterance.role == "citizen"]
        scene = Scene(
            transcript,
            call.order,
            call.kind,
            answered_by=call.answered_by or "petitioner",
            ended_by=call.ended_by or "both",
            upset_turns=frozenset(
                examples[row].turn for row in citizens if table[row, at_upset] >= upset
            ),
        )
        highest = table[agents].max(axis=0) if agents else np.zeros(len(labels))
        statuses = calls[call_id]["labels"]["elements"]
        yield KnownElements(scene, statuses, dict(zip(labels, map(float, highest), strict=True)))


def _facet_thresholds(
    calls: Sequence[KnownElements], catalogue: Catalogue, chosen: Mapping[str, float]
) -> dict[str, float]:
    """Facet by facet the threshold with which most statuses are right, others held."""
    best = {facet: chosen[facet] for facet in catalogue.facets if facet in chosen}
    for _ in range(ROUNDS):
        for facet in best:
            using = [
                (element, [call for call in calls if call.scene.kind is kind])
                for kind, elements in catalogue.elements.items()
                for element in elements
                if facet in _facets(element)
            ]
            default = chosen[facet]
            right = {
                float(threshold): sum(
                    _right(element, own, best | {facet: float(threshold)}) for element, own in using
                )
                for threshold in (*GRID, default)
            }
            best[facet] = max(right, key=lambda t: (right[t], -abs(t - default)))
    return {facet: _halfway(threshold, chosen[facet]) for facet, threshold in best.items()}


def _facets(element: Element) -> set[str]:
    needed = (*element.met, *element.partial)
    collects = {"collect.address", "collect.time", "collect.issue", "collect.contact"}
    own = {facet for n in needed for facet in (*n.all, *n.any)}
    return own | collects if any(n.every_missing for n in needed) else own


def _right(
    element: Element, calls: Sequence[KnownElements], thresholds: Mapping[str, float]
) -> int:
    return sum(
        status_of(
            element,
            call.scene,
            lambda facet, heard=call.highest: heard.get(facet, 0.0) >= thresholds.get(facet, 1.1),
        )
        == call.statuses.get(element.id)
        for call in calls
        if element.id in call.statuses
    )
