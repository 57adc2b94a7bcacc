"""Every key of the rule language."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from qc.conditions import CallContext, Condition
from qc.order import CallKind, Order
from qc.scene import Scene, find
from qc.transcript import Role, Transcript, Turn

PAGE = Path(__file__).parents[2] / "docs" / "rule-language.md"


def scene(*lines: str, order: Order | None = None, ended_by: str = "both") -> Scene:
    turns = []
    for i, line in enumerate(lines):
        mark, text = line.split(":", 1)
        role = Role.AGENT if mark[0] == "A" else Role.CITIZEN
        start, end = i * 10.0 - ("!" in mark) * 6.5, i * 10.0 + 4
        turn = Turn(i, role, text, start, end, overlap="!" in mark, fast=">" in mark)
        raised = 1.0 if "^" in mark else 0.0
        turn = replace(turn, loudness=9 * raised, pitch=4 * raised, rate_ratio=1 + raised / 2)
        turns.append(replace(turn, cut_short="|" in mark))
    return Scene(
        Transcript(tuple(turns)), order or Order(), CallKind.FIRST_CONTACT, ended_by=ended_by
    )


SCENE = scene(
    "A:您好，请问是王先生吗",
    "C:对，我跟你讲，",
    "A!:你先别说，听我说完",
    "C:你们什么时候来",
    "A>:我不能保证明天来给您看潍坊四村的违章搭建",
    "C^|:你们什么时候来？",
    order=Order(petitioner="王建国", address="潍坊四村", issue="违章搭建"),
    ended_by="agent",
)

HOLDS = [
    ({"says": ["您好"]}, 0),
    ({"says": ["厅我说完"]}, 2),  # a homophone of 听我说完
    ({"says": ["您好", "请问", "再见"], "at_least": 2}, 0),
    ({"says_all": ["您好", "王先生"]}, 0),
    ({"says_none": ["再见"]}, 0),
    ({"says": ["什么时候", "你们"], "times": 2}, 3),
    ({"overlap_over": 0.3}, 2),
    ({"louder_than": 6}, 5),
    ({"higher_than": 3}, 5),
    ({"faster_than_usual": 1.3}, 5),
    ({"cuts_off": True}, 2),
    ({"cut_short": True}, 5),
    ({"same": {"nth": 2, "when": {"says": ["什么时候"]}}}, 5),
    ({"around": {"turns": None, "hits": 2, "when": {"says": ["什么时候"]}}}, 0),
    ({"after": {"turns": None, "nth": 1, "when": {"says": ["什么时候"]}}}, 5),
    ({"before": {"turns": None, "nth": -1, "when": {"says": ["什么时候"]}}}, 0),
    ({"call": {"order": {"issue": ["违章", "噪声"], "address": ["潍坊"]}}}, 0),
    ({"matches": "明天.{0,3}看|来给您看"}, 4),
    ({"matches": "明天", "matches_none": "后天"}, 4),
    ({"similar_to": ["您好请问您是王先生吗"], "score": 80}, 0),
    ({"mentions": "address"}, 4),
    ({"role": "citizen"}, 1),
    ({"position": "first"}, 0),
    ({"position": "last"}, 4),
    ({"min_characters": 8}, 2),
    ({"overlap": True}, 2),
    ({"fast": True}, 4),
    ({"faster_than": 4}, 4),
    ({"silence": {"over": 5}}, 3),
    ({"silence": {"over": 5, "waits": "agent"}}, 3),
    ({"silence": {"over": 5, "waits": "agent", "unless": {"says": ["再见"]}}}, 3),
    ({"repeats": True}, 5),
    ({"unfinished": True}, 1),
    ({"after": {"when": {"role": "citizen", "unfinished": True}}}, 2),
    ({"before": {"turns": 2, "when": {"says": ["什么时候"]}}}, 2),
    ({"around": {"turns": 3, "hits": 2, "when": {"says": ["什么时候"]}}}, 4),
    ({"after": {"turns": 3, "seconds": 25, "when": {"says": ["跟你讲"]}}}, 3),
    ({"call": {"ended_by": ["agent"]}}, 0),
    ({"all": [{"says": ["您好"]}, {"role": "agent"}]}, 0),
    ({"any": [{"says": ["再见"]}, {"role": "agent"}]}, 0),
    ({"none": [{"says": ["再见"]}]}, 0),
]

FAILS = [
    ({"says": ["再见"]}, 0),
    ({"says": ["您好", "再见"], "at_least": 2}, 0),
    ({"says_all": ["您好", "再见"]}, 0),
    ({"says": ["保证"], "says_none": ["不能保证"]}, 4),
    ({"matches": "明天", "matches_none": "违章"}, 4),
    ({"similar_to": ["感谢您的来电"]}, 0),
    ({"mentions": "issue"}, 0),
    ({"role": "agent"}, 1),
    ({"position": "last"}, 0),
    ({"min_characters": 50}, 2),
    ({"overlap": True}, 0),
    ({"faster_than": 9}, 0),
    ({"says": ["您好"], "times": 2}, 0),
    ({"overlap_over": 1.0}, 2),
    ({"louder_than": 6}, 4),
    ({"higher_than": 5}, 5),
    ({"faster_than_usual": 1.3}, 4),
    ({"cuts_off": True}, 0),
    ({"cuts_off": False}, 2),
    ({"cut_short": True}, 4),
    ({"silence": {"over": 7}}, 3),
    ({"silence": {"over": 5, "waits": "citizen"}}, 3),
    ({"silence": {"over": 5, "unless": {"says": ["听我说完"]}}}, 3),
    ({"same": {"nth": 1, "when": {"says": ["什么时候"]}}}, 5),
    ({"around": {"turns": None, "hits": 3, "when": {"says": ["什么时候"]}}}, 0),
    ({"after": {"turns": None, "nth": 2, "when": {"says": ["什么时候"]}}}, 4),
    ({"call": {"order": {"issue": ["噪声"]}}}, 0),
    ({"repeats": True}, 3),
    ({"unfinished": True}, 5),
    ({"after": {"when": {"role": "agent"}}}, 2),
    ({"after": {"turns": 3, "seconds": 15, "when": {"says": ["跟你讲"]}}}, 3),
    ({"call": {"ended_by": ["both"]}}, 0),
    ({"none": [{"says": ["您好"]}]}, 0),
]


@pytest.mark.parametrize(("condition", "turn"), HOLDS)
def test_condition_holds(condition: dict, turn: int) -> None:
    assert find(Condition.model_validate(condition), SCENE, turn) is not None


@pytest.mark.parametrize(("condition", "turn"), FAILS)
def test_condition_does_not_hold(condition: dict, turn: int) -> None:
    assert find(Condition.model_validate(condition), SCENE, turn) is None


def measured(**sound: float | None) -> Scene:
    turn = Turn(0, Role.AGENT, "这个事情我们已经登记了", 0.0, 1.0, fast=True, confidence=0.9)
    return replace(SCENE, transcript=Transcript((replace(turn, **sound),)))


def test_a_rate_from_the_sound_counts_rather_than_mark_or_length() -> None:
    for rate, holds in ((6.5, True), (5.5, False), (None, False)):
        found = find(Condition(faster_than=6), measured(rate=rate), 0)
        assert (found is not None) is holds
    assert find(Condition(fast=True), measured(rate=5.5), 0) is None
    assert find(Condition(fast=True), measured(rate=None), 0) is not None


@pytest.mark.parametrize("condition", [{"louder_than": -9}, {"higher_than": -9}])
def test_what_was_not_measured_is_over_nothing(condition: dict) -> None:
    assert find(Condition.model_validate(condition), measured(), 0) is None


def test_a_silence_begins_where_the_last_of_the_two_has_ended() -> None:
    turns = (
        Turn(0, Role.AGENT, "我跟您说一下", 0.0, 20.0),
        Turn(1, Role.CITIZEN, "嗯", 5.0, 5.3),
        Turn(2, Role.CITIZEN, "好的", 22.0, 23.0),
        Turn(3, Role.CITIZEN, "喂", 30.0, 31.0),
    )
    silent = replace(SCENE, transcript=Transcript(turns))
    over_five = Condition.model_validate({"silence": {"over": 5}})
    assert [find(over_five, silent, i) is not None for i in range(4)] == [False, False, False, True]


def test_the_words_heard_are_given() -> None:
    assert find(Condition(says=("您好", "请问")), SCENE, 0) == ("您好", "请问")


def test_an_unknown_key_or_bad_pattern_is_refused() -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({"say": ["您好"]})
    with pytest.raises(ValidationError, match="正则表达式"):
        Condition(matches="(")


def test_every_key_is_documented_and_tried() -> None:
    page = PAGE.read_text("utf-8")
    tried = {key for condition, _ in HOLDS for key in condition}
    for key in Condition.model_fields:
        assert f"`{key}`" in page
        assert key in tried | {"score"}
    for key in CallContext.model_fields:
        assert f"`{key}`" in page
