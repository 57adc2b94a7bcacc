"""The standards for orders are right about their own examples."""

from collections.abc import Mapping, Sequence

import pytest

from qc.catalogue import Examples
from qc.catalogue_check import Outcome
from qc.orders.examples import check_order_examples
from qc.orders.rules import all_wording_rules, load_order_rules

CONSISTENCY, WORDING = load_order_rules().consistency, all_wording_rules()


def by_rule() -> Mapping[str, Sequence[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in check_order_examples(CONSISTENCY, WORDING):
        found.setdefault(outcome.rule, []).append(outcome)
    return found


OUTCOMES = by_rule()


@pytest.mark.parametrize("rule", OUTCOMES)
def test_rules_are_right_about_their_own_examples(rule: str) -> None:
    assert [o for o in OUTCOMES[rule] if not o.passed] == []


def test_every_rule_with_examples_is_asked() -> None:
    parts = (*CONSISTENCY.cues.values(), *CONSISTENCY.claims, *CONSISTENCY.announcements, *WORDING)
    assert set(OUTCOMES) == {rule.id for rule in parts}


def test_a_wrong_example_is_told() -> None:
    cue = CONSISTENCY.cues["denied"]
    wrong = cue.model_copy(update={"examples": Examples(yes=("谢谢您。",), no=("经核实不属实。",))})
    rules = CONSISTENCY.model_copy(update={"cues": {"denied": wrong}})
    told = [o.text for o in check_order_examples(rules, WORDING) if not o.passed]
    assert told == ["谢谢您。", "经核实不属实。"]
