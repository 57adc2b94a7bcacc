"""What was heard in which turn: the one place where cues, slots and the learned layer meet."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.judge.context import PREVIOUS_TURNS, Utterance
from models.semantic import AGREES, nudge
from qc.catalogue import Catalogue
from qc.conditions import Condition
from qc.scene import Scene, find
from qc.slots import Slot, find_slots, issue_similarity
from qc.transcript import Role, Turn

CUE_CONFIDENCE = 0.8  # of a finding that rests on cues alone
SLOT_FACETS = {"date": "verify.date", "address": "verify.address", "issue": "verify.issue"}
SOME_ISSUE, MUCH_ISSUE = 0.2, 0.4  # shares of the filed issue's syllable pairs, as hints

Heard = Mapping[tuple[str, int], tuple[str, ...]]  # (label, turn) -> cue words


class Classifier(Protocol):
    """The learned layer: a probability for every label of every utterance."""

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def thresholds(self) -> Mapping[str, float]: ...

    def judge(self, batch: Sequence[Utterance]) -> NDArray[np.float32]: ...


class Semantic(Protocol):
    """The optional semantic layer: how far each text leans to each label, -1..1."""

    def lean(self, texts: Sequence[str]) -> Mapping[str, NDArray[np.float32]]: ...


@dataclass(frozen=True)
class Evidence:
    """One label heard in one turn. `layers`: cue, slot, learned, semantic, llm."""

    label: str
    turn: Turn
    confidence: float  # 0..1
    layers: tuple[str, ...]
    words: tuple[str, ...] = ()  # the cue words heard

    @property
    def quote(self) -> str:
        return self.turn.text


@dataclass(frozen=True)
class EvidenceSheet:
    """All evidence of a call by label, in order of turns, and the slots of each turn."""

    by_label: Mapping[str, Sequence[Evidence]]
    probabilities: Mapping[str, NDArray[np.float32]]  # label -> (turns,)
    slots: Mapping[int, Sequence[Slot]]

    def heard(self, label: str) -> Sequence[Evidence]:
        return self.by_label.get(label, ())


def gather(
    scene: Scene,
    catalogue: Catalogue,
    classifier: Classifier | None,
    semantic: Semantic | None = None,
) -> EvidenceSheet:
    """Ask every rule and the classifier of every turn.

    A label that the classifier knows is decided by its probability, to which cues and slots
    contribute as hints; any other label (a rule that a street added) by its cues alone.
    """
    turns = scene.transcript.turns
    cues = hear_cues(scene, catalogue)
    slots = {t.index: tuple(find_slots(t.text, scene.order)) for t in turns if t.is_agent}
    learned: Mapping[str, NDArray[np.float32]] = {}
    if classifier is not None and turns:
        table = classifier.judge(as_utterances(scene, cues, slots))
        learned = {label: table[:, column] for column, label in enumerate(classifier.labels)}
    leans = semantic.lean([turn.text for turn in turns]) if semantic and turns else {}
    learned = {k: nudge(p, leans[k]) if k in leans else p for k, p in learned.items()}
    by_label: dict[str, list[Evidence]] = defaultdict(list)
    decisive = {rule.id for rule in catalogue.behaviours if rule.decisive}
    for label, role, _, only_if in _questions(catalogue):
        threshold = classifier.thresholds.get(label, 0.5) if classifier else 0.5
        for turn in turns:
            if turn.role is not role:
                continue
            evidence = _decide(label, turn, cues, slots, learned, threshold, label in decisive)
            if evidence is None or (only_if and find(only_if, scene, turn.index) is None):
                continue
            if label in leans and leans[label][turn.index] >= AGREES:
                evidence = replace(evidence, layers=(*evidence.layers, "semantic"))
            by_label[label].append(evidence)
    return EvidenceSheet(by_label, learned, slots)


def _decide(
    label: str,
    turn: Turn,
    cues: Heard,
    slots: Mapping[int, Sequence[Slot]],
    learned: Mapping[str, NDArray[np.float32]],
    threshold: float,
    decisive: bool,
) -> Evidence | None:
    words = cues.get((label, turn.index))
    said = any(SLOT_FACETS.get(slot.name) == label for slot in slots.get(turn.index, ()))
    layers = [name for name, spoke in (("cue", words is not None), ("slot", said)) if spoke]
    if label in learned:
        confidence = float(learned[label][turn.index])
        if confidence >= threshold:
            layers.append("learned")
        elif not (decisive and words is not None):
            return None
        if decisive and words is not None:
            confidence = max(confidence, CUE_CONFIDENCE)
        return Evidence(label, turn, confidence, tuple(layers), words or ())
    return Evidence(label, turn, CUE_CONFIDENCE, tuple(layers), words or ()) if layers else None


def _questions(
    catalogue: Catalogue,
) -> Iterator[tuple[str, Role, Condition | None, Condition | None]]:
    """Label, whose turns, cues and precondition of everything that can be heard."""
    for facet in catalogue.facets.values():
        yield facet.id, Role.AGENT, facet.when, None
    for behaviour in catalogue.behaviours:
        yield behaviour.id, Role.AGENT, behaviour.when, behaviour.only_if
    for signal in catalogue.signals:
        yield signal.id, Role.CITIZEN, signal.when, signal.only_if


def hear_cues(scene: Scene, catalogue: Catalogue, turns: Sequence[Turn] | None = None) -> Heard:
    """Ask the cues of every rule of every turn (or of `turns` only)."""
    heard = {}
    for label, role, condition, _ in _questions(catalogue):
        if condition is None:
            continue
        for turn in scene.transcript.turns if turns is None else turns:
            if turn.role is role:
                words = find(condition, scene, turn.index)
                if words is not None:
                    heard[label, turn.index] = words
    return heard


def as_utterances(
    scene: Scene, cues: Heard, slots: Mapping[int, Sequence[Slot]]
) -> list[Utterance]:
    """Every turn as the classifier sees it: its text, the turns before it and the hints."""
    return [as_utterance(scene, turn, cues, slots) for turn in scene.transcript.turns]


def as_utterance(
    scene: Scene, turn: Turn, cues: Heard, slots: Mapping[int, Sequence[Slot]]
) -> Utterance:
    """One turn as the classifier sees it."""
    before = scene.transcript.turns[max(0, turn.index - PREVIOUS_TURNS) : turn.index]
    hints = {f"cue:{label}" for label, index in cues if index == turn.index}
    if turn.is_agent:
        hints |= {f"slot:{slot.name}" for slot in slots.get(turn.index, ())}
        hints |= _circumstances(scene, turn)
    return Utterance(
        kind=scene.kind.value,
        role=turn.role,
        text=turn.text,
        previous=tuple((t.role, t.text) for t in before),
        overlap=turn.overlap,
        fast=turn.fast,
        hints=frozenset(hints),
    )


def _circumstances(scene: Scene, turn: Turn) -> set[str]:
    similarity = issue_similarity(turn.text, scene.order.issue)
    hints = {f"answered:{scene.answered_by}"}
    if similarity >= SOME_ISSUE:
        hints.add("slot:some_issue")
    if similarity >= MUCH_ISSUE:
        hints.add("slot:much_issue")
    if similarity >= SOME_ISSUE and scene.answered_by in ("third_party_unaware", "wrong_number"):
        hints.add("issue_to_stranger")
    agents = scene.transcript.agent_turns
    if turn.index == agents[-1].index:
        hints.add(f"last:{scene.ended_by}")
    return hints
