"""Calls that nobody answered, and 答复要点 of replies that reached nobody."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.deadlines.clock_times import clock_times
from qc.deadlines.missed_calls import attempts_completed_at, check_attempts
from qc.deadlines.timing import load_timing
from qc.filed import LOCAL, CallAttempt, Filing
from qc.order import CallKind

FIRST, REPLY = CallKind.FIRST_CONTACT, CallKind.REPLY


def missed(*times: str, kind: CallKind = FIRST, **changes: Any) -> tuple[CallAttempt, ...]:
    return tuple(
        CallAttempt.model_validate({"at": f"2024-06-{text}", "kind": kind} | changes)
        for text in times
    )


def found(profile: str, attempts: tuple[CallAttempt, ...], **filed: Any) -> list[str]:
    filing = Filing(attempts=attempts, **filed)
    return [finding.id for finding in check_attempts(filing, load_timing(profile))]


SMS = missed("11 15:00", channel="sms")
CALLS = [
    # Weifang: three within one day at different times.
    ("weifang", missed("11 09:00", "11 11:00", "11 15:00"), []),
    ("weifang", missed("11 15:00", "11 09:00", "11 11:00"), []),  # as filed, in no order
    ("weifang", missed("11 09:00", "11 15:00"), ["mc.count"]),
    ("weifang", missed("11 09:00", "11 09:01", "11 09:02"), ["mc.gap"]),
    ("weifang", missed("11 09:00", "11 15:00", "12 09:00"), ["mc.window"]),
    ("weifang", missed("11 17:00", "12 09:00", "12 10:00", "12 15:00"), []),
    # Yichuan Road: three, half an hour apart, and a text message.
    ("yichuan", missed("11 09:00", "11 09:30", "12 10:00") + SMS, []),
    ("yichuan", missed("11 09:00", "11 09:29", "11 09:58") + SMS, ["mc.gap"]),
    ("yichuan", missed("11 09:00", "11 09:30", "11 10:00"), ["mc.message"]),
    ("yichuan", missed("11 09:00"), ["mc.count", "mc.message"]),
    # Sheshan: three, an hour apart, within one working day.
    ("sheshan", missed("11 15:00", "11 16:00", "12 09:00"), []),
    ("sheshan", missed("11 09:00", "11 09:40", "11 10:20"), ["mc.gap"]),
    ("sheshan", missed("11 09:00", "11 09:40", "11 10:20", "11 11:20"), []),
    ("sheshan", missed("11 09:00", "12 09:00", "13 09:00"), ["mc.window"]),
    ("sheshan", missed("14 16:00", "17 09:00", "17 10:00"), []),  # over a weekend
    ("tangqiao", missed("11 09:00"), []),  # no rule in its document
]


@pytest.mark.parametrize(("profile", "attempts", "expected"), CALLS)
def test_missed_calls_are_checked_as_the_street_asks(
    profile: str, attempts: tuple[CallAttempt, ...], expected: list[str]
) -> None:
    assert found(profile, attempts) == expected


def test_a_finding_shows_the_calls_and_the_words_of_the_rule() -> None:
    filing = Filing(attempts=missed("11 09:00", "11 15:00"))
    (finding,) = check_attempts(filing, load_timing("weifang"))
    assert "只拨打了 2 次" in finding.text
    assert "1日内不同时间段拨打 3次或以上" in finding.text
    assert [quote.text for quote in finding.quotes] == [
        "2024-06-11 09:00 未接通",
        "2024-06-11 15:00 未接通",
    ]


def test_how_far_apart_is_left_to_a_person_where_the_document_has_no_figure() -> None:
    filing = Filing(attempts=missed("11 09:00", "11 09:10", "11 09:20"))
    (weifang,) = check_attempts(filing, load_timing("weifang"))
    (sheshan,) = check_attempts(filing, load_timing("sheshan"))
    assert weifang.doubt and not sheshan.doubt


def test_an_answered_call_ends_the_matter() -> None:
    answered = missed("11 09:00") + missed("11 09:05", answered=True)
    assert found("weifang", answered) == []


def test_a_contact_filed_after_the_missed_calls_ends_the_matter() -> None:
    contacted = datetime(2024, 6, 11, 16, tzinfo=LOCAL)
    assert found("weifang", missed("11 09:00"), first_contact_at=contacted) == []


def test_a_missed_call_filed_as_first_contact_is_still_a_missed_call() -> None:
    tried = datetime(2024, 6, 11, 9, 1, tzinfo=LOCAL)
    assert found("weifang", missed("11 09:00"), first_contact_at=tried) == ["mc.count"]


SUMMARIES = [
    ("6月11日9:30、11:00、15:20三次致电市民，均无人接听。", []),
    ("于6月11日上午9时30分、11点、下午3点一刻联系未果。", []),
    ("分别于九点半、十一点二十、下午三点联系，无人接听", []),
    ("2024-06-11 09:30，2024-06-11 14:00，2024-06-12 09:30 联系未果", []),
    ("多次联系市民未果。", ["mc.times"]),
    ("6月11日9:30联系市民未果，10:30再次联系未果。", ["mc.times"]),
    ("9:30联系未果，9:30又联系未果，九点半再联系未果。", ["mc.times"]),
    ("现回复以下三点，联系未果。", ["mc.times"]),
    ("9:30-9:32、10:40-10:41联系未果", ["mc.times"]),  # two calls, not four
    ("市民对处理结果满意。", []),
]


@pytest.mark.parametrize(("summary", "expected"), SUMMARIES)
def test_a_reply_that_reached_nobody_names_its_three_times(
    summary: str, expected: list[str]
) -> None:
    assert found("weifang", (), reply_summary=summary) == expected


def test_missed_replies_without_a_summary_lack_their_times() -> None:
    attempts = missed("13 09:00", "13 11:00", "13 15:00", kind=REPLY)
    assert found("weifang", attempts) == ["mc.times"]
    assert found("yichuan", attempts) == ["mc.message"]
    assert found("sheshan", attempts) == []


WRITTEN = [
    ("9:30", [time(9, 30)]),
    ("９：３０", [time(9, 30)]),
    ("09:30:15", [time(9, 30)]),
    ("9点半", [time(9, 30)]),
    ("上午9时30分", [time(9, 30)]),
    ("下午三点二十", [time(15, 20)]),
    ("晚上8点", [time(20)]),
    ("十二点一刻", [time(12, 15)]),
    ("2024/6/11 9:05", [time(9, 5)]),
    ("下午3點", [time(15)]),  # Traditional
    ("分别于9点、10点、11点拨打", [time(9), time(10), time(11)]),
    ("以上2点建议，3小时后上门", []),
    ("25:00、10:75", []),
    ("比例为1:3", []),
    ("沪府办发〔2022〕26号", []),
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN)
def test_times_are_read_however_they_are_written(text: str, expected: list[time]) -> None:
    assert [moment for _, moment in clock_times(text)] == expected


@given(st.text(alphabet="0123456789:：点时分半刻一二三上下午晚月日-.、，于在 ", max_size=60))
def test_any_text_has_only_real_times(text: str) -> None:
    named = clock_times(text)
    assert len(named) == len(set(named))


@given(st.lists(st.integers(0, 3000), max_size=8), st.sampled_from(["weifang", "sheshan"]))
def test_more_calls_never_undo_a_complete_series(minutes: list[int], profile: str) -> None:
    start = datetime(2024, 6, 11, 9, tzinfo=LOCAL)
    calls = [CallAttempt(at=start + timedelta(minutes=m)) for m in minutes]
    timing = load_timing(profile)
    done = attempts_completed_at(Filing(attempts=tuple(calls[:-1])), FIRST, timing)
    more = attempts_completed_at(Filing(attempts=tuple(calls)), FIRST, timing)
    assert done is None or (more is not None and more <= done)
