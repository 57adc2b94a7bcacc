"""Digests of a period (日报, 周报, 月报) with the ranking, and interviews of the last three."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from qc.errors import CatalogueError
from qc.notices.order_notices import Notice, event_id
from qc.notices.rules import Event, NoticeRule, NoticeRules, Period
from qc.notices.text import (
    FIELD_LENGTH,
    LINK_BYTES,
    MAX_BYTES,
    TITLE_LENGTH,
    clause,
    framed,
    notice_text,
    short,
)

SHOWN_ORDERS = 5  # of each list
SHOWN_PLACES = 12  # of the ranking; the page behind the link has all of them


@dataclass(frozen=True)
class OrderList:
    """Orders that need attention: 未先行联系, 未办结, 疑难, 重复 …"""

    title: str
    order_ids: tuple[str, ...]


@dataclass(frozen=True)
class DigestFigures:
    """Figures of a period as they are shown; computed elsewhere."""

    period: Period
    since: date
    until: date  # included
    figures: tuple[tuple[str, str], ...]  # title and value: (“先行联系率”, “98.5%”)
    ranked_by: str = ""  # title of the measure
    ranking: tuple[tuple[str, str], ...] = ()  # department and value, the best first
    last_three: tuple[str, ...] = ()  # departments, the worst first
    orders: tuple[OrderList, ...] = ()


def digest(figures: DigestFigures, rules: NoticeRules) -> Notice:
    """The digest of a period as a notice; the same period has the same event.

    Raises:
        CatalogueError: the street has no digest of that period.
    """
    rule = next((r for r in rules.of(Event.DIGEST) if r.period is figures.period), None)
    if rule is None:
        raise CatalogueError(f"没有配置“{figures.period}”的报告", "请检查 notices.yaml")
    span = f"{figures.since:%Y-%m-%d}"
    if figures.until != figures.since:
        span += f" 至 {figures.until:%Y-%m-%d}"
    return _notice(
        rule,
        event_id(rule, rules.street, figures.since.isoformat()),
        title=f"{rules.street}{rule.title} {span}",
        text=_text(figures, rule, rules, span),
    )


def interviews(
    months_running: Mapping[str, int],
    values: Mapping[str, str],
    month: date,
    rules: NoticeRules,
) -> tuple[Notice, ...]:
    """Interviews (约谈) due at the end of a month.

    Args:
        months_running: for each department among the last three, for how many months it has been.
        values: what each was ranked by, as shown.
        month: any day of it.
    """
    shown_month = f"{month.year} 年 {month.month} 月"
    notices = []
    for department, months in months_running.items():
        if rule := rules.reached(Event.LAST_PLACES, months):
            name = short(department, FIELD_LENGTH)
            facts = {
                "month": shown_month,
                "months": months,
                "department": name,
                "value": values.get(department, "—"),
            }
            notices.append(
                _notice(
                    rule,
                    event_id(rule, f"{month:%Y-%m}", department),
                    title=f"{rule.title} {name}",
                    text=notice_text(rule, rules, facts),
                    departments=(department,),
                )
            )
    return tuple(notices)


def _notice(
    rule: NoticeRule, event: str, *, title: str, text: str, departments: tuple[str, ...] = ()
) -> Notice:
    return Notice(
        event_id=event,
        rule_id=rule.id,
        event=rule.event,
        level=rule.level,
        recipients=rule.recipients,
        order_ids=(),
        departments=departments,
        call_id="",
        title=short(title, TITLE_LENGTH),
        text=text,
        source=rule.source,
    )


def _text(figures: DigestFigures, rule: NoticeRule, rules: NoticeRules, span: str) -> str:
    """The whole digest; where it is too long, with fewer places of the ranking."""
    facts = {
        "street": rules.street,
        "title": rule.title,
        "span": span,
        "figures": figures.figures,
        "ranked_by": figures.ranked_by,
        "last_three": [short(name, FIELD_LENGTH) for name in figures.last_three],
        "orders": [
            (
                group.title,
                len(group.order_ids),
                [short(order_id, FIELD_LENGTH) for order_id in group.order_ids[:SHOWN_ORDERS]],
            )
            for group in figures.orders
        ],
        "clause": clause(rule.source, rules),
    }
    ranking = [(short(name, FIELD_LENGTH), value) for name, value in figures.ranking]
    for places in range(min(SHOWN_PLACES, len(ranking)), -1, -1):
        left_out = len(ranking) - places if places else 0
        more = {"ranking": ranking[:places], "left_out": left_out}
        text = framed("digest.txt.jinja", facts | more)
        if len(text.encode()) < MAX_BYTES - LINK_BYTES:
            break
    return text
