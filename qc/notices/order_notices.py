"""What people must be told about one order: pure rules from what is known to notices.

Every notice has an `event_id` that depends on the event alone, never on the wording or on when it
was looked at, so that an outbox sends each one once.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qc.catalogue import Source
from qc.deadlines.missed_calls import missed_calls, reply_reached_nobody
from qc.deadlines.timeliness import DueState, pressing
from qc.deadlines.working_time import add_working_days, working_days_between
from qc.filed import Filing, ReturnVisit
from qc.inspection import CAUSE_TITLES, Cause
from qc.notices.rules import Event, Level, NoticeRule, NoticeRules, Recipient
from qc.notices.text import (
    FIELD_LENGTH,
    LINK,
    LINK_LINE,
    QUOTE_LENGTH,
    TIME_FORMAT,
    TITLE_LENGTH,
    notice_text,
    quoted,
    short,
)
from qc.order import KIND_TITLES, CallKind, Order
from qc.privacy import mask
from qc.report import Saying, Verdict

VISITORS = {"street": "街镇", "district": "区级", "city": "市级"}
REDO_DAYS = 2  # working days (松江区佘山镇 2025 二、（四）)
_STATES = {Event.OVERDUE: DueState.OVERDUE, Event.SOON: DueState.SOON}


@dataclass(frozen=True)
class Notice:
    """Something that people must be told, once."""

    event_id: str  # the same event has the same id; at most 100 characters
    rule_id: str
    event: Event
    level: Level
    recipients: tuple[Recipient, ...]
    order_ids: tuple[str, ...]
    departments: tuple[str, ...]
    call_id: str  # "" where it is not about one call
    title: str
    text: str  # masked; holds `LINK` once
    source: Source
    happened_at: datetime | None = None  # None where nobody filed it

    def with_link(self, url: str) -> str:
        """The text with the address of the page; without the line where there is none."""
        return self.text.replace(LINK, url) if url else self.text.replace(LINK_LINE, "")


@dataclass(frozen=True)
class HeardCall:
    """One recording of an order."""

    call_id: str  # stable
    kind: CallKind
    verdict: Verdict | None = None  # None: not inspected (yet)
    trouble: str = ""  # why the recording is of no use; "" where it is
    handler: str = ""


@dataclass(frozen=True)
class OrderRecord:
    """What is known of an order when it is looked at."""

    order: Order
    filing: Filing
    calls: tuple[HeardCall, ...] = ()
    likely_cause: Cause | None = None  # of dissatisfaction; else as heard in the calls


def notices_for_order(record: OrderRecord, rules: NoticeRules, now: datetime) -> tuple[Notice, ...]:
    """Everything that people must be told about an order at `now`, what they were told included."""
    return (
        *(notice for call in record.calls for notice in _of_call(call, record, rules)),
        *_of_visits(record, rules, now),
        *_missing_recordings(record, rules, now),
        *_of_time(record, rules, now),
    )


def event_id(rule: NoticeRule, *parts: str) -> str:
    """The id of an event: the rule and a digest of what it is about."""
    return f"{rule.id}:{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()[:32]}"


def _notice(
    rule: NoticeRule,
    rules: NoticeRules,
    record: OrderRecord,
    key: str,
    facts: dict[str, Any],
    *,
    call_id: str = "",
    happened_at: datetime | None = None,
) -> Notice:
    order = record.order
    return Notice(
        event_id=event_id(rule, order.order_id, key),
        rule_id=rule.id,
        event=rule.event,
        level=rule.level,
        recipients=rule.recipients,
        order_ids=(order.order_id,),
        departments=(order.department,) if order.department else (),
        call_id=call_id,
        title=short(f"{rule.title} {order.order_id}", TITLE_LENGTH),
        text=notice_text(rule, rules, facts, order),
        source=rule.source,
        happened_at=happened_at,
    )


# --- in a call ------------------------------------------------------------------------------------


def _of_call(call: HeardCall, record: OrderRecord, rules: NoticeRules) -> Iterator[Notice]:
    facts: dict[str, Any] = {
        "kind": KIND_TITLES[call.kind],
        "handler": short(call.handler or record.order.handler or "", FIELD_LENGTH),
    }

    def notice(rule: NoticeRule, **more: Any) -> Notice:
        return _notice(rule, rules, record, call.call_id, facts | more, call_id=call.call_id)

    if call.trouble:
        trouble = short(mask(call.trouble, record.order), QUOTE_LENGTH).rstrip("。")
        for rule in rules.of(Event.RECORDING_UNUSABLE):
            yield notice(rule, trouble=trouble)
    found = call.verdict
    if found is None:
        return
    for rule in rules.of(Event.BEHAVIOUR):
        if shown := [b for b in found.behaviours if b.id in rule.ids]:
            sayings = [(b.title, said) for b in shown for said in b.quotes]
            yield notice(rule, quotes=quoted(sayings, record.order))
    rough = _rough(found, rules)
    if rough:
        for rule in rules.of(Event.ATTITUDE):
            quotes = quoted(_rough_words(found), record.order)
            score, title = found.attitude.score, found.attitude.title
            yield notice(rule, attitude=title, score=score, quotes=quotes)
    for rule in rules.of(Event.SIGNAL):
        given = [s for s in found.citizen if s.id in rule.ids]
        if given and not (rough and rule.level is Level.SUPERVISE):  # the attitude says more
            sayings = [(s.title, said) for s in given for said in s.quotes]
            titles = "、".join(dict.fromkeys(s.title for s in given))
            yield notice(rule, signals=titles, quotes=quoted(sayings, record.order))


def _rough(found: Verdict, rules: NoticeRules) -> bool:
    """Whether the handler's attitude is an issue; what other rules tell of is left to them."""
    told = {rule_id for rule in rules.of(Event.BEHAVIOUR) for rule_id in rule.ids}
    own = [b for b in found.behaviours if b.id not in told]
    serious = found.attitude.level == "serious" and bool(own or not found.behaviours)
    return serious or any(b.severity == "fatal" for b in own)


