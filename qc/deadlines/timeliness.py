"""Was everything done in time? Due dates of an order and what is late, by the street's limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from qc.deadlines.missed_calls import attempts_completed_at
from qc.deadlines.timing import STEP_TITLES, Limit, Step, Timing
from qc.filed import Filing
from qc.order import CallKind, Order
from qc.orders.finding import OrderFinding, OrderQuote, filed

FIELDS: Mapping[Step, str] = {
    Step.ACCEPT: "accepted_at",
    Step.FIRST_CONTACT: "first_contact_at",
    Step.RETURN: "returned_at",
    Step.EXTENSION: "extension_requested_at",
    Step.REPLY: "replied_at",
    Step.CLOSE: "closed_at",
}  # a site visit is filed nowhere
OPTIONAL = {Step.RETURN, Step.EXTENSION}  # nobody has to
CALLS = {Step.FIRST_CONTACT: CallKind.FIRST_CONTACT, Step.REPLY: CallKind.REPLY}
START_TITLES = {"received_at": "派单时间", "accepted_at": "接单时间"}
PROVISIONAL = "该时段的放假安排尚未公布，期限为暂定"
_FORMAT = "%Y-%m-%d %H:%M"


class DueState(StrEnum):
    OPEN = "open"  # not done, time enough
    SOON = "soon"  # not done, due soon
    OVERDUE = "overdue"  # not done, too late
    DONE = "done"  # in time
    LATE = "late"  # done, too late
    UNKNOWN = "unknown"  # no field says whether it was done, or nobody has to


@dataclass(frozen=True)
class DueDate:
    """By when a step of an order is due."""

    step: Step
    start: datetime
    start_field: str  # of `Filing`
    at: datetime
    provisional: bool  # rests on days whose holidays are not yet arranged
    done_at: datetime | None
    limit: Limit
    missed: bool = False  # done by missed calls, as many as the street asks

    @property
    def title(self) -> str:
        return STEP_TITLES[self.step]

    @property
    def owed(self) -> bool:
        """Whether it must be done, and a field says so."""
        return self.step in FIELDS and self.step not in OPTIONAL

    @property
    def remind_from(self) -> datetime:
        notice = timedelta(hours=self.limit.remind_hours)
        return self.at - min(notice, (self.at - self.start) / 2)

    def state(self, now: datetime) -> DueState:
        if self.done_at is not None:
            return DueState.LATE if self.done_at > self.at else DueState.DONE
        if not self.owed:
            return DueState.UNKNOWN
        if now > self.at:
            return DueState.OVERDUE
        return DueState.SOON if now >= self.remind_from else DueState.OPEN


def deadlines(filing: Filing, timing: Timing) -> tuple[DueDate, ...]:
    """Every due date of an order, the earliest first; none where the start is not filed."""
    return tuple(sorted(_due_dates(filing, timing), key=lambda due: due.at))


def check_timeliness(
    order: Order, filing: Filing, timing: Timing, now: datetime
) -> tuple[OrderFinding, ...]:
    """What was done too late, is overdue, or (`tl.soon.*`, minor) is due soon.

    An order that the department has given back (退单) owes nothing more, and where the order lacks
    a way to reach the petitioner, no call is owed (宜川路街道 2023 二、（四）1: 有联系方式的工单).

    Findings: `tl.accept`, `tl.first_contact`, `tl.return`, `tl.extension`, `tl.reply`, `tl.close`.
    """
    return tuple(_finding(due, state) for due, state in pressing(order, filing, timing, now))


def in_time(filing: Filing, step: Step, timing: Timing, now: datetime) -> bool | None:
    """Whether a step was done in time, for rates (先行联系率, 按期完成率); None while it is open.

    Where the street has no limit for the step, doing it at all is in time.
    """
    due = next((due for due in deadlines(filing, timing) if due.step is step), None)
    if due is None:
        done_at, _ = _done(filing, step, timing)
        return True if done_at is not None else None
    state = due.state(now)
    if state in (DueState.OPEN, DueState.SOON, DueState.UNKNOWN):
        return None
    return state is DueState.DONE


def pressing(
    order: Order, filing: Filing, timing: Timing, now: datetime
) -> Iterator[tuple[DueDate, DueState]]:
    """The due dates that were missed or are due soon, the earliest first."""
    for due in deadlines(filing, timing):
        unreachable = due.step in CALLS and "contact" in order.missing_elements
        if due.done_at is None and (filing.returned_at is not None or unreachable):
            continue
        if due.step is Step.REPLY and due.done_at is None and filing.closed_at is None:
            continue  # the closing says the same
        state = due.state(now)
        if state in (DueState.LATE, DueState.OVERDUE, DueState.SOON):
            yield due, state


def _due_dates(filing: Filing, timing: Timing) -> Iterator[DueDate]:
    for step in Step:
        limit = timing.limit(step, filing.urgency)
        if limit is None:
            continue
        within = limit.within
        if filing.extended and limit.extendable:
            if limit.extended is None:
                continue
            within = limit.extended
        start_field = limit.start
        start = getattr(filing, start_field)
        if start is None:  # many platforms file no acceptance
            start_field, start = "received_at", filing.received_at
        if start is None:
            continue
        try:
            deadline = within.after(start, timing.calendar)
        except OverflowError:  # a year near 9999
            continue
        done_at, missed = _done(filing, step, timing)
        yield DueDate(
            step, start, start_field, deadline.at, deadline.provisional, done_at, limit, missed
        )


def _done(filing: Filing, step: Step, timing: Timing) -> tuple[datetime | None, bool]:
    """When a step was done, and whether by missed calls that count as done."""
    if step not in FIELDS:
        return None, False
    done_at: datetime | None = getattr(filing, FIELDS[step])
    if done_at is None and step in CALLS:
        done_at = attempts_completed_at(filing, CALLS[step], timing)
        return done_at, done_at is not None
    return done_at, False


def _finding(due: DueDate, state: DueState) -> OrderFinding:
    soon = state is DueState.SOON
    ending = {DueState.LATE: "超期", DueState.OVERDUE: "超期未办", DueState.SOON: "即将到期"}[state]
    return OrderFinding(
        id=f"tl.soon.{due.step}" if soon else f"tl.{due.step}",
        title=f"{due.title}{ending}",
        severity="minor" if soon else due.limit.severity,
        text=_text(due, state),
        source=due.limit.source,
        advice=_advice(due, state),
        quotes=tuple(_quotes(due)),
        doubt=PROVISIONAL if due.provisional else "",
    )


def _text(due: DueDate, state: DueState) -> str:
    told = {
        DueState.SOON: f"应在 {due.at:{_FORMAT}} 前{due.title}，即将到期",
        DueState.OVERDUE: f"应在 {due.at:{_FORMAT}} 前{due.title}，至今未办",
    }.get(state)
    if told is None and due.done_at is not None:
        told = (
            f"应在 {due.at:{_FORMAT}} 前{due.title}，实际为 {due.done_at:{_FORMAT}}，"
            f"晚了{length(due.done_at - due.at)}"
        )
    return f"{told}。规定：“{due.limit.says}”。"


def _advice(due: DueDate, state: DueState) -> str:
    if state is DueState.SOON:
        return f"请在 {due.at:{_FORMAT}} 前完成{due.title}。"
    if state is DueState.OVERDUE:
        return f"请立即完成{due.title}，并说明超期原因。"
    if due.step in OPTIONAL:
        return f"超过期限的{due.title.removeprefix('申请')}申请不予受理，请在期限内提出。"
    return "请说明超期原因，今后按期办理。"


def _quotes(due: DueDate) -> Iterator[OrderQuote]:
    yield filed(due.start_field, START_TITLES[due.start_field], f"{due.start:{_FORMAT}}")
    if due.done_at is not None and due.missed:
        yield filed("attempts", "拨打记录", f"{due.done_at:{_FORMAT}} 未接通")
    elif due.done_at is not None:
        yield filed(FIELDS[due.step], f"{due.title}时间", f"{due.done_at:{_FORMAT}}")


def length(span: timedelta) -> str:
    """A length of time in words, rounded down: 2 天 3 小时, 25 分钟."""
    minutes = int(span.total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f" {days} 天" + (f" {hours} 小时" if hours else "")
    if hours:
        return f" {hours} 小时" + (f" {minutes % 60} 分钟" if minutes % 60 else "")
    return f" {minutes} 分钟" if minutes else "不到 1 分钟"
