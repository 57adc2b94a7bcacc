"""Daily, weekly and monthly digests, and interviews of the last three."""

from dataclasses import replace
from datetime import date

import pytest

from qc.catalogue import profile_names
from qc.notices.digests import DigestFigures, OrderList, digest, interviews
from qc.notices.rules import Level, Period, Recipient, load_notice_rules
from qc.notices.text import MAX_BYTES

WEEK = DigestFigures(
    period=Period.WEEK,
    since=date(2024, 6, 10),
    until=date(2024, 6, 16),
    figures=(("先行联系率", "98.5%"), ("按期完成率", "100%"), ("满意率", "—")),
    ranked_by="满意率",
    ranking=(("城管中队", "100%"), ("房管所", "92.0%"), ("市容所", "85.0%"), ("居委会", "80.0%")),
    last_three=("居委会", "市容所", "房管所"),
    orders=(OrderList("未先行联系", ("T-1", "T-2")), OrderList("疑难工单", ())),
)


@pytest.mark.parametrize("profile", profile_names())
@pytest.mark.parametrize("period", Period)
def test_every_street_has_every_digest(profile: str, period: Period) -> None:
    notice = digest(replace(WEEK, period=period), load_notice_rules(profile))
    assert notice.recipients
    assert "先行联系率：98.5%" in notice.text


def test_a_digest_shows_figures_ranking_the_last_three_and_the_orders() -> None:
    text = digest(WEEK, load_notice_rules("tangqiao")).with_link("")
    assert text.splitlines() == [
        "【浦东新区塘桥街道】热线周报（2024-06-10 至 2024-06-16）",
        "先行联系率：98.5%",
        "按期完成率：100%",
        "满意率：—",
        "满意率排名：",
        "1. 城管中队 100%",
        "2. 房管所 92.0%",
        "3. 市容所 85.0%",
        "4. 居委会 80.0%",
        "末三位：居委会、市容所、房管所",
        "未先行联系 2 件：T-1、T-2",
        "疑难工单 0 件",
        "依据：浦塘办〔2023〕28号 四、（二）6",
    ]


def test_tangqiao_copies_the_monthly_ranking_to_the_discipline_inspection() -> None:
    month = replace(WEEK, period=Period.MONTH)
    assert Recipient.DISCIPLINE in digest(month, load_notice_rules("tangqiao")).recipients
    assert Recipient.DISCIPLINE not in digest(month, load_notice_rules("weifang")).recipients


def test_weifang_reports_daily_to_the_main_leader() -> None:
    notice = digest(replace(WEEK, period=Period.DAY), load_notice_rules("weifang"))
    assert Recipient.MAIN_LEADER in notice.recipients
    assert notice.level is Level.REPORT


def test_a_period_is_one_event_whatever_its_figures() -> None:
    rules = load_notice_rules("tangqiao")
    again = replace(WEEK, figures=())
    next_week = replace(WEEK, since=date(2024, 6, 17), until=date(2024, 6, 23))
    assert digest(WEEK, rules).event_id == digest(again, rules).event_id
    assert digest(WEEK, rules).event_id != digest(next_week, rules).event_id


def test_a_long_ranking_is_cut_so_that_the_last_three_still_stand() -> None:
    many = tuple((f"第{n}居民区社区治理和综合管理办公室", "90.0%") for n in range(80))
    notice = digest(replace(WEEK, ranking=many), load_notice_rules("tangqiao"))
    assert len(notice.with_link("https://h.test/" + "x" * 280).encode()) <= MAX_BYTES
    assert "末三位：居委会、市容所、房管所" in notice.text
    assert "其余" in notice.text


def test_sheshan_interviews_the_last_three_and_after_three_months_the_main_leader_does() -> None:
    running, values = {"居委会": 1, "市容所": 3}, {"居委会": "80.0%", "市容所": "85.0%"}
    first, third = interviews(running, values, date(2025, 6, 30), load_notice_rules("sheshan"))
    assert first.level is third.level is Level.INTERVIEW
    assert Recipient.LEADER_IN_CHARGE in first.recipients
    assert Recipient.MAIN_LEADER in third.recipients
    assert "连续 3 个月" in third.text and "85.0%" in third.text
    assert interviews(running, values, date(2025, 6, 30), load_notice_rules("weifang")) == ()
