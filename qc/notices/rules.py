"""Who is told what, when and in what words: `notices.yaml` with a street's own `notices`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydantic import Field, model_validator

from qc.catalogue import (
    CATALOGUE_FOLDER,
    DEFAULT_PROFILE,
    Source,
    Strict,
    parse_rule,
    read_profile,
    read_yaml,
)
from qc.deadlines.timing import Step, Timing, load_timing
from qc.errors import CatalogueError


class Recipient(StrEnum):
    """Whom a notice goes to, by office."""

    DEPARTMENT_HEAD = "department_head"
    DEPARTMENT_LEADER = "department_leader"
    AREA_LEADER = "area_leader"
    LEADER_IN_CHARGE = "leader_in_charge"
    MAIN_LEADER = "main_leader"
    CENTRE_CLERK = "centre_clerk"
    CENTRE_HEAD = "centre_head"
    SAFETY_OFFICE = "safety_office"
    DISCIPLINE = "discipline"


RECIPIENT_TITLES: Mapping[Recipient, str] = {
    Recipient.DEPARTMENT_HEAD: "处置部门负责人",
    Recipient.DEPARTMENT_LEADER: "处置部门的分管领导",
    Recipient.AREA_LEADER: "属地的分管领导",
    Recipient.LEADER_IN_CHARGE: "分管热线领导",
    Recipient.MAIN_LEADER: "主要领导",
    Recipient.CENTRE_CLERK: "城运中心信息员",
    Recipient.CENTRE_HEAD: "城运中心负责人",
    Recipient.SAFETY_OFFICE: "平安办",
    Recipient.DISCIPLINE: "纪检监察部门",
}


class Level(StrEnum):
    """How strongly a notice asks."""

    REPORT = "report"
    REMIND = "remind"
    SUPERVISE = "supervise"
    WARN = "warn"
    CIRCULATE = "circulate"
    INTERVIEW = "interview"


LEVEL_TITLES: Mapping[Level, str] = {
    Level.REPORT: "报送",
    Level.REMIND: "催办",
    Level.SUPERVISE: "督办",
    Level.WARN: "预警",
    Level.CIRCULATE: "通报",
    Level.INTERVIEW: "约谈",
}


class Event(StrEnum):
    """What people are told of."""

    SIGNAL = "signal"  # the citizen gave one of `ids` in a call
    BEHAVIOUR = "behaviour"  # the handler showed one of `ids`
    ATTITUDE = "attitude"  # a serious attitude issue in a call
    DISSATISFIED = "dissatisfied"  # a return visit, the `threshold`-th in a row
    ATTITUDE_CAUSE = "attitude_cause"  # and attitude is its cause
    RECORDING_MISSING = "recording_missing"  # `threshold` working days after the call
    RECORDING_UNUSABLE = "recording_unusable"
    OVERDUE = "overdue"  # `step` not done in time
    SOON = "soon"  # `step` due soon
    UNCLOSED = "unclosed"  # after `threshold` working days
    REDO = "redo"  # dissatisfied on a return visit `threshold` working days after receipt
    REPEATS = "repeats"  # `threshold` orders of one matter on one day
    SAME_KIND = "same_kind"  # `threshold` orders of one kind on one day
    LAST_PLACES = "last_places"  # among the last three for `threshold` months
    DIGEST = "digest"  # figures of a `period`


_BY_IDS = {Event.SIGNAL, Event.BEHAVIOUR}
_BY_STEP = {Event.OVERDUE, Event.SOON}


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


PERIOD_TITLES: Mapping[Period, str] = {
    Period.DAY: "日报",
    Period.WEEK: "周报",
    Period.MONTH: "月报",
}


class NoticeRule(Strict):
    """One event with its route and its words (a Jinja2 template in Chinese)."""

    id: str
    event: Event
    title: str
    level: Level
    recipients: tuple[Recipient, ...] = Field(min_length=1)
    text: str = ""
    ids: tuple[str, ...] = ()  # of signals or behaviours
    step: Step | None = None
    period: Period | None = None
    threshold: int = Field(default=1, ge=1)
    source: Source
    says: str  # the words of the clause

    @model_validator(mode="after")
    def _complete(self) -> "NoticeRule":
        if (self.event in _BY_IDS) != bool(self.ids):
            raise ValueError("ids 用于且只用于 signal 和 behaviour")
        if (self.event in _BY_STEP) != (self.step is not None):
            raise ValueError("step 用于且只用于 overdue 和 soon")
        if (self.event is Event.DIGEST) != (self.period is not None):
            raise ValueError("period 用于且只用于 digest")
        return self


@dataclass(frozen=True)
class NoticeRules:
    """A street's rules with all that their wording needs."""

    street: str  # title
    document: str  # the street's own, a key of `documents`
    rules: tuple[NoticeRule, ...]
    timing: Timing
    documents: Mapping[str, str]  # titles by the keys that sources name

    def of(self, event: Event) -> tuple[NoticeRule, ...]:
        """The rules of an event, the highest threshold first."""
        rules = (rule for rule in self.rules if rule.event is event)
        return tuple(sorted(rules, key=lambda rule: -rule.threshold))

    def reached(self, event: Event, number: int) -> NoticeRule | None:
        """The rule of an event with the highest threshold that `number` reaches."""
        return next((rule for rule in self.of(event) if number >= rule.threshold), None)


@lru_cache(maxsize=8)
def load_notice_rules(
    profile: str = DEFAULT_PROFILE, folder: Path = CATALOGUE_FOLDER
) -> NoticeRules:
    """Read the notice rules of a street: the common ones with its changes, and its own.

    Raises:
        CatalogueError: there is no such profile, or a rule is wrong.
    """
    street = read_profile(profile, folder)
    own = folder / "profiles" / f"{profile}.yaml"
    common = folder / "notices.yaml"
    rows = read_yaml(common)
    if not isinstance(rows, dict):
        raise CatalogueError("notices.yaml 应当是“编号: 规则”的列表", "每条规则以“nt.”开头")
    documents = read_yaml(folder / "documents.yaml")
    merged = {key: {**(rows.get(key) or {}), **street.notices.get(key, {})} for key in rows}
    merged |= {key: row for key, row in street.notices.items() if key not in rows}
    rules = tuple(
        parse_rule(
            {"id": key, **row}, NoticeRule, own if key in street.notices else common, str(key)
        )
        for key, row in merged.items()
    )
    return NoticeRules(
        street.title, street.document, rules, load_timing(profile, folder), documents
    )
