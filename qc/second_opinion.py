"""A second opinion on doubtful findings (layer 6): which are doubtful, and what follows from it.

It works on the evidence before anything is judged from it, so that elements, behaviours, signals
and scores follow by the usual way. Personal data is masked before a question is made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from models.judge.context import PREVIOUS_TURNS
from models.opinion_prompt import Answer, Passage, Question
from qc.catalogue import Catalogue, Example, Examples, Source
from qc.conditions import Condition
from qc.evidence import CUE_CONFIDENCE, Classifier, Evidence, EvidenceSheet
from qc.inspection import Opinion
from qc.order import CallKind, Order
from qc.privacy import mask
from qc.scene import Scene, find
from qc.transcript import ROLE_TITLES, Role, Turn

LAYER = "llm"
MAX_CHARACTERS = 400  # of a turn that is sent
MAX_REASON = 120  # characters of a reason that are kept


class Adviser(Protocol):
    """Who is asked."""

    @property
    def band(self) -> float: ...

    @property
    def max_questions(self) -> int: ...

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer | None]: ...


@dataclass(frozen=True)
class Advice:
    """The evidence as it stands after the second opinion, and what was said."""

    sheet: EvidenceSheet
    opinions: tuple[Opinion, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rule:
    id: str
    title: str
    source: Source
    role: Role
    examples: Examples
    only_if: Condition | None = None
    once: bool = False  # heard in one turn of the call suffices


@dataclass(frozen=True)
class _Doubt:
    rule: _Rule
    turn: Turn
    confidence: float
    distance: float  # from the threshold
    heard: Evidence | None  # None: just below the threshold


def seek_second_opinion(
    scene: Scene,
    sheet: EvidenceSheet,
    catalogue: Catalogue,
    classifier: Classifier | None,
    adviser: Adviser | None,
) -> Advice:
    """Ask about what is doubtful; without an adviser or a learned layer nothing changes.

    A confirmed doubt is evidence with the layer `llm`, a rejected one is none, an undecided or
    unanswered one stays as it was.
    """
    if adviser is None or classifier is None:
        return Advice(sheet)
    every = _doubts(scene, sheet, catalogue, classifier, adviser.band)
    doubts = every[: adviser.max_questions]
    if not doubts:
        return Advice(sheet)
    answers = adviser.ask([_question(doubt, scene, catalogue) for doubt in doubts])
    answered = [(d, a) for d, a in zip(doubts, answers, strict=True) if a is not None]
    unanswered = len(doubts) - len(answered)
    told = f"有 {unanswered} 处把握不大的判定没有得到大模型的第二意见，按原判定"
    return Advice(
        sheet=_changed(sheet, answered),
        opinions=tuple(_opinion(doubt, answer) for doubt, answer in answered),
        warnings=(told,) if unanswered else (),
    )


def _rules(catalogue: Catalogue, kind: CallKind) -> Iterator[_Rule]:
    """What can be asked about in such a call: conduct, signals, then the parts of elements."""
    for b in catalogue.behaviours:
        yield _Rule(b.id, b.title, b.source, Role.AGENT, b.examples, b.only_if)
    for s in catalogue.signals:
        yield _Rule(s.id, s.title, s.source, Role.CITIZEN, s.examples)
    facets: dict[str, _Rule] = {}
    for element in catalogue.elements[kind]:
        for needed in (*element.met, *element.partial):
            for name in (*needed.all, *needed.any):
                facet = catalogue.facets[name]
                title = f"{element.title}：{facet.title}"
                facets.setdefault(
                    name, _Rule(name, title, element.source, Role.AGENT, facet.examples, once=True)
                )
    yield from facets.values()


def _doubts(
    scene: Scene,
    sheet: EvidenceSheet,
    catalogue: Catalogue,
    classifier: Classifier,
    band: float,
) -> list[_Doubt]:
    """Turns within `band` of the threshold: conduct and signals first, the nearest first."""
    doubts = []
    for rule in _rules(catalogue, scene.kind):
        if rule.id not in sheet.probabilities:
            continue
        threshold = classifier.thresholds.get(rule.id, 0.5)
        heard = {e.turn.index: e for e in sheet.heard(rule.id)}
        if rule.once and any(e.confidence > threshold + band for e in heard.values()):
            continue
        for turn in scene.transcript.turns:
            if turn.role is not rule.role or turn.index in scene.doubtful:
                continue  # what was hardly heard is for a person
            known = heard.get(turn.index)
            confidence = (
                known.confidence if known else float(sheet.probabilities[rule.id][turn.index])
            )
            distance = abs(confidence - threshold)
            if distance <= band and (known or _may_be(rule, scene, turn)):
                doubts.append(_Doubt(rule, turn, confidence, distance, known))
    return sorted(doubts, key=lambda doubt: (doubt.rule.once, doubt.distance))


def _may_be(rule: _Rule, scene: Scene, turn: Turn) -> bool:
    return rule.only_if is None or find(rule.only_if, scene, turn.index) is not None


def _question(doubt: _Doubt, scene: Scene, catalogue: Catalogue) -> Question:
    rule, turn = doubt.rule, doubt.turn
    before = scene.transcript.before(turn.index, within=PREVIOUS_TURNS)
    return Question(
        rule=rule.id,
        title=rule.title,
        source=f"{catalogue.documents[rule.source.document]} {rule.source.clause}",
        yes=tuple(_sample(example, rule.role) for example in rule.examples.yes),
        no=tuple(_sample(example, rule.role) for example in rule.examples.no),
        passage=Passage(
            _without_personal_data(turn, scene.order),
            tuple(_without_personal_data(earlier, scene.order) for earlier in before),
        ),
    )


def _sample(example: str | Example, role: Role) -> Passage:
    if isinstance(example, str):
        return Passage(_spoken(role, example))
    before = (
        _spoken(Role.AGENT if line.startswith("A") else Role.CITIZEN, line[2:].strip())
        for line in example.prev
    )
    return Passage(_spoken(role, example.text), tuple(before))


def _without_personal_data(turn: Turn, order: Order) -> str:
    """The turn without the petitioner's data, the handler's name, and what looks like either."""
    handler = order.model_copy(update={"petitioner": order.handler})
    return _spoken(turn.role, mask(mask(turn.text, order), handler)[:MAX_CHARACTERS])


def _spoken(role: Role, text: str) -> str:
    return f"{ROLE_TITLES[role]}：{text}"


def _changed(sheet: EvidenceSheet, answered: Sequence[tuple[_Doubt, Answer]]) -> EvidenceSheet:
    by_label = {label: {e.turn.index: e for e in heard} for label, heard in sheet.by_label.items()}
    for doubt, answer in answered:
        evidence = by_label.setdefault(doubt.rule.id, {})
        if answer.verdict == "confirm":
            evidence[doubt.turn.index] = _confirmed(doubt)
        elif answer.verdict == "reject":
            evidence.pop(doubt.turn.index, None)
    ordered = {
        label: [heard[index] for index in sorted(heard)] for label, heard in by_label.items()
    }
    return replace(sheet, by_label=ordered)


def _confirmed(doubt: _Doubt) -> Evidence:
    confidence = max(doubt.confidence, CUE_CONFIDENCE)
    if doubt.heard is None:
        return Evidence(doubt.rule.id, doubt.turn, confidence, (LAYER,))
    layers = (*doubt.heard.layers, LAYER)
    return replace(doubt.heard, confidence=confidence, layers=layers)


def _opinion(doubt: _Doubt, answer: Answer) -> Opinion:
    return Opinion(
        rule=doubt.rule.id,
        title=doubt.rule.title,
        turn=doubt.turn,
        found=doubt.heard is not None,
        confidence=doubt.confidence,
        verdict=answer.verdict,
        reason=answer.reason[:MAX_REASON],
    )
