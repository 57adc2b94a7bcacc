"""How well the inspections agree with labelled calls: the project's own quality table."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from qc.catalogue import Catalogue
from qc.errors import OrderError
from qc.inspection import Inspection
from qc.order import Call, CallKind, read_call, read_lines
from qc.privacy import mask, mask_file_name

DEFECTS = frozenset({"partial", "missing"})
ATTITUDE_SHARE = 1.0  # a behaviour all of whose penalty counts against the attitude is one of it
FIGURES = {
    "element_accuracy": "要素状态准确率",
    "element_defect_f1": "要素缺陷 F1",
    "behaviour_micro_f1": "违规行为 micro-F1",
    "behaviour_macro_f1": "违规行为 macro-F1",
    "turn_hit": "违规定位（句子命中）",
    "false_alarms": "无违规通话误报率",
    "signal_f1": "市民信号 F1",
    "satisfaction_accuracy": "满意度准确率（回复）",
    "attitude_auc": "态度分 AUC",
}
LOWER_IS_BETTER = frozenset({"false_alarms"})


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
    """One disagreement, with the words; personal data is hidden."""

    call_id: str
    rule: str
    found: str
    labelled: str
    quote: str


@dataclass(frozen=True)
class CallCounts:
    """What one call adds to the figures. Of elements, `rules` counts the defects."""

    rules: Mapping[str, Counts]
    statuses: Mapping[str, bool]  # element -> whether found as labelled
    turn_hits: tuple[bool, ...]  # of each behaviour agreed on, whether a turn agrees too
    alarm: bool | None  # a behaviour found; None where one is labelled
    satisfaction: bool | None  # found as labelled; None but for replies


@dataclass(frozen=True)
class Quality:
    """The quality table. Rates are 0..1; `element_accuracy` counts every status of every call."""

    calls: int
    element_accuracy: float
    by_element: Mapping[str, float]
    defects_by_element: Mapping[str, Counts]  # a defect is partial or missing, whichever
    by_behaviour: Mapping[str, Counts]
    turn_hit: float
    false_alarms: float  # share of the calls without a labelled behaviour that got one
    clean_calls: int
    by_signal: Mapping[str, Counts]
    satisfaction_accuracy: float  # over reply calls
    attitude_auc: float
    mistakes: Sequence[Mistake] = field(default=())

    @property
    def element_defects(self) -> Counts:
        return sum(self.defects_by_element.values(), Counts())

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

    @property
    def figures(self) -> dict[str, float]:
        """The main figures by the names of `FIGURES`."""
        return {
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

    def to_json(self) -> dict[str, Any]:
        """The figures by name, rounded to four places."""
        rules = {**self.by_behaviour, **self.by_signal}
        return {
            "calls": self.calls,
            **{name: round(value, 4) for name, value in self.figures.items()},
            "elements": {rule: round(share, 4) for rule, share in self.by_element.items()},
            "rules": {rule: round(counts.f1, 4) for rule, counts in rules.items()},
        }


Pair = tuple[Inspection, Labels]


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


def measure(pairs: Sequence[Pair], catalogue: Catalogue) -> Quality:
    """Compare inspections with labels, call by call."""
    calls = [count_call(inspection, labels) for inspection, labels in pairs]
    rules = sorted({rule for call in calls for rule in call.rules})
    total = {r: sum((c.rules[r] for c in calls if r in c.rules), Counts()) for r in rules}
    elements = dict.fromkeys(element for call in calls for element in call.statuses)
    alarms = [call.alarm for call in calls if call.alarm is not None]
    return Quality(
        calls=len(pairs),
        element_accuracy=_share(right for call in calls for right in call.statuses.values()),
        by_element={e: _share(c.statuses[e] for c in calls if e in c.statuses) for e in elements},
        defects_by_element={element: total[element] for element in elements},
        by_behaviour={rule: total[rule] for rule in rules if rule.startswith("bh.")},
        turn_hit=_share(hit for call in calls for hit in call.turn_hits),
        false_alarms=_share(alarms) if alarms else 0.0,
        clean_calls=len(alarms),
        by_signal={rule: total[rule] for rule in rules if rule.startswith("ct.")},
        satisfaction_accuracy=_share(c.satisfaction for c in calls if c.satisfaction is not None),
        attitude_auc=_attitude_auc(pairs, catalogue),
        mistakes=tuple(mistake for pair in pairs for mistake in find_mistakes(*pair)),
    )


def count_call(inspection: Inspection, labels: Labels) -> CallCounts:
    """Compare one inspection with its labels."""
    statuses = {
        e.id: (e.status, labels.elements[e.id])
        for e in inspection.elements
        if e.id in labels.elements
    }
    rules = {e: _agreement(f in DEFECTS, la in DEFECTS) for e, (f, la) in statuses.items()}
    for found, labelled in _findings(inspection, labels):
        for rule in found.keys() | labelled.keys():
            rules[rule] = _agreement(rule in found, rule in labelled)
    wanted = {label.id: set(label.turns) for label in labels.behaviours}
    reply = inspection.kind is CallKind.REPLY
    return CallCounts(
        rules,
        {element: found == label for element, (found, label) in statuses.items()},
        tuple(bool(wanted[b.id] & {*b.turns}) for b in inspection.behaviours if b.id in wanted),
        bool(inspection.behaviours) if not labels.behaviours else None,
        inspection.satisfaction == labels.satisfaction if reply else None,
    )


def _findings(
    inspection: Inspection, labels: Labels
) -> Iterator[tuple[dict[str, Sequence[int]], dict[str, Sequence[int]]]]:
    """Turns of each behaviour found and labelled, then of each signal."""
    behaviours = {b.id: b.turns for b in inspection.behaviours}
    yield dict(behaviours), {label.id: label.turns for label in labels.behaviours}
    signals = {s.id: s.turns for s in inspection.citizen}
    yield dict(signals), {label.id: label.turns for label in labels.citizen}


def _agreement(found: bool, labelled: bool) -> Counts:
    return Counts(int(found and labelled), int(found > labelled), int(labelled > found))


def _share(answers: Iterable[bool]) -> float:
    listed = list(answers)
    return sum(listed) / len(listed) if listed else 1.0


def attitude_behaviours(catalogue: Catalogue) -> frozenset[str]:
    """The behaviours that are a matter of attitude through and through."""
    return frozenset(
        rule.id for rule in catalogue.behaviours if rule.attitude_share >= ATTITUDE_SHARE
    )


def attitude_scores(
    pairs: Sequence[Pair], catalogue: Catalogue
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The attitude score of each call, and whether a behaviour of attitude is labelled in it."""
    rough = attitude_behaviours(catalogue)
    scores = np.array([i.attitude.score for i, _ in pairs], dtype=float)
    bad = np.array([any(b.id in rough for b in la.behaviours) for _, la in pairs], dtype=bool)
    return scores, bad


