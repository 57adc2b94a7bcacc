"""Working time: Chinese working days, public holidays and office hours.

Counting follows the Civil Code (民法典): the day on which a period starts is not counted (art.
201), and a period ends when business ends (art. 203). All moments are aware; results are in
Shanghai time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile

import chinese_calendar

from qc.filed import LOCAL

ONE_DAY = timedelta(days=1)
NOON = time(12)
LAST_SECOND = time(23, 59, 59)  # of a natural day
SATURDAY = 5
MOST_DAYS = 400  # counted between two moments; no rule reaches beyond a year


@dataclass(frozen=True)
class Calendar:
    """Working days and office hours of a street.

    `holidays` and `make_up_days` (调休上班) count only beyond the years of chinesecalendar.
    """

    opens: time = time(9)
    closes: time = time(17, 30)
    holidays: frozenset[date] = frozenset()
    make_up_days: frozenset[date] = frozenset()

    def is_published(self, day: date) -> bool:
        """Whether the State Council's arrangement for that day is in chinesecalendar."""
        return _published(day) is not None

    def is_working_day(self, day: date) -> bool:
        """Whether people work on that day; a guess where the arrangement is not known."""
        published = _published(day)
        if published is not None:
            return published
        return day in self.make_up_days or (day.weekday() < SATURDAY and day not in self.holidays)

    def days_after(self, day: date) -> Iterator[date]:
        """The working days after `day`, without end."""
        while True:
            day += ONE_DAY
            if self.is_working_day(day):
                yield day

    def closing(self, day: date) -> datetime:
        """When business ends on that day."""
        return datetime.combine(day, self.closes, LOCAL)


STANDARD = Calendar()


@dataclass(frozen=True)
class Deadline:
    """The last moment of a period; `provisional` where it rests on days not yet arranged."""

    at: datetime
    provisional: bool


def add_working_days(moment: datetime, days: int, calendar: Calendar = STANDARD) -> Deadline:
    """End of business on the `days`-th working day after the day of `moment`; `days` from 1."""
    if days < 1:
        raise ValueError("a period of working days has at least one")
    start = _local(moment).date()
    last = next(islice(calendar.days_after(start), days - 1, None))
    return _deadline(start, calendar.closing(last), calendar)


def add_natural_days(moment: datetime, days: int) -> Deadline:
    """End of the `days`-th calendar day after the day of `moment`; `days` from 1."""
    if days < 1:
        raise ValueError("a period of days has at least one")
    last = _local(moment).date() + days * ONE_DAY
    return Deadline(datetime.combine(last, LAST_SECOND, LOCAL), provisional=False)


def add_hours(moment: datetime, hours: float) -> Deadline:
    """Hours by the clock, day and night."""
    return Deadline(_local(moment) + timedelta(hours=hours), provisional=False)


def add_working_minutes(moment: datetime, minutes: int, calendar: Calendar = STANDARD) -> Deadline:
    """Minutes of office hours: what comes in at night starts in the morning; `minutes` from 0."""
    if minutes < 0:
        raise ValueError("a period has no negative length")
    left = timedelta(minutes=minutes)
    start = now = _office_time(_local(moment), calendar)
    while left > (closing := calendar.closing(now.date())) - now:
        left -= closing - now
        now = _opening(next(calendar.days_after(now.date())), calendar)
    return _deadline(start.date(), now + left, calendar)


def same_or_next_day(
    moment: datetime, evening: time, noon: time = NOON, calendar: Calendar = STANDARD
) -> Deadline:
    """For a morning of a working day `evening` of that day, else `noon` of the next working day."""
    start = _local(moment)
    if calendar.is_working_day(start.date()) and start.time() < NOON:
        return _deadline(start.date(), datetime.combine(start, evening, LOCAL), calendar)
    following = next(calendar.days_after(start.date()))
    return _deadline(start.date(), datetime.combine(following, noon, LOCAL), calendar)


def working_days_between(start: datetime, end: datetime, calendar: Calendar = STANDARD) -> int:
    """Working days from the day after `start` up to the day of `end`, at most `MOST_DAYS`.

    0 where `end` is before `start`.
    """
    last = _local(end).date()
    days = islice(calendar.days_after(_local(start).date()), MOST_DAYS)
    return sum(1 for _ in takewhile(lambda day: day <= last, days))


@lru_cache(maxsize=4096)
def _published(day: date) -> bool | None:
    try:
        return chinese_calendar.is_workday(day)
    except NotImplementedError:
        return None


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("moments must be aware")
    return moment.astimezone(LOCAL)


def _opening(day: date, calendar: Calendar) -> datetime:
    return datetime.combine(day, calendar.opens, LOCAL)


def _office_time(moment: datetime, calendar: Calendar) -> datetime:
    """`moment`, or the next opening where the office is closed."""
    day = moment.date()
    if calendar.is_working_day(day) and moment.time() < calendar.closes:
        return max(moment, _opening(day, calendar))
    return _opening(next(calendar.days_after(day)), calendar)


def _deadline(start: date, at: datetime, calendar: Calendar) -> Deadline:
    days = (at.date() - start).days
    guessed = any(not calendar.is_published(start + n * ONE_DAY) for n in range(days + 1))
    return Deadline(at, provisional=guessed)
