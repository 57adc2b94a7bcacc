"""Judging a call whose turns are given."""

import pytest

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.inspect import inspect_call
from qc.inspection import Inspection
from qc.order import Call

ORDER = {
    "petitioner": "王建国",
    "reported_on": "2024-06-11",
    "issue": "楼上装修噪音扰民",
    "address": "潍坊四村105号602室",
    "department": "城管中队",
}
GOOD = (
    "A:您好，请问您是王建国先生吗？",
    "C:对，我是，哪里？",
    "A:王先生您好，我是潍坊新村街道城管中队的热线工作人员，想跟您做一个先行联系。",
    "C:好，你说。",
    "A:您是不是在六月十一号反映了楼上装修噪音的问题，地址是潍坊四村一百零五号六零二室，对吗？",
    "C:对对对。",
    "A:我们会尽快到现场核实处理，处理完给您回电反馈，请您保持手机畅通。",
    "C:好的。",
    "A:感谢您对我们工作的支持，再见。",
    "C:再见。",
)


def judge(*lines: str, kind: str = "first_contact", **facts: object) -> Inspection:
    turns = []
    for line in lines:
        mark, text = line.split(":", 1)
        role = "agent" if mark[0] == "A" else "citizen"
        turns.append({"role": role, "text": text, "overlap": "!" in mark, "fast": ">" in mark})
    order = {**ORDER, **facts.pop("order", {})}  # type: ignore[dict-item]
    call = Call.model_validate({"kind": kind, "order": order, "turns": turns, **facts})
    return inspect_call(call, load_catalogue(), load_classifier())


def statuses(inspection: Inspection) -> dict[str, str]:
    return {e.id: e.status for e in inspection.elements}


def behaviours(inspection: Inspection) -> set[str]:
    return {b.id for b in inspection.behaviours}


def test_a_call_by_the_book_has_no_defect() -> None:
    inspection = judge(*GOOD)
    assert set(statuses(inspection).values()) == {"met", "not_applicable"}
    assert not inspection.behaviours
    assert inspection.score == 100
    assert inspection.attitude.level == "good"


def test_what_was_left_out_is_missing_with_the_phrase_to_say() -> None:
    inspection = judge(*GOOD[:6], "A:好的，再见。", "C:再见。")
    found = statuses(inspection)
    assert found["fc.procedure"] == found["fc.keep_phone"] == "missing"
    assert found["fc.closing"] == "partial"
    keep_phone = next(e for e in inspection.elements if e.id == "fc.keep_phone")
    assert "畅通" in keep_phone.advice


def test_every_finding_has_turn_quote_source_and_phrase() -> None:
    inspection = judge(
        *GOOD[:2],
        "A:你有病吧，这点小事也打12345，你早干嘛去了？",
        "C:你什么态度，我要去媒体曝光！",
        "A:投诉去好了，随便你。",
        ended_by="agent",
    )
    assert {"bh.rude", "bh.criticize", "bh.contradict"} <= behaviours(inspection)
    for finding in inspection.behaviours:
        assert finding.source.clause and finding.instead
        for quote in finding.quotes:
            assert quote.text == inspection.transcript.turns[quote.turn.index].text
            assert quote.layers
    assert {"ct.attitude_complaint", "ct.escalate"} <= {s.id for s in inspection.citizen}
    assert inspection.score == 0  # 态度粗暴 is fatal
    assert inspection.attitude.level == "serious"


def test_rude_citizen_does_not_cost_the_handler() -> None:
    inspection = judge(
        *GOOD[:5],
        "C:对个屁，你们这帮饭桶，他妈的有病啊！",
        "A:您的心情我们理解，您慢慢说，我都记着。",
        *GOOD[6:],
    )
    assert not inspection.behaviours
    assert "ct.abuse" in {s.id for s in inspection.citizen}
    assert inspection.attitude.score == 100


def test_hanging_up_on_abuse_after_a_warning_is_allowed() -> None:
    lines = (
        *GOOD[:5],
        "C:对个屁，你们这帮饭桶，他妈的！",
        "A:先生，请您文明用语，否则很抱歉，我们将结束这次通话。",
        "C:滚，一群狗东西，他妈的！",
        "A:那很抱歉，这次通话先结束了，再见。",
    )
    assert "bh.hang_up" not in behaviours(judge(*lines, ended_by="agent"))


def test_hanging_up_on_a_citizen_who_still_speaks_is_a_finding() -> None:
    lines = (*GOOD[:6], "C:等一下，我还有件事，", "A!:不说了，挂了。")
    assert {"bh.hang_up", "bh.interrupt"} <= behaviours(judge(*lines, ended_by="agent"))
    assert "bh.hang_up" not in behaviours(judge(*lines, ended_by="cut"))


def test_a_refusal_to_promise_is_no_promise() -> None:
    asked = (*GOOD[:6], "C:明天能拆掉吗？")
    assert "bh.promise" in behaviours(judge(*asked, "A:我跟你保证明天肯定给你拆掉，包在我身上。"))
    assert "bh.promise" not in behaviours(judge(*asked, "A:这个我不能跟您保证，但我们会盯着。"))


def test_what_a_dropped_line_cut_off_does_not_apply() -> None:
    found = statuses(judge(*GOOD[:6], "A:喂？喂？", ended_by="cut"))
    assert found["fc.closing"] == found["fc.keep_phone"] == "not_applicable"


def test_a_wrong_address_is_a_mismatch_finding() -> None:
    inspection = judge(*GOOD, order={"address": "潍坊四村26号301室"})
    assert any("地址与工单不符" in warning for warning in inspection.warnings)


@pytest.mark.parametrize("turns", [(), ("C:喂？",), ("A:喂？",)])
def test_hardly_any_words_are_no_crash(turns: tuple[str, ...]) -> None:
    assert judge(*turns).elements


def test_the_json_is_the_contract() -> None:
    row = judge(*GOOD, call_id="x").to_json()
    assert row["call_id"] == "x"
    assert row["elements"]["fc.greeting"]["status"] == "met"
    assert row["elements"]["fc.greeting"]["evidence"][0]["turn"] == 0
    assert set(row) >= {"behaviours", "citizen", "satisfaction", "attitude", "score"}
    assert row["attitude"]["level"] in {"good", "minor", "serious"}
