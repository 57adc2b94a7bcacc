"""What was filed against what the recordings hold."""

import pytest

from tests.qc.orders.order_samples import findings, first_contact, ids, judge, reply

UNHAPPY = (
    "A: 周先生您好，我是城管中队的热线工作人员，跟您回复楼道堆放杂物的事情。",
    "C: 你说。",
    "A: 我们13号上午到现场看了，清走了一车。您对处理结果满意吗？",
    "C: 不满意，四楼的还在，等于没弄。",
    "A: 好的，您的意见我记下来了，再见。",
    "C: 再见。",
)
FIRST = "2024-06-11 14:20"


def test_what_agrees_gives_no_finding() -> None:
    verdict = judge(
        first_contact(),
        reply(),
        first_contact_at=FIRST,
        first_contact_description="已与市民取得联系，核对了诉求和地址，告知了办理程序。",
        replied_at="2024-06-14 15:00",
        fact_finding="属实",
        satisfaction="satisfied",
        handling_result="6月13日上午队员到现场，当场清走旧家具一车。",
        reply_summary="6月14日15:00电话回复市民，市民表示满意。",
    )
    assert ids(verdict) == set()


@pytest.mark.parametrize("ticked", ["satisfied", "basically", "neutral"])
def test_satisfaction_ticked_against_the_citizens_word_is_quoted(ticked: str) -> None:
    (finding,) = findings(judge(reply(*UNHAPPY), satisfaction=ticked), "cs.satisfaction")
    field, answer = finding.quotes
    assert (field.field, field.call) == ("satisfaction", None)
    assert (answer.call, answer.turn) == (0, 3)
    assert "不满意" in answer.text


def test_satisfaction_that_was_said_is_no_contradiction() -> None:
    assert "cs.satisfaction" not in ids(judge(reply(*UNHAPPY), satisfaction="dissatisfied"))
    assert "cs.satisfaction" not in ids(judge(reply(), satisfaction="basically"))


def test_satisfaction_nobody_asked_about_is_told() -> None:
    verdict = judge(
        reply(*UNHAPPY[:2], "A: 处理好了，再见。", "C: 再见。"), satisfaction="satisfied"
    )
    assert "cs.satisfaction_unasked" in ids(verdict)


def test_the_clause_quoted_is_of_the_streets_own_document() -> None:
    for profile, document in (("weifang", "weifang-2024"), ("sheshan", "sheshan-2025")):
        verdict = judge(reply(*UNHAPPY), satisfaction="satisfied", profile=profile)
        assert findings(verdict, "cs.satisfaction")[0].source.document == document


ASKS_NOTHING = first_contact(
    "A: 喂，周明华吗，我城管的。",
    "C: 是的。",
    "A: 你那个单子我看到了，我们会去看的，再见。",
    "C: 再见。",
)


def test_a_first_contact_that_never_verified_is_found() -> None:
    assert "cs.first_contact_unverified" in ids(judge(ASKS_NOTHING, first_contact_at=FIRST))


def test_a_first_contact_that_reached_a_stranger_is_not_done() -> None:
    stranger = first_contact(
        "A: 您好，请问是周明华先生吗？",
        "C: 打错了，我不姓周。",
        "A: 不好意思打扰了，再见。",
        answered_by="wrong_number",
    )
    (finding,) = findings(judge(stranger, first_contact_at=FIRST), "cs.first_contact_not_reached")
    assert finding.quotes[1].text == "打错了，我不姓周。"


def test_filed_as_not_reached_is_no_contradiction() -> None:
    stranger = first_contact("A: 喂？", "C: 打错了。", answered_by="wrong_number")
    verdict = judge(
        stranger,
        first_contact_at=FIRST,
        first_contact_description="三次拨打，均无人接听，联系未果。",
    )
    assert "cs.first_contact_not_reached" not in ids(verdict)


@pytest.mark.parametrize(
    ("description", "claimed"),
    [
        ("已联系市民，核实了诉求。", "核实了诉求"),
        ("并安抚了市民情绪。", ""),  # the citizen was not upset: nothing to hold against it
        ("已请市民保持电话畅通。", "保持电话畅通"),
        ("将到现场核实情况。", ""),
    ],
)
def test_a_description_says_only_what_the_call_holds(description: str, claimed: str) -> None:
    verdict = judge(ASKS_NOTHING, first_contact_description=description)
    found = findings(verdict, "cs.claim_unheard")
    assert bool(found) == bool(claimed)
    assert all(claimed in finding.quotes[0].text for finding in found)


ADMITS = "A: 我们去看过了，您反映的情况确实存在。"
DENIES = "A: 我们去了三次，现场没有发现堆物。"
HEDGES = "A: 是不是属实要等检测结果，我们还会去查。"


