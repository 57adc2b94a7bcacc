"""Run the examples of the standards for orders: of `consistency.yaml` and `report_wording.yaml`."""

from collections.abc import Iterator, Sequence

from qc.catalogue_check import Outcome, each_example, example_scene
from qc.order import CallKind
from qc.orders.report_wording import holds_for_example
from qc.orders.rules import Announcement, Claim, ConsistencyRules, Cue, FiledExample, WordingRule
from qc.scene import find
from qc.transcript import Role


def check_order_examples(
    consistency: ConsistencyRules, wording: Sequence[WordingRule]
) -> Iterator[Outcome]:
    """Ask every rule of each of its own examples."""
    heard: list[Cue | Claim | Announcement] = [
        *consistency.cues.values(), *consistency.claims, *consistency.announcements
    ]  # fmt: skip
    for rule in heard:
        yield from _of_call(rule)
    for rule_ in wording:
        yield from _of_report(rule_)


def _of_call(rule: Cue | Claim | Announcement) -> Iterator[Outcome]:
    for expected, example in each_example(rule.examples):
        told = example.call.kind if example.call else ()
        kind = told[0] if told else CallKind.FIRST_CONTACT
        scene = example_scene(example, rule.when.role or Role.AGENT, kind)
        found = find(rule.when, scene, len(scene.transcript.turns) - 1) is not None
        yield Outcome(rule.id, example.text, expected, found == expected)


def _of_report(rule: WordingRule) -> Iterator[Outcome]:
    for expected, examples in ((True, rule.examples.yes), (False, rule.examples.no)):
        for example in examples:
            text = example.text if isinstance(example, FiledExample) else example
            yield Outcome(rule.id, text, expected, holds_for_example(rule, example) == expected)