def _attitude_auc(pairs: Sequence[Pair], catalogue: Catalogue) -> float:
    """Area under the ROC of the attitude score for calls with a behaviour of attitude."""
    scores, bad = attitude_scores(pairs, catalogue)
    if bad.all() or not bad.any():
        return 1.0
    higher = np.subtract.outer(scores[~bad], scores[bad])
    return float(((higher > 0) + 0.5 * (higher == 0)).mean())


def find_mistakes(inspection: Inspection, labels: Labels) -> Iterator[Mistake]:
    """Every disagreement of one call."""
    order, turns = inspection.order, inspection.transcript.turns
    call_id = mask_file_name(inspection.call_id, order)

    def mistake(rule: str, found: str, labelled: str, words: Iterable[str]) -> Mistake:
        return Mistake(call_id, rule, found, labelled, mask(" / ".join(words), order))

    for element in inspection.elements:
        label = labels.elements.get(element.id, element.status)
        if label != element.status:
            quotes = dict.fromkeys(q.text for q in element.evidence)
            yield mistake(element.id, element.status, label, quotes)
    for findings, wanted in _findings(inspection, labels):
        for rule in sorted(findings.keys() ^ wanted.keys()):
            where = findings.get(rule) or wanted.get(rule) or ()
            said = [turns[i].text for i in where if 0 <= i < len(turns)]
            yield mistake(rule, *(("有", "无") if rule in findings else ("无", "有")), said)
    if inspection.kind is CallKind.REPLY and inspection.satisfaction != labels.satisfaction:
        last = [turn.text for turn in inspection.transcript.citizen_turns[-3:]]
        yield mistake("satisfaction", inspection.satisfaction, labels.satisfaction, last)
