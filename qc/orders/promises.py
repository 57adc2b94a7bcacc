"""The ledger of promises: what the handler announced, by when, and what became of it.

Weifang 2024, 先行联系规范·结束语 (尽快到现场处理, 处置完毕后回电反馈); 注意事项 5 (不可随意许诺).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from qc.conditions import Condition
from qc.filed import LOCAL, OrderFile
from qc.inspection import Inspection
from qc.order import CallKind
from qc.orders.due_dates import Due, find_due
from qc.orders.figures_said import days_said
from qc.orders.finding import OrderQuote, said
from qc.orders.matter import shares_matter
from qc.orders.passages import CLAUSE, SENTENCE, Passage, call_passage, quote_field
from qc.orders.rules import Announcement, OrderRules, PromiseKind
from qc.transcript import Role

PromiseStatus = Literal["kept", "broken", "unmentioned", "pending"]
PROMISE_STATUS_TITLES: dict[PromiseStatus, str] = {
    "kept": "已兑现",
    "broken": "未兑现",
    "unmentioned": "没有交代",
    "pending": "未到期",
}
REACHED = ("petitioner", "third_party_aware")


@dataclass(frozen=True)
class Promise:
    """One line of the ledger."""

    id: str  # call:turn:number, stable for the same transcript
    kind: PromiseKind
    title: str
    text: str  # the sentence or clause that was said
    grounded: bool  # False: a careless promise (bh.promise)
    quote: OrderQuote
    due: date | None = None
    due_said: str = ""
    provisional: bool = False  # the day of the call, or the year's holidays, are not known for sure
    status: PromiseStatus = "pending"
    reason: str = ""  # why this status, a Chinese sentence
    proof: tuple[OrderQuote, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "kind_title": self.title,
            "text": self.text,
            "grounded": self.grounded,
            "due": self.due.isoformat() if self.due else None,
            "due_said": self.due_said,
            "provisional": self.provisional,
            "status": self.status,
            "status_title": PROMISE_STATUS_TITLES[self.status],
            "reason": self.reason,
            "quote": self.quote.to_json(),
            "proof": [quote.to_json() for quote in self.proof],
        }


def keep_ledger(
    file: OrderFile, inspections: Sequence[Inspection], rules: OrderRules, now: datetime
) -> tuple[Promise, ...]:
    """Every promise and announcement of the handler, and what became of it.

    Args:
        inspections: of `file.calls`, in the same order.
        now: aware; decides between what is not due yet and what was left open.
    """
    ledger = []
    for call, inspection in enumerate(inspections):
        day, sure = call_day(file, inspections, call)
        for promise in _announced(call, inspection, rules, day):
            promise = replace(promise, provisional=promise.provisional or not sure)
            ledger.append(_followed_up(promise, file, inspections, rules, now))
    return tuple(ledger)


def call_day(
    file: OrderFile, inspections: Sequence[Inspection], call: int
) -> tuple[date | None, bool]:
    """On which day a call was made, and whether that is sure.

    From the answered attempts of its kind, else from the filed time, else (first contact, which is
    made within a working day) the day of the report.
    """
    kind = inspections[call].kind
    same = [i for i, inspection in enumerate(inspections) if inspection.kind is kind]
    answered = sorted(a.at for a in file.filing.attempts if a.answered and a.kind is kind)
    if len(answered) == len(same):
        return _day(answered[same.index(call)]), True
    filing = file.filing
    filed_at = filing.first_contact_at if kind is CallKind.FIRST_CONTACT else filing.replied_at
    if filed_at is not None:
        return _day(filed_at), len(same) == 1
    guess = filing.received_at if kind is CallKind.FIRST_CONTACT else filing.closed_at
    if guess is not None:
        return _day(guess), False
    return (file.order.reported_on if kind is CallKind.FIRST_CONTACT else None), False


def _day(moment: datetime) -> date:
    return moment.astimezone(LOCAL).date()


def _month_day(day: date) -> str:
    return f"{day.month}月{day.day}日"


def _announced(
    call: int, inspection: Inspection, rules: OrderRules, day: date | None
) -> Iterator[Promise]:
    """What the handler promised in one call, each thing once."""
    passage = call_passage(call, inspection, CLAUSE)
    careless = {turn for b in inspection.behaviours if b.id == "bh.promise" for turn in b.turns}
    kinds: dict[int, list[Announcement]] = {}
    for announcement in rules.consistency.announcements:
        for place in passage.places(announcement.when):
            kinds.setdefault(place, []).append(announcement)
    found: list[Promise] = []
    for place, announcements in sorted(kinds.items()):
        due = _due_near(passage, place, kinds, day)
        visited = any(a.id == "visit" for a in announcements)
        for announcement in announcements:
            if announcement.id == "solve" and visited:
                continue  # 去查发放记录: going there is what was promised
            found.append(_promise(passage.quotes[place], announcement, due, careless, len(found)))
    said_in = {p.quote.turn for p in found if not p.grounded}
    yield from _each_once([*found, *_unheard_careless(call, inspection, careless - said_in, day)])


def _promise(
    quote: OrderQuote, announcement: Announcement, due: Due | None, careless: set[int], number: int
) -> Promise:
    return Promise(
        id=f"{quote.call}:{quote.turn}:{number}",
        kind=announcement.id,
        title=announcement.title,
        text=quote.text,
        grounded=not (quote.turn in careless and announcement.id == "solve"),
        quote=quote,
        due=due.day if due else None,
        due_said=due.said if due else "",
        provisional=due.provisional if due else False,
    )


def _unheard_careless(
    call: int, inspection: Inspection, turns: Iterable[int], day: date | None
) -> Iterator[Promise]:
    """Careless promises that no cue of an announcement heard, by the whole turn."""
    for index in sorted(turns):
        turn = inspection.transcript.turns[index]
        due = find_due(turn.text, day)
        yield Promise(
            id=f"{call}:{index}:p",
            kind="solve",
            title="办好某件事",
            text=turn.text,
            grounded=False,
            quote=said(call, inspection, turn),
            due=due.day if due else None,
            due_said=due.said if due else "",
            provisional=due.provisional if due else False,
        )


def _due_near(
    passage: Passage, place: int, taken: dict[int, list[Announcement]], day: date | None
) -> Due | None:
    """The day named in the clause itself, else in the clause before or after in the same turn."""
    quotes = passage.quotes
    for near in (place, place - 1, place + 1):
        if not 0 <= near < len(quotes) or quotes[near].turn != quotes[place].turn:
            continue
        if near != place and near in taken:
            continue
        due = find_due(quotes[near].text, day)
        if due is not None and due.day and day and due.day < day:
            continue  # the day of the report, or of what was done
        if due is not None and (near <= place or not _opens_sentence(quotes[place].text)):
            return due
    return None


def _opens_sentence(clause: str) -> bool:
    """Whether a sentence ends with this clause, so that the next one is about something else."""
    return clause.endswith(("。", "！", "？", "!", "?"))


def _each_once(found: Iterable[Promise]) -> Iterator[Promise]:
    """A thing said twice in a call is one promise: the one with a day, or else the first."""
    kept: list[Promise] = []
    for promise in found:
        same = next((p for p in kept if _same(p, promise)), None)
        if same is None:
            kept.append(promise)
        elif same.due is None and promise.due is not None:
            kept[kept.index(same)] = replace(promise, grounded=same.grounded and promise.grounded)
        elif same.grounded and not promise.grounded:
            kept[kept.index(same)] = replace(same, grounded=False)
    yield from kept


def _same(one: Promise, other: Promise) -> bool:
    if one.kind != other.kind or (one.due and other.due and one.due != other.due):
        return False
    return one.kind != "solve" or shares_matter(one.text, other.text)


@dataclass(frozen=True)
class _Later:
    """The calls after a promise, of which at least one reached the citizen."""

    calls: tuple[int, ...]  # indices in the order file
    days: tuple[date | None, ...]
    handler: tuple[Passage, ...]
    citizen: tuple[Passage, ...]

    def handler_says(self, condition: Condition | None) -> Iterator[OrderQuote]:
        for passage in self.handler if condition else ():
            for place in passage.places(condition):  # type: ignore[arg-type]
                yield passage.quotes[place]


def _followed_up(
    promise: Promise,
    file: OrderFile,
    inspections: Sequence[Inspection],
    rules: OrderRules,
    now: datetime,
) -> Promise:
    """Decide what became of a promise, from the later calls and from what was filed."""
    first = promise.quote.call or 0
    calls = tuple(
        i for i in range(first + 1, len(inspections)) if inspections[i].answered_by in REACHED
    )
    if not calls:
        return _without_later_call(promise, file, inspections, now)
    later = _Later(
        calls,
        tuple(call_day(file, inspections, call)[0] for call in calls),
        tuple(call_passage(call, inspections[call]) for call in calls),
        tuple(call_passage(call, inspections[call], SENTENCE, Role.CITIZEN) for call in calls),
    )
    if promise.kind == "call_back":
        return _called_back(promise, later, inspections)
    return _reported(promise, later, inspections, rules)


def _settled(
    promise: Promise, status: PromiseStatus, reason: str, proof: Iterable[OrderQuote] = ()
) -> Promise:
    return replace(promise, status=status, reason=reason, proof=tuple(proof))


def _called_back(promise: Promise, later: _Later, inspections: Sequence[Inspection]) -> Promise:
    call, day = later.calls[0], later.days[0]
    opening = inspections[call].transcript.agent_turns[:1]
    proof = [said(call, inspections[call], turn) for turn in opening]
    if promise.due and day and day > promise.due:
        late = (day - promise.due).days
        reason = f"说好{_month_day(promise.due)}前回电，{_month_day(day)}才打，晚了 {late} 天"
        return _settled(promise, "broken", reason, proof)
    return _settled(promise, "kept", "后来打了电话", proof)


def _reported(
    promise: Promise, later: _Later, inspections: Sequence[Inspection], rules: OrderRules
) -> Promise:
    """A visit or a deed: what the handler, or failing that the citizen, says of it later."""
    kind = next(a for a in rules.consistency.announcements if a.id == promise.kind)
    related = (
        (lambda quote: True)
        if promise.kind == "visit"
        else (lambda quote: shares_matter(promise.text, quote.text))
    )
    done = [q for q in later.handler_says(kind.reported) if related(q)]
    undone = [q for q in later.handler_says(kind.undone) if related(q)]
    if undone and not done:
        return _settled(promise, "broken", "后来说还没有做到", undone[:2])
    if done:
        return _done_in_time(promise, later, done[0])
    complaint = rules.consistency.cues["complained_undone"].when
    complained = [q for passage in later.citizen for q in passage.hear(complaint)]
    if complained:
        return _settled(promise, "broken", "市民说没有做到", complained[:2])
    if promise.kind == "solve" and promise.due is None and promise.grounded:
        handling = _handling(later, inspections)
        if handling:
            return _settled(promise, "kept", "后来说明了处理情况", handling[:2])
    return _settled(promise, "unmentioned", "后来的电话里没有提到这件事")


def _done_in_time(promise: Promise, later: _Later, quote: OrderQuote) -> Promise:
    day = later.days[later.calls.index(quote.call)] if quote.call in later.calls else None
    done_on = _past_day(quote.text, day)
    if promise.due and done_on and done_on > promise.due:
        reason = f"说好{_month_day(promise.due)}前，实际{_month_day(done_on)}"
        return _settled(promise, "broken", reason, [quote])
    return _settled(promise, "kept", "后来说做到了", [quote])


def _past_day(text: str, said_on: date | None) -> date | None:
    """A day of a month that a report names, as the last such day before it was said."""
    days = days_said(text)
    if len(days) != 1 or said_on is None:
        return None
    return days[0].before(said_on)


def _handling(later: _Later, inspections: Sequence[Inspection]) -> list[OrderQuote]:
    return [
        said(call, inspections[call], quote.turn)
        for call in later.calls
        for element in inspections[call].elements
        if element.id == "rp.handling" and element.status in ("met", "partial")
        for quote in element.evidence
    ]


def _without_later_call(
    promise: Promise, file: OrderFile, inspections: Sequence[Inspection], now: datetime
) -> Promise:
    """No later call reached the citizen: what was filed, and whether the day has passed."""
    filing = file.filing
    is_first = inspections[promise.quote.call or 0].kind is CallKind.FIRST_CONTACT
    if promise.kind == "call_back" and is_first and filing.replied_at:
        day = _day(filing.replied_at)
        proof = [quote_field(filing, "replied_at")]
        if promise.due and day > promise.due:
            return _settled(
                promise, "broken", f"填写的回复时间晚于{_month_day(promise.due)}", proof
            )
        return _settled(promise, "kept", "填写了回复时间（没有录音）", proof)
    if promise.due and promise.due < _day(now):
        return _settled(promise, "unmentioned", "已过约定的日期，没有后来的通话")
    if promise.due is None and is_first and filing.closed_at:
        proof = [quote_field(filing, "closed_at")]
        return _settled(promise, "unmentioned", "工单已办结，没有后来的通话", proof)
    return _settled(promise, "pending", "还没有后来的通话")
