"""Run every rule's own positive and negative examples."""

from collections.abc import Iterator
from dataclasses import dataclass

from qc.catalogue import Catalogue, Example, Examples
from qc.conditions import CallContext, Scene, find
from qc.evidence import Classifier, gather
from qc.order import CallKind, Order
from qc.transcript import Role, Transcript, Turn


@dataclass(frozen=True)
class Outcome:
    """Whether a rule says of its own example what it should."""

    rule: str
    text: str
    expected: bool
    passed: bool


def check_examples(catalogue: Catalogue, classifier: Classifier | None) -> Iterator[Outcome]:
    """Judge each example by all layers, as a turn of a call would be."""
    replies = {
        f for e in catalogue.elements[CallKind.REPLY] for n in e.met for f in (*n.all, *n.any)
    }
    first = {
        f
        for e in catalogue.elements[CallKind.FIRST_CONTACT]
        for n in e.met
        for f in (*n.all, *n.any)
    }
    for facet in catalogue.facets.values():
        kind = CallKind.REPLY if facet.id in replies - first else CallKind.FIRST_CONTACT
        yield from _check(facet.id, facet.examples, Role.AGENT, kind, catalogue, classifier)
    for behaviour in catalogue.behaviours:
        for kind in CallKind:
            yield from _check(
                behaviour.id, behaviour.examples, Role.AGENT, kind, catalogue, classifier
            )
    for signal in catalogue.signals:
        for kind in CallKind:
            yield from _check(signal.id, signal.examples, Role.CITIZEN, kind, catalogue, classifier)
    for practice in catalogue.practices:
        for expected, text in _each(practice.examples):
            scene = _scene(text, Role.AGENT, CallKind.FIRST_CONTACT)
            found = find(practice.when, scene, len(scene.transcript.turns) - 1) is not None
            yield Outcome(practice.id, text.text, expected, found == expected)


def _each(examples: Examples) -> Iterator[tuple[bool, Example]]:
    for expected, listed in ((True, examples.yes), (False, examples.no)):
        for example in listed:
            yield expected, Example(text=example) if isinstance(example, str) else example


def _check(
    label: str,
    examples: Examples,
    role: Role,
    kind: CallKind,
    catalogue: Catalogue,
    classifier: Classifier | None,
) -> Iterator[Outcome]:
    for expected, example in _each(examples):
        scene = _scene(example, role, kind)
        sheet = gather(scene, catalogue, classifier)
        last = len(scene.transcript.turns) - 1
        found = any(e.turn.index == last for e in sheet.heard(label))
        yield Outcome(label, example.text, expected, found == expected)


def _scene(example: Example, role: Role, kind: CallKind) -> Scene:
    previous = [
        (Role.AGENT if line.startswith("A") else Role.CITIZEN, line[3:]) for line in example.prev
    ]
    turns = [Turn(i, who, text) for i, (who, text) in enumerate(previous)]
    turns.append(Turn(len(turns), role, example.text, overlap=example.overlap, fast=example.fast))
    call = example.call or CallContext()
    return Scene(
        Transcript(tuple(turns)),
        Order(),
        kind,
        answered_by=call.answered_by[0] if call.answered_by else "petitioner",
        ended_by=call.ended_by[0] if call.ended_by else "both",
    )
