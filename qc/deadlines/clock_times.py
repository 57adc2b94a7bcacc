"""Times of day that a Chinese text names: 9:30, 9点半, 上午9时30分, 下午三点."""

import re
from collections.abc import Iterator
from datetime import time

import cn2an

from qc.text import simplify

_NUMERAL = r"\d{1,2}|[零〇一二两三四五六七八九十]{1,3}"
_PERIOD = "凌晨|清晨|早上|早晨|上午|中午|午间|下午|午后|傍晚|晚上|晚间|今早|今晚"
_AFTERNOON = {"下午", "午后", "傍晚", "晚上", "晚间", "今晚"}
_DATE = (
    r"(?:\d{4}\s*[-./年]\s*)?\d{1,2}\s*[-./月]\s*\d{1,2}(?!\d|\s*[:：点时])\s*[日号]?|\d{1,2}[日号]"
)
_TIME = re.compile(
    rf"(?P<date>{_DATE})?[\s,，T]*(?P<at>[于在])?\s*(?P<period>{_PERIOD})?\s*"
    rf"(?<![\d.])(?P<hour>{_NUMERAL})\s*"
    r"(?:[:：]\s*(?P<minute>\d{2})(?::\d{2})?(?!\d)"
    rf"|[点时](?:(?P<half>半)|(?P<quarter>[一三])刻|\s*(?P<spoken>{_NUMERAL})分?)?(?P<whole>整|钟)?)"
)
_BETWEEN = re.compile(r"[\s,，、;；和及与]*(?:分别)?(?:于|在)?")  # in a list of times
_UNTIL = re.compile(r"\s*(?:[-—–~～至到]|--)+\s*")  # the end of a call, not another call


def clock_times(text: str) -> tuple[tuple[str, time], ...]:
    """Every time that a text names, once each, in its order, with the date before it ("" if none).

    The second time of a range (9:30-9:35) is left out, and so are bare points of a list (以下三点).
    """
    found: list[tuple[str, time]] = []
    for named in _named_times(simplify(text)):
        if named not in found:
            found.append(named)
    return tuple(found)


def _named_times(text: str) -> Iterator[tuple[str, time]]:
    day, end = "", -1
    for match in _TIME.finditer(text):
        between = text[end : match.start()] if end >= 0 else None
        if between is not None and _UNTIL.fullmatch(between):
            end = match.end()
            continue
        listed = between is not None and _BETWEEN.fullmatch(between) is not None
        sure = match["minute"] or match["spoken"] or match["half"] or match["quarter"]
        placed = match["whole"] or match["period"] or match["date"] or match["at"]
        if not (sure or placed or listed):
            continue
        if (moment := _time(match)) is not None:
            day = re.sub(r"\s", "", match["date"]) if match["date"] else day
            end = match.end()
            yield day, moment


def _time(match: re.Match[str]) -> time | None:
    hour, minute = _number(match["hour"]), 0
    if match["minute"] or match["spoken"]:
        minute = _number(match["minute"] or match["spoken"])
    elif match["half"] or match["quarter"]:
        minute = 30 if match["half"] else 15 * _number(match["quarter"])
    if match["period"] in _AFTERNOON and hour < 12:
        hour += 12
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _number(numeral: str) -> int:
    if numeral.isdecimal():
        return int(numeral)
    try:
        return int(cn2an.cn2an(numeral.replace("两", "二").replace("〇", "零"), "smart"))
    except ValueError:
        return 99  # no number after all, so no time
