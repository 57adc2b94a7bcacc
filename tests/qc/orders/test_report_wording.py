"""Report wording: the rules over their own examples, and which street's orders they apply to."""

import pytest

from qc.orders.rules import all_wording_rules, load_order_rules
from tests.qc.orders.order_samples import ids, judge

RULES = {rule.id: rule for rule in all_wording_rules()}
GOOD_REPORT = (
    "6月11日14:20与诉求人先行联系，核实了情况。经核实，市民反映楼道堆放杂物属实。"
    "6月13日上午，城管中队会同物业到现场，已将三楼旧家具清理完毕。"
    "6月14日15:00电话回复市民，市民表示满意。责任人：陈强，电话021-56010000。附现场照片和录音。"
)


def test_the_seven_elements_and_the_seven_must_nots_are_all_there() -> None:
    elements = [r.source.clause for r in RULES.values() if "附件4 1" in r.source.clause]
    must_nots = {r.source.clause for r in RULES.values() if "附件4 2" in r.source.clause}
    assert len(elements) == 7
    assert len(must_nots) == 7


def test_a_good_report_passes_everywhere() -> None:
    for profile in ("yichuan", "weifang", "sheshan", "tangqiao"):
        verdict = judge(closing_report=GOOD_REPORT, profile=profile, order={"resolved": True})
        assert ids(verdict, "rw.") == set()


def test_a_bad_report_is_found_only_where_the_streets_document_says_so() -> None:
    report = "我所高度重视，已要求当事人自行整改，目前正在走相关程序，将会加强巡查。"
    assert ids(judge(closing_report=report, profile="weifang"), "rw.yc") == set()
    found = ids(judge(closing_report=report, profile="yichuan"), "rw.yc")
    assert {
        "rw.yc.not_future",
        "rw.yc.not_in_progress",
        "rw.yc.not_empty",
        "rw.yc.not_self_rectify",
        "rw.yc.not_subordinate",
        "rw.yc.phone",
        "rw.yc.person",
        "rw.yc.first_contact_time",
    } <= found


@pytest.mark.parametrize(
    ("addition", "excused"),
    [
        ("已要求该户于7月10日前自行整改。", True),
        ("已要求该户自行整改。", False),
        ("已要求该户自行整改，现已整改完毕。", True),
        ("市民反映楼上正在装修。", True),
        ("目前正在施工。", False),
        ("正在施工，预计月底前完工。", True),
        ("到现场查看，未发现堆物。", False),
        ("到现场查看，未发现堆物，已与市民联系核实具体位置。", True),
    ],
)
def test_exceptions_excuse(addition: str, excused: bool) -> None:
    verdict = judge(
        closing_report=GOOD_REPORT.replace("附现场照片和录音。", "") + addition,
        profile="yichuan",
        order={"resolved": True},
    )
    assert (ids(verdict, "rw.") == set()) == excused


def test_an_unsolved_order_needs_a_plan_with_a_day() -> None:
    for plan, found in (("", True), ("暂时无法解决。", True), ("预计9月底前施工。", False)):
        report = GOOD_REPORT + plan
        verdict = judge(closing_report=report, profile="sheshan", order={"resolved": False})
        assert ("rw.ss.plan" in ids(verdict)) == found


def test_elements_may_stand_in_the_other_parts_of_the_report() -> None:
    split = judge(
        closing_report="经核实，楼道堆放杂物属实，6月13日会同物业到现场，已清理完毕。",
        reply_summary="6月11日14:20先行联系市民，6月14日15:00电话回复市民。责任人：陈强，电话56010000。",
        profile="yichuan",
        order={"resolved": True},
    )
    assert ids(split, "rw.") == set()


def test_a_report_that_is_not_filed_is_not_judged() -> None:
    assert ids(judge(first_contact_at="2024-06-11 14:20", profile="yichuan"), "rw.") == set()


def test_a_return_needs_its_direction() -> None:
    for reason, found in (("非本部门职责。", True), ("属房管所职责，建议转派房管所。", False)):
        verdict = judge(returned_at="2024-06-11 15:00", return_reason=reason)
        assert ("rw.wf.return_to" in ids(verdict)) == found


@pytest.mark.parametrize("profile", ["weifang", "yichuan", "sheshan", "tangqiao"])
def test_only_the_streets_own_rules_are_loaded(profile: str) -> None:
    rules = load_order_rules(profile)
    assert all(rule.source.document == rules.document for rule in rules.wording)
