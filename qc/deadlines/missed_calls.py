"""Calls that nobody answered, and replies that reached nobody: did the department try enough?

Only where the petitioner was not reached; where the street has no rule, nothing is found.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from qc.deadlines.clock_times import clock_times
from qc.deadlines.timing import Attempts, Timing
from qc.deadlines.working_time import Calendar, add_working_days
from qc.filed import CallAttempt, Filing
from qc.order import KIND_TITLES, CallKind
from qc.orders.finding import OrderFinding, OrderQuote, filed

SAME_CALL = timedelta(minutes=2)  # a filed time this close to a missed call is that call's time
_UNREACHED = re.compile(
    "未果|无人接|没人接|未接|不接|拒接|打不通|接不通|未接通|未打通|没打通|无法接通|联系不上|没联系上"
    "|未能?联系上|无法联系|未能联系|关机|停机|空号|占线"
)
MESSAGE_DOUBT = "诉求人留的不是手机号的，无需发短信"


def check_attempts(filing: Filing, timing: Timing) -> tuple[OrderFinding, ...]:
    """What is wrong with the attempts of an order whose petitioner was not reached.

    Findings: `mc.count` too few calls, `mc.gap` too close to each other, `mc.window` not within the
    time allowed, `mc.message` no text message, `mc.times` 答复要点 without the times of the calls.
    """
    found: list[OrderFinding] = []
    for kind in CallKind:
        if (rule := timing.attempts_for(kind)) is None:
            continue
        missed = missed_calls(filing, kind)
        if missed:
            found += _calls(missed, rule, timing.calendar, kind)
            found += _message(filing, missed, rule, kind)
        if kind is CallKind.REPLY and (missed or reply_reached_nobody(filing)):
            found += _times(filing, rule)
    return tuple(found)


def missed_calls(filing: Filing, kind: CallKind) -> tuple[CallAttempt, ...]:
    """The calls of a kind, in time, where none of them and no later one reached the petitioner."""
    calls = [a for a in filing.attempts if a.kind is kind and a.channel == "phone"]
    calls.sort(key=lambda attempt: attempt.at)
    if not calls or any(attempt.answered for attempt in calls):
        return ()
    done = filing.first_contact_at if kind is CallKind.FIRST_CONTACT else filing.replied_at
    if done is not None and not calls[0].at <= done <= calls[-1].at + SAME_CALL:
        return ()
    return tuple(calls)


def attempts_completed_at(filing: Filing, kind: CallKind, timing: Timing) -> datetime | None:
    """When the street's number of missed calls was made as it asks; None where it was not."""
    rule = timing.attempts_for(kind)
    series = _series(missed_calls(filing, kind), rule, timing.calendar) if rule else None
    return series[-1].at if series else None


def reply_reached_nobody(filing: Filing) -> bool:
    """Whether 答复要点 says that the reply reached nobody."""
    return bool(_UNREACHED.search(filing.reply_summary or ""))


def _series(
    calls: Sequence[CallAttempt], rule: Attempts, calendar: Calendar, *, within: bool = True
) -> list[CallAttempt] | None:
    """The first calls that are enough in number, far enough apart and all in the time allowed."""
    gap = timedelta(minutes=rule.gap_minutes)
    for start in range(len(calls)):
        series = [calls[start]]
        for call in calls[start + 1 :]:
            if len(series) < rule.calls and call.at - series[-1].at >= gap:
                series.append(call)
        together = not within or _within(series, rule, calendar)
        if len(series) == rule.calls and together:
            return series
    return None


def _within(series: Sequence[CallAttempt], rule: Attempts, calendar: Calendar) -> bool:
    first, last = series[0].at, series[-1].at
    if rule.within == "day":
        return first.date() == last.date()
    if rule.within == "working_day":
        return last <= add_working_days(first, 1, calendar).at
    return True


def _calls(
    missed: Sequence[CallAttempt], rule: Attempts, calendar: Calendar, kind: CallKind
) -> list[OrderFinding]:
    if _series(missed, rule, calendar) is not None:
        return []
    title, quotes = KIND_TITLES[kind], tuple(_quote(call) for call in missed)
    if len(missed) < rule.calls:
        text = f"{title}未接通，只拨打了 {len(missed)} 次，应不少于 {rule.calls} 次"
        return [_finding("mc.count", f"{title}未接通：次数不够", text, rule, quotes)]
    if _series(missed, rule, calendar, within=False) is None:
        text = f"{title}未接通，拨打的间隔太短：{rule.calls} 次拨打应每次间隔 {_gap(rule)}以上"
        name = f"{title}未接通：间隔太短"
        return [_finding("mc.gap", name, text, rule, quotes, doubt=rule.gap_doubt)]
    span = "同一天" if rule.within == "day" else "1 个工作日"
    text = f"{title}未接通，没有在{span}内按要求拨打 {rule.calls} 次"
    return [_finding("mc.window", f"{title}未接通：不在{span}内", text, rule, quotes)]


def _message(
    filing: Filing, missed: Sequence[CallAttempt], rule: Attempts, kind: CallKind
) -> list[OrderFinding]:
    sent = any(a.channel == "sms" and a.kind is kind for a in filing.attempts)
    if not rule.message or sent:
        return []
    title, quotes = KIND_TITLES[kind], tuple(_quote(call) for call in missed)
    text = f"{title}未接通，没有发短信告知的记录"
    return [
        _finding("mc.message", f"{title}未接通：未发短信", text, rule, quotes, doubt=MESSAGE_DOUBT)
    ]


def _times(filing: Filing, rule: Attempts) -> list[OrderFinding]:
    if not rule.times_in_summary:
        return []
    summary = filing.reply_summary or ""
    named = len(clock_times(summary))
    if named >= rule.times_in_summary:
        return []
    text = f"回复未联系上市民，答复要点应写明 {rule.times_in_summary} 次联系的时间，" + (
        f"只写了 {named} 次" if named else "没有写"
    )
    quote = filed("reply_summary", "答复要点", summary or "（空）")
    return [_finding("mc.times", "答复要点缺少联系时间", text, rule, (quote,))]


def _finding(
    rule_id: str,
    title: str,
    text: str,
    rule: Attempts,
    quotes: tuple[OrderQuote, ...],
    doubt: str = "",
) -> OrderFinding:
    return OrderFinding(
        id=rule_id,
        title=title,
        severity="major",
        text=f"{text}。规定：“{rule.says}”。",
        source=rule.source,
        advice=_ADVICE[rule_id],
        quotes=quotes,
        doubt=doubt,
    )


_ADVICE = {
    "mc.count": "请换时间继续拨打，并上传每次的通话记录截图。",
    "mc.gap": "请隔开时间重新拨打，并上传通话记录截图。",
    "mc.window": "请在规定的时间内补足拨打次数，并上传通话记录截图。",
    "mc.message": "诉求人留的是手机号的，请发短信告知并上传截图。",
    "mc.times": "请在答复要点中补写每次联系的日期和时间。",
}


def _gap(rule: Attempts) -> str:
    hours, minutes = divmod(rule.gap_minutes, 60)
    return f"{hours} 小时" if hours and not minutes else f"{rule.gap_minutes} 分钟"


def _quote(call: CallAttempt) -> OrderQuote:
    return filed("attempts", "拨打记录", f"{call.at:%Y-%m-%d %H:%M} 未接通")
