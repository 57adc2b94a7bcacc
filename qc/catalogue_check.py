"""Run every rule's own positive and negative examples."""

from collections.abc import Iterator
from dataclasses import dataclass

from qc.catalogue import Behaviour, Catalogue, CauseRule, Example, Examples, Practice, Signal
from qc.conditions import CallContext
from qc.evidence import Classifier, gather
from qc.order import CallKind, Order
from qc.scene import Scene, find
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
    for label, expected, scene in rule_examples(catalogue):
        last = scene.transcript.turns[-1]
        sheet = gather(scene, catalogue, classifier)
        found = any(e.turn.index == last.index for e in sheet.heard(label))
        yield Outcome(label, last.text, expected, found == expected)
    cued: tuple[Practice | CauseRule, ...] = (*catalogue.practices, *catalogue.causes)
    for rule in cued:
        for expected, example in each_example(rule.examples):
            scene = example_scene(example, rule.when.role or Role.AGENT, CallKind.FIRST_CONTACT)
            found = find(rule.when, scene, len(scene.transcript.turns) - 1) is not None
            yield Outcome(rule.id, example.text, expected, found == expected)


def rule_examples(catalogue: Catalogue) -> Iterator[tuple[str, bool, Scene]]:
    """Rule, whether it should be heard in the scene's last turn, and the scene, of each example."""
    facets_of = {
        kind: {f for e in catalogue.elements[kind] for n in e.met for f in (*n.all, *n.any)}
        for kind in CallKind
    }
    only_reply = facets_of[CallKind.REPLY] - facets_of[CallKind.FIRST_CONTACT]
    for facet in catalogue.facets.values():
        kind = CallKind.REPLY if facet.id in only_reply else CallKind.FIRST_CONTACT
        for expected, example in each_example(facet.examples):
            yield facet.id, expected, example_scene(example, Role.AGENT, kind)
    rules: list[tuple[Behaviour | Signal, Role]] = [(r, Role.AGENT) for r in catalogue.behaviours]
    rules += [(r, Role.CITIZEN) for r in catalogue.signals]
    for rule, role in rules:
        for kind in CallKind:
            for expected, example in each_example(rule.examples):
                yield rule.id, expected, example_scene(example, role, kind)


def each_example(examples: Examples) -> Iterator[tuple[bool, Example]]:
    """Positive examples (True), then negative ones."""
    for expected, listed in ((True, examples.yes), (False, examples.no)):
        for example in listed:
            yield expected, Example(text=example) if isinstance(example, str) else example


def example_scene(example: Example, role: Role, kind: CallKind) -> Scene:
    """A call that ends with the example, said by `role`."""
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
