"""Chinese words for a day ahead, resolved against the day on which they were said."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.orders.due_dates import find_due

SAID_ON = date(2024, 6, 12)  # a Wednesday

DAYS = {
    "我明天上午派人去": date(2024, 6, 13),
    "后天给您答复": date(2024, 6, 14),
    "今晚或者明天打给您": date(2024, 6, 13),
    "周五前处理好": date(2024, 6, 14),
    "星期一给您回电": date(2024, 6, 17),
    "下周三开会": date(2024, 6, 19),
    "下下周一进场": date(2024, 6, 24),
    "三天内办好": date(2024, 6, 15),
    "一两天之内": date(2024, 6, 14),
    "两周之内": date(2024, 6, 26),
    "5个工作日内": date(2024, 6, 19),
    "五个工作日之内": date(2024, 6, 19),
    "本周内": date(2024, 6, 16),
    "月底之前": date(2024, 6, 30),
    "下个月中旬": date(2024, 7, 20),
    "十一月底之前": date(2024, 11, 30),
    "年底": date(2024, 12, 31),
    "明年三月之前": date(2025, 3, 31),
    "6月15号": date(2024, 6, 15),
    "六月十五日之前": date(2024, 6, 15),
    "15号之前": date(2024, 6, 15),
    "5号来装": date(2024, 7, 5),
    "这个月22号出来": date(2024, 6, 22),
    "半个月内": date(2024, 6, 27),
    "48小时内": date(2024, 6, 14),
}


@pytest.mark.parametrize(("words", "day"), DAYS.items())
def test_a_day_ahead_is_resolved(words: str, day: date) -> None:
    due = find_due(words, SAID_ON)
    assert due is not None
    assert due.day == day
    assert due.said in words


@pytest.mark.parametrize(
    "words",
    [
        *("尽快处理", "昨天去过", "上周三", "上个月底", "去年年底", "每周三下午", "105号602室"),
        *("3号楼", "2号线", "一周去两次", "二月三十日前", "七月三十五号", "我一直在", "拨打12345"),
    ],
)
def test_what_names_no_day_ahead_is_left_alone(words: str) -> None:
    assert find_due(words, SAID_ON) is None


def test_working_days_skip_the_holidays_and_work_the_make_up_days() -> None:
    # 2024-09-30 is followed by the National Day week; Saturday 12 October was a working day
    due = find_due("十个工作日内", date(2024, 9, 30))
    assert due is not None
    assert due.day == date(2024, 10, 18)
    assert not due.provisional


def test_working_days_of_a_year_without_a_calendar_are_provisional() -> None:
    due = find_due("五个工作日内", date(2090, 3, 1))
    assert due is not None and due.day is not None
    assert due.provisional


def test_without_the_day_of_the_call_the_words_are_kept() -> None:
    due = find_due("下周三给您回电", None)
    assert due is not None
    assert (due.said, due.day) == ("下周三", None)


@given(
    st.text(
        alphabet="下周礼拜星期一二三十两0123456789号日月底年天内前工作个小时明后今年或者",
        max_size=24,
    )
)
def test_any_words_give_a_sane_day_or_none(words: str) -> None:
    due = find_due(words, SAID_ON)
    if due is not None and due.day is not None and "年" not in words:
        assert abs(due.day - SAID_ON) < timedelta(days=366 * 90)
