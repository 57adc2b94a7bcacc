"""By which day: 明天, 周五前, 三天内, 5个工作日内, 月底 … resolved against the day they were said.

JioNLP 1.5.31 was tried first: it knows no 月底, takes 两周之内 for two days and 星期一 for last
Monday, and prints a banner on import.
"""

import calendar
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from qc.deadlines.working_time import STANDARD
from qc.slots import with_digits
from qc.text import NUMERAL, simplify

WEEKDAYS = {**{str(n): n - 1 for n in range(1, 7)}, "日": 6, "天": 6}
DAYS_AHEAD = {"今": 0, "当": 0, "明": 1, "明后": 2, "后": 2, "大后": 3}
FAR = timedelta(days=180)  # a day so long ago is next year's
MOST_WORKING_DAYS = 366
# 一两天: two numerals that are no number; the later one counts.
_ABOUT = re.compile(
    "[一二两三四五六七八九](?=[二两三四五六七八九]个?(?:天|日|工作日|周|礼拜|星期|月))"
)
_EITHER = re.compile(  # 今晚或者明天: the later counts
    "(?:(?:今|明|后)(?:天|晚)|(?:周|礼拜|星期)[一二三四五六日天])"
    "(?:上午|下午|中午|晚上)?(?:或者?|要么|还是)(?=[今明后周礼星下])"
)
_NUMBER = f"[0-9{NUMERAL}]+"
_NOT_PAST = "(?<![上每去])(?<![上每]个)"
_WEEK = "(?:周|礼拜|星期)"
_NO_HOUSE = "(?![0-9楼线机口门店桩井弄院梯地室房码栋幢单])"


@dataclass(frozen=True)
class Due:
    """A day by which something is to happen; `day` is None where the day of the call is unknown."""

    said: str
    day: date | None
    provisional: bool = False  # counted without the holidays of a year that is not published yet


def find_due(text: str, said_on: date | None) -> Due | None:
    """The first day or span that a sentence names as lying ahead; None where it names none.

    “前” and “内” count the last day in. Spans are resolved to their last day, 上旬 and 月初 to the
    10th. Vague words (尽快, 近期, 过几天) name no day.
    """
    words = with_digits(_ABOUT.sub("", _EITHER.sub("", text)))
    found = [
        (match.start(), -match.end(), match, resolve)
        for pattern, resolve in _PATTERNS
        if (match := pattern.search(words))
    ]
    for _, _, match, resolve in sorted(found, key=lambda item: item[:2]):
        said = _as_said(match.group(), text)
        if said_on is None:
            return Due(said, None)
        resolved = resolve(match, said_on)
        if resolved is not None:
            day, provisional = resolved
            return Due(said, day, provisional)
    return None


def _as_said(words: str, text: str) -> str:
    """The words as they stand in the text, with its own numerals."""
    pattern = re.sub(r"\d+", lambda _: _NUMBER, re.escape(words.strip()))
    match = re.search(pattern, simplify(text))
    return match.group() if match else words.strip()


Resolved = tuple[date, bool] | None
Resolver = Callable[[re.Match[str], date], Resolved]


def _sure(resolve: Callable[[re.Match[str], date], date | None]) -> Resolver:
    def resolved(match: re.Match[str], said_on: date) -> Resolved:
        try:
            day = resolve(match, said_on)
        except (ValueError, OverflowError):  # 2月30日
            return None
        return None if day is None else (day, False)

    return resolved


def _month_day(match: re.Match[str], said_on: date) -> date:
    year, month, day = match["year"], int(match["month"]), int(match["day"])
    if year:
        return date(int(year), month, day)
    named = date(said_on.year, month, day)
    return named.replace(year=named.year + 1) if said_on - named > FAR else named


def _day_of_month(match: re.Match[str], said_on: date) -> date:
    months = 1 if match["next"] else 0
    day = int(match["day"])
    if not match["next"] and not match["this"] and day < said_on.day:
        months = 1
    year, month = _month_later(said_on, months)
    return date(year, month, day)


def _month_later(day: date, months: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + months, 12)
    return day.year + years, month + 1


def _in_month(match: re.Match[str], said_on: date) -> date:
    """月底, 下个月中旬, 9月份, 明年3月: the last day of what is named."""
    year, month = said_on.year, said_on.month
    if match["month"]:
        month = int(match["month"])
        ahead = month < said_on.month
        year += 1 if match["year"] == "明年" or ahead else 0
    elif match["next"]:
        year, month = _month_later(said_on, len(match["next"]))
    part = match["part"] or ""
    if part in ("初", "上旬"):
        return date(year, month, 10)
    if part == "中旬":
        return date(year, month, 20)
    return date(year, month, calendar.monthrange(year, month)[1])


