"""Working days, public holidays and office hours."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc.deadlines.timing import load_timing
from qc.deadlines.working_time import (
    STANDARD,
    Calendar,
    add_hours,
    add_natural_days,
    add_working_days,
    add_working_minutes,
    same_or_next_day,
    working_days_between,
)
from qc.filed import LOCAL

MOMENTS = st.datetimes(datetime(2004, 1, 1), datetime(2030, 12, 31), timezones=st.just(LOCAL))
DAYS = st.integers(1, 30)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LOCAL)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("moment", "days", "due"),
    [
        (at(2024, 6, 11, 9), 1, at(2024, 6, 12, 17, 30)),
        (at(2024, 6, 14, 23), 1, at(2024, 6, 17, 17, 30)),  # Friday night
        (at(2024, 6, 15, 10), 1, at(2024, 6, 17, 17, 30)),  # Saturday
        (at(2024, 6, 7, 9), 1, at(2024, 6, 11, 17, 30)),  # the Dragon Boat Monday
        (at(2025, 12, 31, 9), 1, at(2026, 1, 4, 17, 30)),  # the make-up Sunday
        (at(2024, 9, 30, 9), 5, at(2024, 10, 12, 17, 30)),  # National Day, make-up Saturday 12th
        (at(2026, 9, 30, 9), 2, at(2026, 10, 9, 17, 30)),
    ],
)
def test_working_days_are_those_of_the_state_council(
    moment: datetime, days: int, due: datetime
) -> None:
    deadline = add_working_days(moment, days)
    assert deadline.at == due
    assert not deadline.provisional


def test_a_deadline_beyond_the_published_years_is_provisional() -> None:
    calendar = load_timing("weifang").calendar
    deadline = add_working_days(at(2026, 12, 30, 9), 2, calendar)
    assert deadline.at == at(2027, 1, 4, 17, 30)  # New Year's Day of the list, then a weekend
    assert deadline.provisional
    assert not add_working_days(at(2026, 12, 30, 9), 1, calendar).provisional


def test_a_street_may_list_make_up_days_of_later_years() -> None:
    calendar = Calendar(make_up_days=frozenset({date(2027, 1, 3)}))
    assert calendar.is_working_day(date(2027, 1, 3))
    assert not STANDARD.is_working_day(date(2027, 1, 3))


def test_the_list_of_holidays_never_overrules_what_is_published() -> None:
    assert Calendar(holidays=frozenset({date(2026, 1, 5)})).is_working_day(date(2026, 1, 5))


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (at(2026, 1, 5, 10), at(2026, 1, 5, 10, 30)),
        (at(2026, 1, 5, 7), at(2026, 1, 5, 9, 30)),  # before opening
        (at(2026, 1, 5, 17, 20), at(2026, 1, 6, 9, 20)),  # over night
        (at(2026, 1, 5, 17, 0), at(2026, 1, 5, 17, 30)),
        (at(2026, 1, 3, 12), at(2026, 1, 4, 9, 30)),  # a day of rest
    ],
)
def test_minutes_count_while_the_office_is_open(moment: datetime, due: datetime) -> None:
    assert add_working_minutes(moment, 30).at == due


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (at(2024, 6, 11, 11, 59), at(2024, 6, 11, 17)),
        (at(2024, 6, 11, 12), at(2024, 6, 12, 12)),
        (at(2024, 6, 14, 15), at(2024, 6, 17, 12)),  # Friday afternoon
        (at(2024, 6, 15, 9), at(2024, 6, 17, 12)),  # Saturday morning
    ],
)
def test_a_morning_is_due_in_the_evening_and_all_else_at_the_next_noon(
    moment: datetime, due: datetime
) -> None:
    assert same_or_next_day(moment, time(17)).at == due


def test_natural_days_count_weekends_and_hours_count_nights() -> None:
    assert add_natural_days(at(2024, 6, 14, 9), 3).at == at(2024, 6, 17, 23, 59, 59)
    assert add_hours(at(2024, 6, 14, 20), 20).at == at(2024, 6, 15, 16)


def test_moments_of_other_zones_are_taken_to_shanghai() -> None:
    assert add_working_days(datetime(2024, 6, 11, 16, tzinfo=UTC), 1).at == at(2024, 6, 13, 17, 30)


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(ValueError):
        add_working_days(datetime(2024, 6, 11), 1)


def test_working_days_between_leaves_out_the_first_day() -> None:
    assert working_days_between(at(2024, 6, 7, 9), at(2024, 6, 11, 9)) == 1
    assert working_days_between(at(2024, 6, 11, 9), at(2024, 6, 11, 18)) == 0
    assert working_days_between(at(2024, 6, 12), at(2024, 6, 11)) == 0


@given(MOMENTS, DAYS)
def test_a_deadline_is_never_before_its_start(moment: datetime, days: int) -> None:
    assert add_working_days(moment, days).at > moment
    assert add_natural_days(moment, days).at > moment
    assert add_working_minutes(moment, days).at >= moment
    assert same_or_next_day(moment, time(17)).at > moment


@given(MOMENTS, DAYS)
def test_more_days_are_never_due_earlier(moment: datetime, days: int) -> None:
    assert add_working_days(moment, days).at < add_working_days(moment, days + 1).at
    assert add_working_minutes(moment, days).at <= add_working_minutes(moment, days + 1).at


@given(MOMENTS, st.integers(0, 200), DAYS)
def test_what_starts_later_is_never_due_earlier(moment: datetime, hours: int, days: int) -> None:
    later = moment + timedelta(hours=hours)
    assert add_working_days(moment, days).at <= add_working_days(later, days).at
    assert add_working_minutes(moment, days).at <= add_working_minutes(later, days).at
    assert same_or_next_day(moment, time(17)).at <= same_or_next_day(later, time(17)).at


@given(MOMENTS, DAYS)
def test_counting_back_gives_the_days_that_were_added(moment: datetime, days: int) -> None:
    assert working_days_between(moment, add_working_days(moment, days).at) == days
