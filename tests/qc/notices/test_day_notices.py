"""Repeats and cases of one kind on one day."""

from datetime import date, datetime, timedelta

import pytest

from qc.filed import LOCAL
from qc.notices.day_notices import CaseOfDay, is_repeat, notices_for_day, same_matter
from qc.notices.rules import Level, Recipient, load_notice_rules

DAY = date(2024, 6, 11)
NINE = datetime(2024, 6, 11, 9, tzinfo=LOCAL)


def case(number: int, **changes: str) -> CaseOfDay:
    filed = {"department": "城管中队", "issue": "烧烤店油烟扰民", "address": "塘桥新路120弄8号"}
    return CaseOfDay(f"T-{number:03}", NINE + timedelta(minutes=number), **(filed | changes))


def cases(count: int) -> list[CaseOfDay]:
    return [case(n, petitioner=f"市民{n}", address=f"塘桥新路120弄{n}号") for n in range(count)]


@pytest.mark.parametrize(
    ("count", "rule"),
    [(4, None), (5, "nt.repeats_yellow"), (9, "nt.repeats_yellow"), (10, "nt.repeats_red")],
)
def test_tangqiao_warns_yellow_at_five_and_red_at_ten(count: int, rule: str | None) -> None:
    notices = notices_for_day(cases(count), load_notice_rules("tangqiao"), DAY)
    assert [notice.rule_id for notice in notices] == ([rule] if rule else [])


def test_yellow_goes_to_head_and_leader_and_red_to_the_main_leader_too() -> None:
    rules = load_notice_rules("tangqiao")
    (yellow,) = notices_for_day(cases(5), rules, DAY)
    (red,) = notices_for_day(cases(12), rules, DAY)
    assert yellow.recipients == (Recipient.DEPARTMENT_HEAD, Recipient.LEADER_IN_CHARGE)
    assert Recipient.MAIN_LEADER in red.recipients
    assert red.level is Level.WARN
    assert "重复工单已达 12 件" in red.text and "等 12 件" in red.text
    assert red.departments == ("城管中队",)


def test_a_growing_group_stays_one_event_until_the_next_level() -> None:
    rules = load_notice_rules("tangqiao")
    ids = [notices_for_day(cases(n), rules, DAY)[0].event_id for n in (5, 7, 10, 11)]
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_yichuan_reports_five_cases_of_one_kind_wherever_they_are() -> None:
    spread = [case(n, address=f"宜川{n}村") for n in range(5)]
    (notice,) = notices_for_day(spread, load_notice_rules("yichuan"), DAY)
    assert notice.rule_id == "nt.same_kind"
    assert notice.recipients == (Recipient.LEADER_IN_CHARGE,)
    assert notice.source.clause == "三、（六）"
    assert notices_for_day(spread, load_notice_rules("tangqiao"), DAY) == ()


def test_other_days_and_streets_without_such_a_rule_are_quiet() -> None:
    assert notices_for_day(cases(12), load_notice_rules("tangqiao"), date(2024, 6, 12)) == ()
    assert notices_for_day(cases(12), load_notice_rules("weifang"), DAY) == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("烧烤店油烟扰民", "反映烧烤店油烟扰民问题", True),
        ("烧烤店油烟扰民", "垃圾清运不及时", False),
        ("楼上装修噪音扰民", "烧烤店油烟扰民", False),
        ("噪音", "楼上装修噪音扰民", False),  # too short to tell
        ("", "", False),
    ],
)
def test_a_matter_is_known_by_its_words(one: str, other: str, same: bool) -> None:
    assert same_matter(case(1, issue=one), case(2, issue=other)) is same


def test_the_topic_of_the_platform_decides() -> None:
    one = case(1, issue="烧烤店油烟扰民", topic="餐饮油烟")
    assert same_matter(one, case(2, issue="饭店排烟太大", topic="餐饮油烟"))
    assert not same_matter(one, case(2, issue="烧烤店油烟扰民", topic="占道经营"))


@pytest.mark.parametrize(
    ("address", "petitioner", "repeat"),
    [
        ("塘桥新路一百二十弄9号", "", True),
        ("塘桥新路350弄8号", "", False),
        ("南泉路120弄8号", "", False),
        ("南泉路350弄8号", "王建国", True),
        ("", "", False),
    ],
)
def test_a_repeat_has_the_same_place_or_petitioner(
    address: str, petitioner: str, repeat: bool
) -> None:
    one = case(1, petitioner="王建国")
    assert is_repeat(one, case(2, address=address, petitioner=petitioner)) is repeat


def test_the_matter_is_shown_without_personal_data() -> None:
    issue = "王建国反映烧烤店油烟扰民，请回电13812345678"
    group = [case(n, issue=issue, petitioner="王建国") for n in range(5)]
    (notice,) = notices_for_day(group, load_notice_rules("tangqiao"), DAY)
    for secret in ("13812345678", "建国"):
        assert secret not in notice.text + notice.title