@pytest.mark.parametrize(
    ("ticked", "line", "contradicts"),
    [
        ("不属实", ADMITS, True),
        ("属实", DENIES, True),
        ("属实", ADMITS, False),
        ("不属实", DENIES, False),
        ("不属实", HEDGES, False),
        ("属实", HEDGES, False),
        ("部分属实", ADMITS, False),
        ("不属实", "A: 我没有说情况不存在，也没有说您反映的不属实。", False),
    ],
)
def test_fact_finding_is_held_against_the_handlers_words(
    ticked: str, line: str, contradicts: bool
) -> None:
    call = reply("A: 周先生您好，跟您回复楼道杂物的事。", "C: 你说。", line, "C: 哦。")
    found = findings(judge(call, fact_finding=ticked), "cs.fact_finding")
    assert bool(found) == contradicts
    assert all(finding.quotes[1].text == line[3:] for finding in found)


def test_fact_finding_is_held_against_the_filed_result() -> None:
    verdict = judge(reply(), fact_finding="不属实", handling_result="市民反映情况属实，已清理。")
    assert "cs.fact_against_result" in ids(verdict)
    verdict = judge(reply(), fact_finding="不属实", handling_result="经核实，不存在堆物。")
    assert "cs.fact_against_result" not in ids(verdict)


def test_a_deed_that_the_reply_never_mentions_is_found() -> None:
    verdict = judge(reply(), handling_result="当场清走旧家具一车，并加装了监控探头防止回潮。")
    (finding,) = findings(verdict, "cs.result_unheard")
    assert "监控探头" in finding.quotes[0].text
    assert "旧家具" not in finding.quotes[0].text


@pytest.mark.parametrize(
    "result",
    [
        "三楼旧家具清走一车。",
        "队员到场清理了杂物。",
        "已将三层住户的家具清运。",
        "计划下月加装监控探头。",
        "市民表示感谢。",
    ],
)
def test_other_words_for_the_same_deed_are_no_finding(result: str) -> None:
    assert "cs.result_unheard" not in ids(judge(reply(), handling_result=result))


@pytest.mark.parametrize(
    ("result", "differs"),
    [
        ("6月15日到现场清走旧家具。", True),
        ("6月13日到现场清走旧家具。", False),
        ("清走旧家具三车。", True),
        ("清走旧家具1车。", False),
        ("6月18日召开业委会。", False),  # another matter: the reply names no day for it
    ],
)
def test_days_and_numbers_are_compared_where_the_matter_is_the_same(
    result: str, differs: bool
) -> None:
    assert ("cs.figure" in ids(judge(reply(), handling_result=result))) == differs


def test_a_missing_recording_is_told_unless_nobody_could_be_reached() -> None:
    filed = {"first_contact_at": FIRST, "replied_at": "2024-06-14 15:00"}
    assert ids(judge(**filed), "cs.no") == {
        "cs.no_first_contact_recording",
        "cs.no_reply_recording",
    }
    unreached = judge(first_contact(), reply_summary="6月14日三次拨打，无人接听。")
    assert not ids(unreached, "cs.no")


def test_a_reply_before_the_first_contact_is_found() -> None:
    assert "cs.call_order" in ids(judge(reply(), first_contact()))
    assert "cs.call_order" in ids(judge(first_contact_at=FIRST, replied_at="2024-06-11 09:00"))
    assert "cs.call_order" not in ids(judge(first_contact(), reply()))


def test_turning_the_citizen_away_and_returning_the_order_is_found() -> None:
    away = first_contact(
        "A: 喂，周明华吗，你打热线说楼道堆东西是伐。",
        "C: 是的。",
        "A: 这个不归我们管的，你找物业去。",
    )
    verdict = judge(away, first_contact_at=FIRST, returned_at="2024-06-11 15:00")
    (finding,) = findings(verdict, "cs.returned_shirk")
    assert finding.source.clause.startswith("附件1 二")
    assert finding.quotes[1].turn == 2
    assert "cs.returned_shirk" not in ids(judge(away, first_contact_at=FIRST))


def test_saying_to_whom_the_order_goes_is_no_turning_away() -> None:
    handed_over = first_contact(
        "A: 周先生您好，我是城管中队的热线工作人员。您反映楼道堆杂物，对吗？",
        "C: 是的。",
        "A: 楼道堆物不归我们管，是房管所负责的，单子我们帮您转给房管所，他们会联系您。",
    )
    verdict = judge(handed_over, first_contact_at=FIRST, returned_at="2024-06-11 15:00")
    assert "cs.returned_shirk" not in ids(verdict)


def test_a_return_without_a_first_contact_is_found_with_the_streets_clause() -> None:
    for profile, clause in (("weifang", "附件1 一"), ("yichuan", "二、（二）1")):
        verdict = judge(returned_at="2024-06-11 15:00", profile=profile)
        (finding,) = findings(verdict, "cs.returned_without_contact")
        assert finding.source.clause.startswith(clause)
    tried = judge(
        returned_at="2024-06-11 15:00", attempts=[{"at": "2024-06-11 10:00", "answered": False}]
    )
    assert "cs.returned_without_contact" not in ids(tried)