def _rough_words(found: Verdict) -> list[tuple[str, Saying]]:
    """The handler's words, the gravest first, and the citizen's complaint about them."""
    gravity = ("fatal", "major", "minor")
    behaviours = sorted(found.behaviours, key=lambda b: gravity.index(b.severity))
    words = [(b.title, said) for b in behaviours for said in b.quotes]
    complaints = [s for s in found.citizen if s.id == "ct.attitude_complaint"]
    return words + [(s.title, said) for s in complaints for said in s.quotes]


# --- return visits --------------------------------------------------------------------------------


def _of_visits(record: OrderRecord, rules: NoticeRules, now: datetime) -> Iterator[Notice]:
    in_a_row = 0
    climbed: set[str] = set()
    visits = [visit for visit in record.filing.return_visits if visit.at <= now]
    for visit in sorted(visits, key=lambda visit: visit.at):
        if visit.satisfaction != "dissatisfied":
            in_a_row = 0
            continue
        in_a_row += 1
        facts = _visit_facts(visit, record.order) | {"in_a_row": in_a_row}
        key = visit.at.isoformat()
        if redo := _redo(visit, record, rules, facts):
            if redo.rule_id not in climbed:  # a level of supervision comes once
                climbed.add(redo.rule_id)
                yield redo
        elif rule := rules.reached(Event.DISSATISFIED, in_a_row):
            yield _notice(rule, rules, record, key, facts, happened_at=visit.at)
        if why := _attitude_cause(visit, record):
            words = [w for call in record.calls if call.verdict for w in _rough_words(call.verdict)]
            facts |= {"why": why, "quotes": quoted(words, record.order)}
            facts["handler"] = short(record.order.handler or "", FIELD_LENGTH)
            for rule in rules.of(Event.ATTITUDE_CAUSE):
                yield _notice(rule, rules, record, key, facts, happened_at=visit.at)


