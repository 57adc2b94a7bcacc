"""Orders of one day that belong together: repeats of one matter, and cases of one kind.

Repeats (重复工单) are about the same matter at the same place, or from the same petitioner; cases
of one kind (同类案件) are about the same matter wherever it is. A matter is compared by the words
of the filed issue, or by the topic where the platform files one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rapidfuzz import fuzz

from qc.filed import LOCAL
from qc.notices.order_notices import Notice, event_id
from qc.notices.rules import Event, NoticeRules
from qc.notices.text import FIELD_LENGTH, QUOTE_LENGTH, TITLE_LENGTH, notice_text, short
from qc.order import Order
from qc.privacy import mask
from qc.slots import ISSUE_FILLERS, with_digits
from qc.text import plain

MIN_ISSUE = 75  # likeness of two issues, 0..100
MIN_PLACE = 80  # likewise of two places
MIN_WORDS = 3  # characters of an issue that can be compared
LISTED = 10  # orders named in a notice
_HOUSE = re.compile(r"\d+\s*(?:号楼|号|幢|栋|室|单元|层|楼)")
_EVENTS = (Event.REPEATS, Event.SAME_KIND)


@dataclass(frozen=True)
class CaseOfDay:
    """An order as it came in."""

    order_id: str
    received_at: datetime
    department: str = ""
    issue: str = ""
    address: str = ""
    petitioner: str = ""
    topic: str = ""  # the platform's class of matter; decides where both orders have one


def notices_for_day(
    cases: Sequence[CaseOfDay], rules: NoticeRules, day: date
) -> tuple[Notice, ...]:
    """Warnings about the orders received on a day (Shanghai time), at the highest level reached.

    A group is known by its earliest order, so that the same group has the same event later on.
    """
    today = [case for case in cases if case.received_at.astimezone(LOCAL).date() == day]
    today.sort(key=lambda case: (case.received_at, case.order_id))
    return tuple(
        notice
        for event in _EVENTS
        if rules.of(event)
        for group in _groups(today, _ALIKE[event])
        if (notice := _notice(event, group, rules, day))
    )


def same_matter(one: CaseOfDay, other: CaseOfDay) -> bool:
    """Whether two orders are about the same kind of matter."""
    if one.topic and other.topic:
        return one.topic == other.topic
    a, b = (ISSUE_FILLERS.sub("", plain(case.issue)) for case in (one, other))
    return min(len(a), len(b)) >= MIN_WORDS and fuzz.partial_ratio(a, b) >= MIN_ISSUE


def is_repeat(one: CaseOfDay, other: CaseOfDay) -> bool:
    """Whether two orders are about the same matter at one place or from one petitioner."""
    same_person = bool(one.petitioner) and one.petitioner == other.petitioner
    return same_matter(one, other) and (same_person or _same_place(one.address, other.address))


def _same_place(one: str, other: str) -> bool:
    a, b = (_HOUSE.sub("", with_digits(address)).replace(" ", "") for address in (one, other))
    if not a or not b or re.findall(r"\d+", a) != re.findall(r"\d+", b):
        return False
    return fuzz.ratio(a, b) >= MIN_PLACE


_ALIKE: dict[Event, Callable[[CaseOfDay, CaseOfDay], bool]] = {
    Event.REPEATS: is_repeat,
    Event.SAME_KIND: same_matter,
}


def _groups(
    cases: Sequence[CaseOfDay], alike: Callable[[CaseOfDay, CaseOfDay], bool]
) -> list[list[CaseOfDay]]:
    """Cases like the first of their group, in the order in which they came."""
    groups: list[list[CaseOfDay]] = []
    for case in cases:
        group = next((group for group in groups if alike(group[0], case)), None)
        if group is None:
            groups.append([case])
        else:
            group.append(case)
    return groups


def _notice(
    event: Event, group: Sequence[CaseOfDay], rules: NoticeRules, day: date
) -> Notice | None:
    rule = rules.reached(event, len(group))
    if rule is None:
        return None
    first = group[0]
    order = Order(petitioner=first.petitioner, address=first.address)
    matter = short(mask(first.topic or first.issue, order), FIELD_LENGTH)
    facts: dict[str, Any] = {
        "day": f"{day:%Y-%m-%d}",
        "matter": matter,
        "count": len(group),
        "orders": _listed(group),
    }
    return Notice(
        event_id=event_id(rule, day.isoformat(), first.order_id),
        rule_id=rule.id,
        event=event,
        level=rule.level,
        recipients=rule.recipients,
        order_ids=tuple(case.order_id for case in group),
        departments=tuple(dict.fromkeys(case.department for case in group if case.department)),
        call_id="",
        title=short(f"{rule.title} {matter}", TITLE_LENGTH),
        text=notice_text(rule, rules, facts),
        source=rule.source,
        happened_at=group[rule.threshold - 1].received_at,
    )


def _listed(group: Sequence[CaseOfDay]) -> str:
    lines = [
        f"· {short(case.order_id, FIELD_LENGTH)} {short(case.department, QUOTE_LENGTH)}".rstrip()
        for case in group[:LISTED]
    ]
    if len(group) > LISTED:
        lines.append(f"· 等 {len(group)} 件")
    return "\n".join(lines)
