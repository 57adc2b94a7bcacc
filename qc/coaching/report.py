"""Coaching reports: what a handler, a department or those trained together do well, and the three
habits worth changing, each with moments to listen to and the standard phrase.

Half-yearly training: 宜川路街道 2023 三、（七）; one to one: 松江区佘山镇 2025 （八）.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from qc.catalogue import Catalogue, Strict, read_yaml
from qc.coaching.habits import GoodCall, Habit, Strength, find_habits, good_calls, strengths
from qc.coaching.practice import PracticeSheet, practice_sheet
from qc.coaching.quiz import Question, quiz
from qc.errors import QcError, what_is_wrong
from qc.figures.calls import CallFigures, day_in
from qc.figures.overview import Overview, element_rates, overview, standings, to_rows, trend
from qc.figures.rule_titles import rule_titles
from qc.figures.tables import Tables, narrow, tabulate
from qc.order import CallKind
from qc.report import Row

FEW = 5  # calls; below, a comparison says little


class Training(Strict):
    """A training session (培训): when, who, on what."""

    title: str
    held_on: date
    people: tuple[str, ...] = ()  # handlers; none: everyone
    topics: tuple[str, ...] = ()  # rule ids
    weeks: int = 26  # before it that are compared with the time since (half-yearly training)


def read_training(path: Path) -> Training:
    """Read a training session from YAML.

    Raises:
        QcError: the file cannot be read or a key is wrong.
    """
    try:
        return Training.model_validate(read_yaml(path))
    except ValidationError as error:
        key, reason = what_is_wrong(error)
        raise QcError(f"培训文件 {path.name} 的 {key} 有误：{reason}", "请对照说明修改") from error


@dataclass(frozen=True)
class HeardCall:
    """A call with its verdict, and the day on which it was made where that is known."""

    row: Row
    on: date | None

    @classmethod
    def of_row(cls, row: Row) -> "HeardCall":
        """With the day that the order's number or the recording's name holds."""
        return cls(row, day_in(row.order_id) or day_in(row.recording))


@dataclass(frozen=True)
class Subject:
    """Whose calls a report is about; what is empty does not narrow."""

    department: str = ""
    handler: str = ""
    training: Training | None = None

    def includes(self, row: Row) -> bool:
        people = self.training.people if self.training else ()
        return (
            self.department in ("", row.department)
            and self.handler in ("", row.handler)
            and (not people or row.handler in people)
        )

    @property
    def title(self) -> str:
        if self.handler:
            return f"{self.department} {self.handler}".strip()
        if self.department:
            return self.department
        return self.training.title if self.training else "全体经办人"

    @property
    def scope(self) -> Literal["handler", "department", "training", "all"]:
        if self.handler:
            return "handler"
        return "department" if self.department else "training" if self.training else "all"


@dataclass(frozen=True)
class ElementShare:
    """How often an element is met, by the subject and by all others (None: nobody else)."""

    id: str
    title: str
    met_rate: float
    applicable: int
    others: float | None


@dataclass(frozen=True)
class Progress:
    """One figure before and since the training."""

    title: str
    before: str
    since: str
    better: bool | None  # None: the same, or not known


@dataclass(frozen=True)
class CoachingReport:
    """Everything that a coaching report says. Words are those of the stored results."""

    subject: Subject
    unmasked: bool
    since: date | None  # first and last day with a call
    until: date | None
    figures: Overview
    others: Overview | None
    strengths: tuple[Strength, ...]
    habits: tuple[Habit, ...]
    examples: tuple[GoodCall, ...]  # 优秀案例
    elements: tuple[ElementShare, ...]
    weeks: tuple[dict, ...]  # `figures.trend` by week
    people: tuple[dict, ...]  # `figures.standings` of handlers; () for a single one
    progress: tuple[Progress, ...]
    few: bool  # so few calls that the comparison says little
    sheets: tuple[PracticeSheet, ...]
    quiz: tuple[Question, ...]


def coach(
    calls: Iterable[HeardCall],
    subject: Subject,
    catalogue: Catalogue,
    *,
    seed: int = 0,
    unmasked: bool = False,
) -> CoachingReport:
    """Build the report on a subject from all calls; those of others are for comparison.

    Args:
        seed: of the quiz.
        unmasked: take results in which personal data is not hidden.

    Raises:
        QcError: the subject has no call, or a result holds personal data and should not.
    """
    heard = [call for call in calls if call.row.verdict is not None and call.row.kind]
    if not unmasked and any(call.row.unmasked for call in heard):
        raise QcError(
            "这些检查结果没有隐去个人信息", "请改用已隐去的结果，或加上 --unmasked（慎用）"
        )
    own = [call for call in heard if subject.includes(call.row)]
    rest = [call for call in heard if not subject.includes(call.row)]
    if not own:
        raise QcError(f"没有“{subject.title}”的通话", "请检查部门、经办人的写法和日期范围")
    mine, theirs = _tables(own), _tables(rest)
    habits = find_habits([c.row for c in own], [c.row for c in rest], catalogue)
    wanted = {habit.id for habit in habits}
    days = [call.on for call in own if call.on]
    single = subject.scope == "handler"
    return CoachingReport(
        subject=subject,
        unmasked=unmasked,
        since=min(days, default=None),
        until=max(days, default=None),
        figures=overview(mine),
        others=overview(theirs) if rest else None,
        strengths=strengths([c.row for c in own], mine, theirs, catalogue),
        habits=habits,
        examples=good_calls([c.row for c in own], [c.row for c in rest], wanted),
        elements=_element_shares(mine, theirs, catalogue),
        weeks=tuple(to_rows(trend(mine, "week"))),
        people=() if single else tuple(to_rows(standings(mine, "handler"))),
        progress=_progress(mine, subject.training, catalogue) if subject.training else (),
        few=bool(subject.training) and _is_few(mine, subject.training),
        sheets=_sheets(own, habits, catalogue),
        quiz=quiz(catalogue, seed, wanted),
    )


def _tables(calls: Sequence[HeardCall]) -> Tables:
    return tabulate(CallFigures.of_row(call.row, on=call.on) for call in calls)


def _sheets(
    own: Sequence[HeardCall], habits: Sequence[Habit], catalogue: Catalogue
) -> tuple[PracticeSheet, ...]:
    """A sheet for each kind of call that was made; situations to answer on the first only."""
    kinds = [kind for kind in CallKind if any(call.row.kind is kind for call in own)]
    behaviours = [habit.id for habit in habits if habit.family == "behaviour"]
    elements = {habit.id for habit in habits if habit.family == "element"}
    return tuple(
        practice_sheet(kind, elements, behaviours if i == 0 else (), catalogue)
        for i, kind in enumerate(kinds)
    )


def _element_shares(mine: Tables, theirs: Tables, catalogue: Catalogue) -> tuple[ElementShare, ...]:
    own = element_rates(mine).set_index("rule")
    others = element_rates(theirs).set_index("rule")["met_rate"].to_dict()
    titles = rule_titles(catalogue)
    wanted = [rule.id for rules in catalogue.elements.values() for rule in rules]
    return tuple(
        ElementShare(
            rule,
            titles[rule],
            float(own.loc[rule, "met_rate"]),
            int(own.loc[rule, "applicable"]),
            others.get(rule),
        )
        for rule in wanted
        if rule in own.index
    )


def _periods(mine: Tables, training: Training) -> tuple[Tables, Tables]:
    day = timedelta(days=1)
    before = narrow(
        mine,
        since=training.held_on - timedelta(weeks=training.weeks),
        until=training.held_on - day,
    )
    return before, narrow(mine, since=training.held_on + day)


def _is_few(mine: Tables, training: Training | None) -> bool:
    assert training is not None
    return min(len(part.heard) for part in _periods(mine, training)) < FEW


def _progress(mine: Tables, training: Training, catalogue: Catalogue) -> tuple[Progress, ...]:
    before, since = _periods(mine, training)
    one, two = overview(before), overview(since)
    rows = [
        Progress("通话数", f"{one.calls}", f"{two.calls}", None),
        _compared("话术得分", one.script_score, two.script_score),
        _compared("态度得分", one.attitude_score, two.attitude_score),
        _compared("要素做到率", one.met_rate, two.met_rate, percent=True),
        _compared(
            "有禁止行为的通话",
            one.conduct_calls / one.calls if one.calls else None,
            two.conduct_calls / two.calls if two.calls else None,
            percent=True,
            low_is_good=True,
        ),
    ]
    for topic in training.topics:
        rows.append(_topic(topic, before, since, catalogue))
    return tuple(rows)


def _topic(rule_id: str, before: Tables, since: Tables, catalogue: Catalogue) -> Progress:
    """A topic of the training: how often the element was met, or the behaviour shown."""
    titles = rule_titles(catalogue)
    if rule_id not in titles or rule_id.startswith("ct."):
        raise QcError(f"培训主题 {rule_id} 不是规则编号", "请写 fc.*、rp.* 或 bh.* 的编号")
    if rule_id.startswith("bh."):
        rates = [_shown_rate(part, rule_id) for part in (before, since)]
        title = f"{titles[rule_id]}（出现率）"
        return _compared(title, *rates, percent=True, low_is_good=True)
    shares = [
        element_rates(part).set_index("rule")["met_rate"].to_dict().get(rule_id)
        for part in (before, since)
    ]
    return _compared(f"{titles[rule_id]}（做到率）", *shares, percent=True)


def _shown_rate(part: Tables, behaviour: str) -> float | None:
    """Share of the calls in which a behaviour was shown."""
    calls = len(part.heard)
    return float((part.findings["rule"] == behaviour).sum()) / calls if calls else None


def _compared(
    title: str,
    before: float | None,
    since: float | None,
    *,
    percent: bool = False,
    low_is_good: bool = False,
) -> Progress:
    shown = ["—" if v is None else f"{v:.0%}" if percent else f"{v:.1f}" for v in (before, since)]
    better = None
    if before is not None and since is not None and shown[0] != shown[1]:
        better = (since < before) == low_is_good
    return Progress(title, shown[0], shown[1], better)
