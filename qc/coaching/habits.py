"""What somebody does well and what they should change, read off the verdicts on their calls."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from qc.catalogue import SEVERITY_TITLES, Behaviour, Catalogue, Element
from qc.coaching.practice import spoken
from qc.figures.overview import element_rates
from qc.figures.tables import Tables
from qc.inspection import STATUS_TITLES
from qc.order import KIND_TITLES, CallKind
from qc.report import Row, Verdict, clock
from qc.transcript import Turn

HABITS = 3  # more cannot be changed at once
MOMENTS = 3  # to listen to, for one habit
STRENGTHS = 3
GOOD_CALLS = 3
WORDS = 4  # quoted of a model call
STEADY = 0.9  # met rate from which an element is a strength
ENOUGH = 3  # calls to which an element must apply for that
EXCELLENT = 90  # total score of a model call
CALM = "被辱骂时保持平和"  # a reason of the attitude score (qc.attitude)


@dataclass(frozen=True)
class Moment:
    """A place of a call: what was said there, and where to listen."""

    row: Row
    said: str  # "" where the finding is that nothing was said
    before: str = ""  # what the citizen said just before
    turn: int | None = None
    start: float | None = None  # seconds
    note: str = ""  # what was lacking

    @property
    def key(self) -> str:
        """Of the place: call and turn."""
        return f"{self.row.id}-{self.turn}"

    @property
    def place(self) -> str:
        """For people: the recording and, where it is known, the time."""
        return f"{self.row.recording}　{clock(self.start)}".strip()

    @property
    def page(self) -> str:
        """Of the call, at the turn; relative to the folder of the results."""
        return f"{self.row.page}#t{self.turn}" if self.turn is not None else self.row.page


@dataclass(frozen=True)
class Habit:
    """Something to change, with where it was heard and what to do instead."""

    id: str
    title: str
    family: Literal["element", "behaviour"]
    calls: int  # in which it was heard
    of: int  # calls in which it could have been
    cost: float  # points off the total score, summed over the calls
    severity: str  # Chinese: how serious
    instead: str  # the standard phrase
    document: str
    clause: str
    moments: tuple[Moment, ...]
    example: Moment | None  # how a colleague says it
    model_answers: tuple[tuple[str, str], ...]  # situation and right answer, of the catalogue


@dataclass(frozen=True)
class Strength:
    title: str
    text: str
    moment: Moment | None = None


@dataclass(frozen=True)
class GoodCall:
    """A model call (优秀案例): what was said for which element."""

    row: Row
    own: bool  # made by the subject of the report
    said: tuple[tuple[str, str], ...]  # titles of elements, words


def turns_of(row: Row) -> tuple[Turn, ...]:
    """The turns that are stored with a verdict."""
    stored = row.verdict.turns if row.verdict else ()
    return tuple(Turn(i, t.role, t.text, t.start, t.end) for i, t in enumerate(stored))


def find_habits(
    own: Sequence[Row], others: Sequence[Row], catalogue: Catalogue
) -> tuple[Habit, ...]:
    """The habits that cost most points: at most `HABITS`, the dearest first."""
    found = [*_element_habits(own, others, catalogue), *_behaviour_habits(own, catalogue)]
    return tuple(sorted(found, key=lambda habit: (-habit.cost, habit.id))[:HABITS])


def _element_habits(
    own: Sequence[Row], others: Sequence[Row], catalogue: Catalogue
) -> Iterator[Habit]:
    for kind, rules in catalogue.elements.items():
        calls = [row for row in own if row.kind is kind]
        total = sum(rule.weight for rule in rules)
        for rule in rules:
            judged = [(row, _status(row, rule.id)) for row in calls]
            lapses = [(row, s) for row, s in judged if s in ("missing", "partial")]
            if not lapses:
                continue
            points = 100 * catalogue.scoring.script_share * rule.weight / total
            credit = {"missing": 0.0, "partial": catalogue.scoring.partial_credit}
            lapses.sort(key=lambda lapse: lapse[1] != "missing")
            yield Habit(
                id=rule.id,
                title=f"{rule.title}（{KIND_TITLES[kind]}）",
                family="element",
                calls=len(lapses),
                of=sum(status in ("met", "partial", "missing") for _, status in judged),
                cost=sum(points * (1 - credit[status]) for _, status in lapses),
                severity=_mix([status for _, status in lapses]),
                instead=rule.advice,
                document=catalogue.documents[rule.source.document],
                clause=rule.source.clause,
                moments=tuple(_lapse(row, rule) for row, _ in lapses[:MOMENTS]),
                example=_good_example(rule, own, others),
                model_answers=(),
            )


def _mix(statuses: Sequence[str]) -> str:
    counts = {title: statuses.count(status) for status, title in STATUS_TITLES.items()}
    return "，".join(f"{title} {count} 通" for title, count in counts.items() if count)


def _status(row: Row, element: str) -> str:
    """Of an element; "" where the call has none, or a person must decide."""
    assert row.verdict is not None
    found = row.verdict.elements.get(element)
    return "" if found is None or found.undetermined else found.status


def _lapse(row: Row, rule: Element) -> Moment:
    """Where an element was said in part, or where it should have been said."""
    assert row.verdict is not None
    found = row.verdict.elements[rule.id]
    note = f"还差：{'、'.join(found.lacking)}" if found.lacking else ""
    if found.evidence:
        said = found.evidence[0]
        return Moment(
            row, said.quote, turn=(said.model_extra or {}).get("turn"), start=said.start, note=note
        )
    place = getattr(rule, "place", None)
    agent = [turn for turn in turns_of(row) if turn.is_agent]
    if agent and place in ("opening", "ending"):
        turn = agent[0] if place == "opening" else agent[-1]
        note = "开场应当说" if place == "opening" else "结束前应当说"
        return Moment(row, "", turn=turn.index, start=turn.start, note=note)
    return Moment(row, "", note="全程没有说到")


def _good_example(rule: Element, own: Sequence[Row], others: Sequence[Row]) -> Moment | None:
    """The words of the best call that met the element; a colleague's rather than one's own."""
    for rows in (others, own):
        met = [row for row in rows if row.verdict and _status(row, rule.id) == "met"]
        met = [row for row in met if row.verdict and row.verdict.elements[rule.id].evidence]
        if met:
            best = max(met, key=lambda row: (row.verdict.score if row.verdict else 0, row.id))
            return _evidence(best, rule.id)
    return None


def _evidence(row: Row, element: str) -> Moment:
    assert row.verdict is not None
    evidence = row.verdict.elements[element].evidence
    said = "　".join(dict.fromkeys(e.quote for e in evidence))
    first = evidence[0]
    return Moment(row, said, turn=(first.model_extra or {}).get("turn"), start=first.start)


def _behaviour_habits(own: Sequence[Row], catalogue: Catalogue) -> Iterator[Habit]:
    share = 100 * (1 - catalogue.scoring.script_share) / 100
    for rule in catalogue.behaviours:
        shown = [
            (row, behaviour)
            for row in own
            if row.verdict
            for behaviour in row.verdict.behaviours
            if behaviour.id == rule.id
        ]
        if not shown:
            continue
        cost = 100.0 if rule.severity == "fatal" else share * rule.penalty
        moments = [
            Moment(row, said.text, _before(row, said.turn), said.turn, said.start)
            for row, behaviour in shown
            for said in behaviour.quotes[:1]
        ]
        yield Habit(
            id=rule.id,
            title=rule.title,
            family="behaviour",
            calls=len(shown),
            of=len(own),
            cost=cost * len(shown),
            severity=SEVERITY_TITLES[rule.severity],
            instead=rule.instead,
            document=catalogue.documents[rule.source.document],
            clause=rule.source.clause,
            moments=tuple(moments[:MOMENTS]),
            example=None,
            model_answers=_model_answers(rule),
        )


def _before(row: Row, turn: int) -> str:
    """What the citizen said just before a turn."""
    earlier = [t.text for t in turns_of(row)[:turn] if not t.is_agent]
    return earlier[-1] if earlier else ""


def _model_answers(rule: Behaviour) -> tuple[tuple[str, str], ...]:
    return tuple(
        (spoken(example.prev[-1]), example.text)
        for example in rule.examples.no
        if not isinstance(example, str) and example.prev
    )[:2]


def strengths(
    own: Sequence[Row], mine: Tables, theirs: Tables, catalogue: Catalogue
) -> tuple[Strength, ...]:
    """At most `STRENGTHS`: conduct first, then the elements that are steadily met."""
    found: list[Strength] = []
    shown = sum(bool(row.verdict and row.verdict.behaviours) for row in own)
    if not shown and len(own) >= ENOUGH:
        found.append(Strength("用语文明", f"{len(own)} 通电话里没有发现禁止行为。"))
    calm = [row for row in own if row.verdict and _was_calm(row.verdict)]
    if calm:
        found.append(Strength("沉着", f"有 {len(calm)} 通电话被辱骂时保持平和。"))
    others = element_rates(theirs).set_index("rule")["met_rate"].to_dict()
    rates = element_rates(mine)
    steady = rates[(rates["applicable"] >= ENOUGH) & (rates["met_rate"] >= STEADY)]
    titles = {rule.id: rule for rules in catalogue.elements.values() for rule in rules}
    ahead = sorted(
        (row for row in steady.itertuples() if row.rule in titles),
        key=lambda row: (others.get(row.rule, 1.0) - row.met_rate, row.rule),
    )
    for row in ahead[: STRENGTHS - len(found)]:
        rule = titles[row.rule]
        met = [r for r in own if r.verdict and _status(r, rule.id) == "met"]
        quoted = [r for r in met if r.verdict and r.verdict.elements[rule.id].evidence]
        peers = f"（其他人 {others[rule.id]:.0%}）" if rule.id in others else ""
        found.append(
            Strength(
                title=rule.title,
                text=f"适用的 {row.applicable} 通里做到 {row.met} 通{peers}。",
                moment=_evidence(quoted[0], rule.id) if quoted else None,
            )
        )
    return tuple(found)


def _was_calm(found: Verdict) -> bool:
    reasons = (found.attitude.model_extra or {}).get("reasons", ())
    return any(reason["text"] == CALM for reason in reasons)


def good_calls(
    own: Sequence[Row], others: Sequence[Row], wanted: Collection[str]
) -> tuple[GoodCall, ...]:
    """Model calls, the subject's own first; what they say on the wanted elements comes first."""
    found: list[GoodCall] = []
    for rows, is_own in ((own, True), (others, False)):
        good = [row for row in rows if row.verdict and _is_model(row.verdict)]
        good.sort(key=lambda row: (-_wanted_met(row, wanted), -_score(row), row.id))
        kinds: set[CallKind | None] = set()
        for row in good:
            if len(found) < GOOD_CALLS and row.kind not in kinds:  # one of each kind
                kinds.add(row.kind)
                found.append(GoodCall(row, is_own, _best_words(row, wanted)))
    return tuple(found)


def _is_model(found: Verdict) -> bool:
    return found.score >= EXCELLENT and found.attitude.level == "good" and not found.behaviours


def _score(row: Row) -> int:
    return row.verdict.score if row.verdict else 0


def _wanted_met(row: Row, wanted: Collection[str]) -> int:
    return sum(_status(row, element) == "met" for element in wanted)


def _best_words(row: Row, wanted: Collection[str]) -> tuple[tuple[str, str], ...]:
    assert row.verdict is not None
    met = {
        key: element
        for key, element in row.verdict.elements.items()
        if element.status == "met" and element.evidence
    }
    titles: dict[str, list[str]] = {}  # by words: one sentence may do for several elements
    for key in sorted(met, key=lambda key: key not in wanted):
        titles.setdefault(_evidence(row, key).said, []).append(met[key].title)
    return tuple(("、".join(named), words) for words, named in titles.items())[:WORDS]