def _weekday(match: re.Match[str], said_on: date) -> date:
    monday = said_on - timedelta(days=said_on.weekday())
    day = monday + timedelta(days=WEEKDAYS[match["day"]], weeks=len(match["next"] or ""))
    if not match["next"] and not match["this"] and day < said_on:
        day += timedelta(weeks=1)
    return day


def _whole_week(match: re.Match[str], said_on: date) -> date:
    sunday = said_on + timedelta(days=6 - said_on.weekday())
    return sunday + timedelta(weeks=len(match["next"] or ""))


def _span(match: re.Match[str], said_on: date) -> date:
    count, unit = int(match["count"] or 0), match["unit"]
    if unit == "小时":
        return said_on + timedelta(hours=count)
    if unit == "月":
        year, month = _month_later(said_on, count)
        return date(year, month, min(said_on.day, calendar.monthrange(year, month)[1]))
    return said_on + timedelta(days=count * (7 if unit in ("周", "礼拜", "星期") else 1))


def _working_days(match: re.Match[str], said_on: date) -> Resolved:
    count = int(match["count"])
    if not 1 <= count <= MOST_WORKING_DAYS:
        return None
    last = next(itertools.islice(STANDARD.days_after(said_on), count - 1, None))
    return last, not STANDARD.is_published(last)


_PATTERNS: tuple[tuple[re.Pattern[str], Resolver], ...] = (
    (
        re.compile(
            r"(?:(?P<year>\d{4})年 ?)?(?P<month>\d{1,2})月份? ?(?P<day>\d{1,2})[号日]" + _NO_HOUSE
        ),
        _sure(_month_day),
    ),
    (
        re.compile(
            r"(?:(?P<next>下个?月)|(?P<this>(?:这个|本|这)月))(?P<day>\d{1,2})[号日]" + _NO_HOUSE
        ),
        _sure(_day_of_month),
    ),
    (
        re.compile(
            r"(?P<next>)(?P<this>)(?<![\d月])(?P<day>\d{1,2})[号日]"
            r"(?=之?以?前|上午|下午|中午|晚|早|左右|会?[到来去开装送修给再做约发寄施进]|那天| |$)"
        ),
        _sure(_day_of_month),
    ),
    (
        re.compile("(?P<ahead>大后|明后|明|后|今|当)(?:天|日|早(?!上好)|晚)"),
        _sure(lambda match, said_on: said_on + timedelta(days=DAYS_AHEAD[match["ahead"]])),
    ),
    (
        re.compile(
            f"{_NOT_PAST}(?P<next>下+)?(?P<this>这|本)?个?{_WEEK}(?P<day>[1-6日天])(?![0-9个天次])"
        ),
        _sure(_weekday),
    ),
    (
        re.compile(f"(?:(?P<next>下+)个?{_WEEK}|(?:这个?|本)(?:{_WEEK})|{_WEEK}末)(?!\\d|前|1)末?"),
        _sure(lambda match, said_on: _whole_week(match, said_on)),
    ),
    (re.compile(r"(?P<count>\d+)个?工作日"), _working_days),
    (
        re.compile(
            r"(?<!\d)(?P<count>\d{1,3})个?(?P<unit>天|日|周|礼拜|星期|月|小时)"
            "(?=之?以?内|之?以?后|里|左右|时间|就|可以|能)"
        ),
        _sure(_span),
    ),
    (re.compile(r"(?:过|这)(?P<count>[1-5])(?P<unit>天)"), _sure(_span)),
    (
        re.compile("半个月(?=之?以?内|之?以?后|里|左右|时间)"),
        _sure(lambda _, said_on: said_on + timedelta(days=15)),
    ),
    (
        re.compile(
            r"(?P<year>明年)?(?:(?<![\d年])|(?<=明年))(?P<month>1[0-2]|[1-9])月份?(?P<part>底|初|上旬|中旬|下旬)?"
            r"(?=之?以?前|左右|就|会|开|能|可以|的?时候|再|进|$| )(?P<next>)"
        ),
        _sure(_in_month),
    ),
    (
        re.compile(
            "(?P<year>)(?P<month>)(?<!上)(?<!上个)(?:(?P<next>下)个?月|这个?月|本月|月(?=底|末))份?(?!\\d)(?P<part>底|末|初|上旬|中旬|下旬)?"
        ),
        _sure(_in_month),
    ),
    (
        re.compile("(?<!去)(?<!去年)(?P<next>明)?年(?:底|末)"),
        _sure(lambda match, said_on: date(said_on.year + bool(match["next"]), 12, 31)),
    ),
)
