"""Dead air and hold."""

import pytest

from qc.catalogue import load_catalogue
from qc.order import CallKind, Order
from qc.scene import Scene
from qc.silences import DeadAir, measure_dead_air
from qc.transcript import Role, Transcript, Turn

RULE = load_catalogue().scoring.dead_air
ROLES = {"A": Role.AGENT, "C": Role.CITIZEN}


def dead_air(*said: tuple[str, float, float]) -> DeadAir | None:
    turns = tuple(
        Turn(i, ROLES[text[0]], text[2:], start, end) for i, (text, start, end) in enumerate(said)
    )
    return measure_dead_air(Scene(Transcript(turns), Order(), CallKind.FIRST_CONTACT), RULE)


def test_silence_counts_from_the_threshold_on() -> None:
    found = dead_air(("A:您好。", 0, 1), ("C:你好。", 6, 7), ("A:请讲。", 12.2, 13))
    assert found is not None
    assert [(gap.start, gap.seconds) for gap in found.gaps] == [(7, 5.2)]
    assert (found.seconds, found.longest, found.hold) == (5.2, 5.2, 0)


@pytest.mark.parametrize(
    ("last", "waited_for"), [("C:什么时候来？", "agent"), ("A:对吗？", "citizen")]
)
@pytest.mark.parametrize("breaks", ["A:喂？", "C:喂？"])
def test_the_other_one_was_to_speak(last: str, waited_for: str, breaks: str) -> None:
    found = dead_air((last, 0, 2), (breaks, 10, 11))
    assert found is not None
    assert [gap.waited_for for gap in found.gaps] == [waited_for]


@pytest.mark.parametrize("says", ["A:您稍等一下，我看一下记录。", "A:请您不要挂机。"])
def test_announced_waiting_is_hold(says: str) -> None:
    found = dead_air(("C:查到了吗？", 0, 1), (says, 1, 3), ("A:查到了。", 33, 34))
    assert found is not None
    assert (found.hold, found.seconds, found.longest) == (30, 0, 0)


def test_who_is_silent_without_a_word_is_not_excused_by_an_earlier_one() -> None:
    found = dead_air(
        ("A:您稍等一下。", 0, 1), ("C:好的。", 1, 2), ("A:查到了。", 20, 21),
        ("C:怎么说？", 21, 22), ("A:嗯。", 40, 41),
    )  # fmt: skip
    assert found is not None
    assert [gap.excused for gap in found.gaps] == [True, False]
    assert found.text == "共 18 秒，最长 18 秒；另请市民等候 18 秒"
    assert found.to_json()["gaps"][1] == {
        "start": 22, "seconds": 18, "waited_for": "agent", "excused": False,
    }  # fmt: skip


def test_a_backchannel_inside_a_long_turn_leaves_no_silence() -> None:
    found = dead_air(("A:我跟您说一下。", 0, 20), ("C:嗯。", 5, 5.3), ("C:好的。", 21, 22))
    assert found is not None
    assert (found.gaps, found.text) == ((), "无")


def test_written_calls_have_no_silences() -> None:
    turns = (Turn(0, Role.AGENT, "您好。"), Turn(1, Role.CITIZEN, "你好。"))
    scene = Scene(Transcript(turns), Order(), CallKind.FIRST_CONTACT)
    assert measure_dead_air(scene, RULE) is None
