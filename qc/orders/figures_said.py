"""Days and amounts in a text, so that what was filed can be held against what was said."""

import re
from dataclasses import dataclass
from datetime import date

from qc.slots import with_digits

_DAY = re.compile(
    r"(?:(?<!\d)(?P<year>20\d\d)[年\s])?(?:(?<!\d)(?P<month>\d{1,2})(?:月份? ?| ))?"
    r"(?<!\d)(?P<day>\d{1,2})[号日](?!\d\d|\d[号弄室楼]|[楼线机口门店桩井弄院梯地室房码栋幢单])"
    r"(?!.{0,4}(?:反映|反应|投诉|打|来电|报的|提的|说|讲|咨询|建议))"  # the day of the report
)
# Units in which a report counts what was done; the same unit in the call is about the same thing
# only where the words around it agree (see qc/orders/claims.py).
UNITS = (
    "元|块|万元|平方米|平方|平米|分贝|棵|辆|处|户|盏|台|块|个|张|份|次|趟|家|根|株|车|袋|吨|公斤"
)
_AMOUNT = re.compile(
    rf"(?<![\d点])(?P<value>\d+(?:点\d+)?) ?(?:个(?=平))?(?P<unit>{UNITS})(?![月星礼工小])"
)
_DECIMAL = re.compile(r"(?<=\d)[.．](?=\d)")
_SAME_UNIT = {"块钱": "元", "平方": "平方米", "平米": "平方米", "趟": "次", "株": "棵"}


@dataclass(frozen=True)
class DaySaid:
    """A day of the month, with its month where that was said."""

    month: int | None
    day: int

    def agrees(self, other: "DaySaid") -> bool:
        """Whether both may be the same day: 11号 may be any month's."""
        return self.day == other.day and (
            self.month is None or other.month is None or self.month == other.month
        )

    def before(self, said_on: date) -> date | None:
        """The last such day up to `said_on`."""
        year, month = said_on.year, self.month or said_on.month
        if (month, self.day) > (said_on.month, said_on.day):
            if self.month is None:
                year, month = (year, month - 1) if month > 1 else (year - 1, 12)
            else:
                year -= 1
        try:
            return date(year, month, self.day)
        except ValueError:
            return None


@dataclass(frozen=True)
class AmountSaid:
    value: float
    unit: str


def days_said(text: str) -> list[DaySaid]:
    """Days of a month: 6月11号, 六月十一日, 11号."""
    return [
        DaySaid(int(m["month"]) if m["month"] else None, int(m["day"]))
        for m in _DAY.finditer(_digits(text))
        if 1 <= int(m["day"]) <= 31 and (not m["month"] or 1 <= int(m["month"]) <= 12)
    ]


def amounts_said(text: str) -> list[AmountSaid]:
    """Numbers with a unit: 三处, 58分贝, 1200元."""
    return [
        AmountSaid(float(m["value"].replace("点", ".")), _SAME_UNIT.get(m["unit"], m["unit"]))
        for m in _AMOUNT.finditer(_digits(text))
    ]


def _digits(text: str) -> str:
    """`with_digits`, with 廿 and 卅 read and the decimal point kept as 点."""
    return with_digits(_DECIMAL.sub("点", text.replace("廿", "二十").replace("卅", "三十")))