def _visit_facts(visit: ReturnVisit, order: Order) -> dict[str, Any]:
    remark = short(mask(visit.remark, order), QUOTE_LENGTH) if visit.remark else ""
    return {
        "visited": f"{visit.at:{TIME_FORMAT}}",
        "visitor": VISITORS[visit.level],
        "cause": f"（原因：{CAUSE_TITLES[visit.cause]}）" if visit.cause else "",
        "remark": f"市民意见：“{remark}”" if remark else "",
    }


def _redo(
    visit: ReturnVisit, record: OrderRecord, rules: NoticeRules, facts: dict[str, Any]
) -> Notice | None:
    """The level of supervision (四级督办) that a dissatisfied visit calls for."""
    received, calendar = record.filing.received_at, rules.timing.calendar
    if received is None or received > visit.at:
        return None
    days = working_days_between(received, visit.at, calendar)
    rule = rules.reached(Event.REDO, days)
    if rule is None:
        return None
    due = add_working_days(visit.at, REDO_DAYS, calendar).at
    more = {"received": f"{received:{TIME_FORMAT}}", "days": days, "due": f"{due:{TIME_FORMAT}}"}
    return _notice(rule, rules, record, str(received), facts | more, happened_at=visit.at)


def _attitude_cause(visit: ReturnVisit, record: OrderRecord) -> str:
    """Why attitude is taken to be the cause; "" where it is not."""
    if visit.cause is not None:
        return "填报原因为服务态度" if visit.cause == "attitude" else ""
    heard = record.likely_cause or next(filter(None, map(_heard_cause, record.calls)), None)
    return "从录音看，原因可能是服务态度" if heard == "attitude" else ""


def _heard_cause(call: HeardCall) -> Cause | None:
    """The likely cause of dissatisfaction as it was heard in a call; a serious attitude is one."""
    if call.verdict is None:
        return None
    if call.verdict.cause is not None:
        return call.verdict.cause.id
    return "attitude" if call.verdict.attitude.level == "serious" else None


# --- recordings and time --------------------------------------------------------------------------


def _missing_recordings(record: OrderRecord, rules: NoticeRules, now: datetime) -> Iterator[Notice]:
    filing = record.filing
    filed_at = {
        CallKind.FIRST_CONTACT: filing.first_contact_at,
        CallKind.REPLY: filing.replied_at or filing.closed_at,
    }
    for kind, at in filed_at.items():
        heard = any(call.kind is kind for call in record.calls)
        missed = missed_calls(filing, kind)
        nobody = kind is CallKind.REPLY and reply_reached_nobody(filing)
        if at is None or at > now or heard or missed or nobody or filing.returned_at:
            continue
        facts = {"kind": KIND_TITLES[kind], "at": f"{at:{TIME_FORMAT}}"}
        for rule in rules.of(Event.RECORDING_MISSING):
            if now > add_working_days(at, rule.threshold, rules.timing.calendar).at:
                yield _notice(rule, rules, record, kind.value, facts, happened_at=at)


def _of_time(record: OrderRecord, rules: NoticeRules, now: datetime) -> Iterator[Notice]:
    filing, timing, received = record.filing, rules.timing, record.filing.received_at
    if filing.closed_at or filing.returned_at:
        return  # nothing left to urge
    for due, state in pressing(record.order, filing, timing, now):
        facts = {"due": f"{due.at:{TIME_FORMAT}}" + ("（暂定）" if due.provisional else "")}
        key = f"{received or due.start}{'延期' if filing.extended else ''}"
        since = due.at if state is DueState.OVERDUE else due.remind_from
        for event, wanted in _STATES.items():
            for rule in rules.of(event):
                if rule.step is due.step and state is wanted:
                    yield _notice(rule, rules, record, key, facts, happened_at=since)
    if received is None or received > now:
        return
    for rule in rules.of(Event.UNCLOSED):
        over = add_working_days(received, rule.threshold, timing.calendar).at
        if now > over:
            facts = {"received": f"{received:{TIME_FORMAT}}"}
            yield _notice(rule, rules, record, str(received), facts, happened_at=over)
