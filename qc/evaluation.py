"""How well the inspections agree with labelled calls: the project's own quality table."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from qc.errors import OrderError
from qc.inspection import Inspection
from qc.order import Call, read_call, read_lines

DEFECTS = frozenset({"partial", "missing"})


class LabelledTurns(BaseModel):
    """A label and the turns that carry it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    id: str
    turns: tuple[int, ...] = ()


class Labels(BaseModel):
    """What people found in a call (samples/corpus/GUIDE.md)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    elements: dict[str, str] = {}
    behaviours: tuple[LabelledTurns, ...] = ()
    citizen: tuple[LabelledTurns, ...] = ()
    satisfaction: str = "none"


@dataclass(frozen=True)
class Counts:
    """True and false positives and false negatives of one yes-or-no question."""

    hit: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.hit / (self.hit + self.false) if self.hit + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0

    @property
    def f1(self) -> float:
        total = 2 * self.hit + self.false + self.missed
        return 2 * self.hit / total if total else 1.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.hit + other.hit, self.false + other.false, self.missed + other.missed)


@dataclass(frozen=True)
class Mistake:
    """One disagreement, with the words."""

    call_id: str
    rule: str
    found: str
    labelled: str
    quote: str


@dataclass(frozen=True)
class Quality:
    """The quality table. Rates are 0..1; `element_accuracy` counts every status of every call."""

    calls: int
    element_accuracy: float
    by_element: Mapping[str, float]
    element_defects: Counts
    by_behaviour: Mapping[str, Counts]
    turn_hit: float
    false_alarms: float  # share of the calls without a labelled behaviour that got one
    clean_calls: int
    by_signal: Mapping[str, Counts]
    satisfaction_accuracy: float  # over reply calls
    attitude_auc: float
    mistakes: Sequence[Mistake] = field(default=())

    @property
    def behaviours(self) -> Counts:
        return sum(self.by_behaviour.values(), Counts())

    @property
    def behaviour_macro_f1(self) -> float:
        seen = [c.f1 for c in self.by_behaviour.values() if c.hit + c.missed]
        return float(np.mean(seen)) if seen else 1.0

    @property
    def signals(self) -> Counts:
        return sum(self.by_signal.values(), Counts())

    def to_json(self) -> dict[str, Any]:
        """The figures by name, rounded to four places."""
        figures = {
            "element_accuracy": self.element_accuracy,
            "element_defect_f1": self.element_defects.f1,
            "behaviour_micro_f1": self.behaviours.f1,
            "behaviour_macro_f1": self.behaviour_macro_f1,
            "turn_hit": self.turn_hit,
            "false_alarms": self.false_alarms,
            "signal_f1": self.signals.f1,
            "satisfaction_accuracy": self.satisfaction_accuracy,
            "attitude_auc": self.attitude_auc,
        }
        rules = {**self.by_behaviour, **self.by_signal}
        return {
            "calls": self.calls,
            **{name: round(value, 4) for name, value in figures.items()},
            "elements": {rule: round(share, 4) for rule, share in self.by_element.items()},
            "rules": {rule: round(counts.f1, 4) for rule, counts in rules.items()},
        }


def read_labelled(paths: Iterable[Path]) -> list[tuple[Call, Labels]]:
    """Calls and their labels.

    Raises:
        OrderError: a line is no call, or has no labels.
    """
    found = []
    for path in paths:
        for number, line in read_lines(path):
            where = f"{path.name} 第 {number} 行"
            call = read_call(line, where)
            raw: Any = json.loads(line).get("labels")
            if raw is None:
                raise OrderError(f"{where} 没有 labels", "评测需要带标注的通话")
            try:
                found.append((call, Labels.model_validate(raw)))
            except ValidationError as error:
                raise OrderError(
                    f"{where} 的 labels 不符合格式", "请对照 samples/corpus/GUIDE.md"
                ) from error
    return found


def measure(pairs: Sequence[tuple[Inspection, Labels]]) -> Quality:
    """Compare inspections with labels, call by call."""
    statuses = [
        (e.id, e.status, labels.elements[e.id])
        for inspection, labels in pairs
        for e in inspection.elements
        if e.id in labels.elements
    ]
    behaviours, turn_hits = _count_labels(
        [({b.id: b.turns for b in i.behaviours}, labels.behaviours) for i, labels in pairs]
    )
    signals, _ = _count_labels(
        [({s.id: s.turns for s in i.citizen}, labels.citizen) for i, labels in pairs]
    )
    clean = [inspection for inspection, labels in pairs if not labels.behaviours]
    replies = [(i.satisfaction, la.satisfaction) for i, la in pairs if i.kind.value == "reply"]
    return Quality(
        calls=len(pairs),
        element_accuracy=_share(found == label for _, found, label in statuses),
        by_element={
            rule: _share(found == label for r, found, label in statuses if r == rule)
            for rule in dict.fromkeys(r for r, _, _ in statuses)
        },
        element_defects=_defects(statuses),
        by_behaviour=behaviours,
        turn_hit=_share(turn_hits),
        false_alarms=_share(bool(i.behaviours) for i in clean) if clean else 0.0,
        clean_calls=len(clean),
        by_signal=signals,
        satisfaction_accuracy=_share(found == label for found, label in replies),
        attitude_auc=_attitude_auc(pairs),
        mistakes=tuple(m for inspection, labels in pairs for m in _mistakes(inspection, labels)),
    )


def _share(answers: Iterable[bool]) -> float:
    listed = list(answers)
    return sum(listed) / len(listed) if listed else 1.0


def _defects(statuses: Sequence[tuple[str, str, str]]) -> Counts:
    """A defect is a partial or missing element, whichever of the two."""
    pairs = Counter((found in DEFECTS, label in DEFECTS) for _, found, label in statuses)
    return Counts(pairs[True, True], pairs[True, False], pairs[False, True])


def _count_labels(
    pairs: Sequence[tuple[Mapping[str, Sequence[int]], Sequence[LabelledTurns]]],
) -> tuple[Mapping[str, Counts], Sequence[bool]]:
    """Counts per rule over calls, and for every agreed finding whether a turn agrees too."""
    counts: Counter[tuple[str, str]] = Counter()
    turn_hits = []
    for found, labelled in pairs:
        wanted = {label.id: set(label.turns) for label in labelled}
        for rule in found.keys() | wanted.keys():
            if rule in found and rule in wanted:
                counts[rule, "hit"] += 1
                turn_hits.append(bool(wanted[rule] & set(found[rule])))
            else:
                counts[rule, "false" if rule in found else "missed"] += 1
    rules = sorted({rule for rule, _ in counts})
    table = {
        rule: Counts(counts[rule, "hit"], counts[rule, "false"], counts[rule, "missed"])
        for rule in rules
    }
    return table, turn_hits


ATTITUDE_BEHAVIOURS = frozenset(
    f"bh.{name}"
    for name in (
        "contradict", "excuse", "hang_up", "rude", "criticize", "interrupt", "rush", "perfunctory",
    )
)  # fmt: skip


def _attitude_auc(pairs: Sequence[tuple[Inspection, Labels]]) -> float:
    """Area under the ROC of the attitude score for calls with a behaviour of attitude."""
    bad = [
        i.attitude.score
        for i, la in pairs
        if any(b.id in ATTITUDE_BEHAVIOURS for b in la.behaviours)
    ]
    good = [
        i.attitude.score
        for i, la in pairs
        if not any(b.id in ATTITUDE_BEHAVIOURS for b in la.behaviours)
    ]
    if not bad or not good:
        return 1.0
    lower = np.subtract.outer(np.array(good), np.array(bad))
    return float(((lower > 0) + 0.5 * (lower == 0)).mean())


def _mistakes(inspection: Inspection, labels: Labels) -> Iterable[Mistake]:
    for element in inspection.elements:
        label = labels.elements.get(element.id, element.status)
        if label != element.status:
            quote = " / ".join(q.text for q in element.evidence)
            yield Mistake(inspection.call_id, element.id, element.status, label, quote)
    turns = inspection.transcript.turns
    for findings, labelled in (
        ({b.id: b.turns for b in inspection.behaviours}, labels.behaviours),
        ({s.id: s.turns for s in inspection.citizen}, labels.citizen),
    ):
        wanted = {label.id: list(label.turns) for label in labelled}
        for rule in sorted(findings.keys() ^ wanted.keys()):
            where = findings.get(rule) or wanted.get(rule) or []
            quote = " / ".join(turns[i].text for i in where if 0 <= i < len(turns))
            found, label = ("有", "无") if rule in findings else ("无", "有")
            yield Mistake(inspection.call_id, rule, found, label, quote)
    if inspection.kind.value == "reply" and inspection.satisfaction != labels.satisfaction:
        quote = " / ".join(t.text for t in inspection.transcript.citizen_turns[-3:])
        yield Mistake(
            inspection.call_id, "satisfaction", inspection.satisfaction, labels.satisfaction, quote
        )
