"""Nothing is held against a handler that was hardly heard."""

from dataclasses import replace

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call, inspect_transcript
from qc.inspection import Inspection
from qc.order import Call, CallKind, Order
from qc.transcript import Role, Stretch, Transcript, Turn

RUDE = ("agent", "你烦不烦啊，天天打电话，爱找谁找谁去，投诉去好了。")


def judge(*turns: tuple[str, str, float | None]) -> Inspection:
    spoken = [{"role": role, "text": text, "confidence": sure} for role, text, sure in turns]
    call = Call.model_validate({"kind": "first_contact", "turns": spoken})
    return inspect_call(call, load_catalogue(), load_classifier())


def call_with(confidence: float | None) -> Inspection:
    return judge(
        ("agent", "您好，请问是王先生吗？", 0.9),
        ("citizen", "是的，你们怎么现在才打电话来。", 0.9),
        (*RUDE, confidence),
        ("citizen", "你这人怎么这样讲话。", 0.9),
        ("agent", "再见。", 0.9),
    )


@pytest.mark.parametrize("confidence", [0.9, None])
def test_rude_words_that_were_heard_are_found(confidence: float | None) -> None:
    inspection = call_with(confidence)
    assert inspection.behaviours
    assert not inspection.undetermined


def test_rude_words_hardly_heard_go_to_a_person() -> None:
    sure, unsure = call_with(0.9), call_with(0.2)
    assert not unsure.behaviours
    assert {b.id for b in unsure.doubtful} == {b.id for b in sure.behaviours}
    assert unsure.attitude.level == "good"
    assert any("听不清" in warning for warning in unsure.warnings)


def test_an_element_that_may_hide_in_a_blurred_turn_is_undetermined() -> None:
    inspection = call_with(0.2)
    procedure = next(e for e in inspection.elements if e.id == "fc.procedure")
    assert procedure.undetermined
    assert procedure.status == "met"  # the most favourable, for those who know four statuses only
    assert "fc.procedure" in inspection.to_json()["undetermined"]


def test_a_blurred_turn_in_the_middle_does_not_excuse_the_opening() -> None:
    filler = [("citizen", "就是楼道里堆了很多东西。", 0.9), ("agent", "嗯，您继续说。", 0.9)] * 3
    inspection = judge(
        ("agent", "喂，什么事情。", 0.9),
        *filler,
        ("agent", "这一句信号很差听不清楚说的什么内容。", 0.2),
        *filler,
        ("agent", "那好，再见。", 0.9),
    )
    intro = next(e for e in inspection.elements if e.id == "fc.self_intro")
    assert intro.status == "missing"
    assert not intro.undetermined


def test_what_a_person_decides_does_not_count_in_the_score() -> None:
    assert call_with(0.2).score > call_with(0.9).score


# --- stretches of a recording


def stretch(start: float, end: float, **heard: float) -> Stretch:
    usual = {"confidence": 0.9, "no_speech": 0.0, "compression_ratio": 1.2, "mandarin": 0.95}
    return Stretch(start, end, **(usual | heard))


def heard_call(*reliability: Stretch) -> Inspection:
    """The rude words are said from 10 to 16 s."""
    said = [
        ("agent", "您好，请问是王先生吗？", 0.0, 3.0),
        ("citizen", "是的，你们怎么现在才打电话来。", 4.0, 9.0),
        (*RUDE, 10.0, 16.0),
        ("citizen", "你这人怎么这样讲话。", 17.0, 20.0),
        ("agent", "再见。", 21.0, 22.0),
    ]
    turns = tuple(
        Turn(i, Role(role), text, start=start, end=end, confidence=0.9)
        for i, (role, text, start, end) in enumerate(said)
    )
    return inspect_transcript(
        Transcript(turns, reliability=reliability),
        CallKind.FIRST_CONTACT,
        Order(),
        load_catalogue(),
        load_classifier(),
    )


@pytest.mark.parametrize(
    ("doubt", "reason"),
    [
        ({"mandarin": 0.2}, "不是普通话"),
        ({"confidence": 0.3}, "把握低"),
        ({"no_speech": 0.9}, "无人说话"),
        ({"compression_ratio": 3.0}, "重复"),
    ],
)
def test_what_was_hardly_heard_is_told_and_held_against_nobody(
    doubt: dict[str, float], reason: str
) -> None:
    found = heard_call(stretch(0.0, 9.0), stretch(9.5, 16.5, **doubt), stretch(17.0, 22.0))
    assert not found.behaviours
    assert found.doubtful
    assert any(reason in warning and "10–16 秒" in warning for warning in found.warnings)
    (told,) = found.to_json()["reliability"]
    assert (told["start"], told["end"]) == (9.5, 16.5)
    assert reason in "".join(told["reasons"])


def test_a_doubtful_moment_does_not_spoil_a_whole_turn() -> None:
    found = heard_call(stretch(9.5, 11.0, mandarin=0.2), stretch(11.0, 16.5))
    assert found.behaviours


def test_an_unknown_language_is_no_doubt() -> None:
    known = stretch(0.0, 22.0)
    assert (
        heard_call(replace(known, mandarin=None)).behaviours == heard_call(known).behaviours != ()
    )
