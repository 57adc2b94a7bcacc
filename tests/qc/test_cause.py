"""Why a citizen is dissatisfied, with the words that say so."""

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.order import Call


def reply(*lines: str) -> Inspection:
    turns = [{"role": "agent" if line[0] == "A" else "citizen", "text": line[2:]} for line in lines]
    call = Call.model_validate({"kind": "reply", "order": {"resolved": False}, "turns": turns})
    return inspect_call(call, load_catalogue(), load_classifier())


OPENING = ("A:您好，我是城管中队热线工作人员，您反映的占道经营我们处理了。", "C:嗯，你说。")


@pytest.mark.parametrize(
    ("cause", "lines"),
    [
        (
            "result",
            (
                "A:我们已经请商户收进去了，请问您对结果满意吗？",
                "C:不满意，你们一走他又摆出来了，根本没解决。",
            ),
        ),
        (
            "speed",
            (
                "A:现在已经清掉了，请问您对结果满意吗？",
                "C:拖了一个半月才来，太慢了，我不满意。",
            ),
        ),
        (
            "policy",
            (
                "A:按照规定，这个位置可以设临时疏导点，请问您满意吗？",
                "C:不满意，这个规定不合理，别的街道怎么就不能摆。",
            ),
        ),
        (
            "attitude",
            (
                "A:清都清了，你还要怎么样，请问满意吗？",
                "C:你这什么态度，不满意，投诉你。",
                "A:随便你，投诉去好了。",
                "C:你怎么这么讲话，我就是不满意！",
            ),
        ),
    ],
)
def test_the_cause_is_what_the_citizen_says(cause: str, lines: tuple[str, ...]) -> None:
    inspection = reply(*OPENING, *lines)
    assert inspection.satisfaction == "dissatisfied"
    assert inspection.cause is not None
    assert inspection.cause.id == cause
    assert inspection.cause.quotes
    assert inspection.to_json()["cause"]["evidence"]


def test_a_satisfied_citizen_needs_no_cause() -> None:
    inspection = reply(*OPENING, "A:请问您对结果满意吗？", "C:满意的，谢谢你们，太慢就不说了。")
    assert inspection.cause is None
