"""A street's deadlines and its rules for calls that nobody answered, from its profile."""

from collections.abc import Mapping
from datetime import date, datetime, time
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from qc.catalogue import (
    CATALOGUE_FOLDER,
    DEFAULT_PROFILE,
    Severity,
    Source,
    Strict,
    parse_rule,
    read_profile,
    read_yaml,
)
from qc.deadlines.working_time import (
    NOON,
    Calendar,
    Deadline,
    add_hours,
    add_natural_days,
    add_working_days,
    add_working_minutes,
    same_or_next_day,
)
from qc.errors import CatalogueError
from qc.filed import Urgency
from qc.order import CallKind


class Step(StrEnum):
    """What a department has to do, or may do, by a deadline."""

    ACCEPT = "accept"
    FIRST_CONTACT = "first_contact"
    SITE_VISIT = "site_visit"
    RETURN = "return"
    EXTENSION = "extension"
    REPLY = "reply"
    CLOSE = "close"


STEP_TITLES: Mapping[Step, str] = {
    Step.ACCEPT: "接单",
    Step.FIRST_CONTACT: "先行联系",
    Step.SITE_VISIT: "现场查看",
    Step.RETURN: "申请退单",
    Step.EXTENSION: "申请延期",
    Step.REPLY: "热线回复",
    Step.CLOSE: "办结",
}


class HalfDays(Strict):
    """Orders of a morning are due the same day, all others on the next working day."""

    morning: time
    afternoon: time = NOON


class Within(Strict):
    """A length of time; exactly one key is given."""

    working_days: int | None = Field(default=None, ge=1)
    natural_days: int | None = Field(default=None, ge=1)
    hours: float | None = Field(default=None, gt=0)
    working_minutes: int | None = Field(default=None, gt=0)
    half_days: HalfDays | None = None

    @model_validator(mode="after")
    def _one_key(self) -> "Within":
        if len(self.model_fields_set) != 1:
            raise ValueError("应恰好写一种时长")
        return self

    def after(self, moment: datetime, calendar: Calendar) -> Deadline:
        """When the time is over that starts at `moment`."""
        if self.working_days:
            return add_working_days(moment, self.working_days, calendar)
        if self.natural_days:
            return add_natural_days(moment, self.natural_days)
        if self.working_minutes:
            return add_working_minutes(moment, self.working_minutes, calendar)
        if self.half_days:
            half = self.half_days
            return same_or_next_day(moment, half.morning, half.afternoon, calendar)
        return add_hours(moment, self.hours or 0)

    @property
    def title(self) -> str:
        """In words: 1 个工作日内."""
        if self.working_days:
            return f"{self.working_days} 个工作日内"
        if self.natural_days:
            return f"{self.natural_days} 个自然日内"
        if self.working_minutes:
            return f"{self.working_minutes} 分钟内"
        if self.half_days:
            half = self.half_days
            return f"上午的当日 {half.morning:%H:%M} 前、下午的次日 {half.afternoon:%H:%M} 前"
        return f"{self.hours:g} 小时内"


class Limit(Strict):
    """By when steps are due, with the words of the document."""

    steps: tuple[Step, ...] = Field(min_length=1)
    within: Within
    start: Literal["received_at", "accepted_at"] = "received_at"
    urgencies: tuple[Urgency, ...] = ()  # the classes of order that it is for; none: all
    extendable: bool = False  # whether an extension moves it
    extended: Within | None = None  # to this; None where the document names no new limit
    remind_hours: float = 4  # before the deadline, at most half of the time
    severity: Severity = "major"
    source: Source
    says: str  # the words of the clause

    def serves(self, urgency: Urgency) -> bool:
        return not self.urgencies or urgency in self.urgencies


class Attempts(Strict):
    """What a department must show where nobody answered."""

    kinds: tuple[CallKind, ...] = Field(min_length=1)
    calls: int = Field(default=3, ge=1)
    gap_minutes: int = Field(default=0, ge=0)  # between two calls, at least
    gap_doubt: str = ""  # why the gap is a reading of the clause rather than its words
    within: Literal["day", "working_day"] | None = None  # all of the calls
    message: bool = False  # a text message as well, to mobile numbers
    times_in_summary: int = Field(default=0, ge=0)  # that 答复要点 must hold
    source: Source
    says: str


class WorkingHours(Strict):
    opens: time = time(9)
    closes: time = time(17, 30)

    @model_validator(mode="after")
    def _in_order(self) -> "WorkingHours":
        if not self.opens < self.closes:
            raise ValueError("上班时间应早于下班时间")
        return self


class Timing(Strict):
    """All of a street's time rules."""

    working_hours: WorkingHours = WorkingHours()
    holidays: tuple[date, ...] = ()  # beyond the years of chinesecalendar
    make_up_days: tuple[date, ...] = ()  # likewise
    limits: tuple[Limit, ...] = ()
    attempts: tuple[Attempts, ...] = ()

    @property
    def calendar(self) -> Calendar:
        return Calendar(
            opens=self.working_hours.opens,
            closes=self.working_hours.closes,
            holidays=frozenset(self.holidays),
            make_up_days=frozenset(self.make_up_days),
        )

    def limit(self, step: Step, urgency: Urgency) -> Limit | None:
        """The limit of a step for a class of order; the first that serves it."""
        return next((x for x in self.limits if step in x.steps and x.serves(urgency)), None)

    def attempts_for(self, kind: CallKind) -> Attempts | None:
        return next((rule for rule in self.attempts if kind in rule.kinds), None)


@lru_cache(maxsize=8)
def load_timing(profile: str = DEFAULT_PROFILE, folder: Path = CATALOGUE_FOLDER) -> Timing:
    """Read the time rules of a street.

    Raises:
        CatalogueError: there is no such profile, or its `timing` or `holidays.yaml` is wrong.
    """
    street = read_profile(profile, folder)
    path = folder / "profiles" / f"{profile}.yaml"
    timing = parse_rule(street.timing, Timing, path, "timing")
    common = _common_holidays(folder / "holidays.yaml")
    return timing.model_copy(update={"holidays": (*common, *timing.holidays)})


def _common_holidays(path: Path) -> tuple[date, ...]:
    try:
        return TypeAdapter(tuple[date, ...]).validate_python(read_yaml(path))
    except ValidationError as error:
        raise CatalogueError(
            f"{path.name} 应当是日期的列表", "每行一个日期，如 - 2027-01-01"
        ) from error
