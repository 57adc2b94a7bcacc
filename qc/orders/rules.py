"""The standards for an order as a whole as data: `consistency.yaml` and `report_wording.yaml`."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from qc.catalogue import (
    CATALOGUE_FOLDER,
    DEFAULT_PROFILE,
    Examples,
    Model,
    Severity,
    Source,
    Strict,
    parse_rule,
    read_profile,
    read_yaml,
)
from qc.conditions import Condition
from qc.errors import CatalogueError
from qc.inspection import Status
from qc.order import AnsweredBy

PromiseKind = Literal["visit", "call_back", "solve", "step"]
ReportField = Literal[
    "closing_report",
    "reply_summary",
    "handling_result",
    "first_contact_description",
    "return_reason",
]


class OrderRule(Strict):
    """What a finding about an order says; the clause quoted is that of the street's document."""

    id: str
    title: str
    severity: Severity
    penalty: float = Field(ge=0)  # points off the order's score
    sources: tuple[Source, ...] = Field(min_length=1)  # the first where the street's has none
    advice: str


class Cue(Strict):
    """Words that matter when a call is held against what was filed."""

    id: str
    title: str
    when: Condition
    examples: Examples


class Claim(Strict):
    """A filed text that says what was done in the call, and the script elements that show it."""

    id: str
    title: str
    field: ReportField
    when: Condition
    elements: tuple[str, ...] = ()  # any of these
    unless: tuple[Status, ...] = ("met", "partial", "not_applicable")  # … with such a status
    answered_by: tuple[AnsweredBy, ...] = ()  # or: who must have answered
    examples: Examples


class Announcement(Strict):
    """A kind of promise, and what a later call says of it."""

    id: PromiseKind
    title: str
    when: Condition  # of a clause of the handler's
    reported: Condition | None = None  # a later clause of the handler's: it was done
    undone: Condition | None = None  # … it was not
    examples: Examples


class ConsistencyRules(Strict):
    findings: dict[str, OrderRule]
    cues: dict[str, Cue]
    claims: tuple[Claim, ...]
    announcements: tuple[Announcement, ...]


class FiledExample(Strict):
    """A filed text for an order with this issue."""

    text: str
    issue: str


class FiledExamples(Strict):
    yes: tuple[str | FiledExample, ...] = Field(min_length=1)  # where the condition holds
    no: tuple[str | FiledExample, ...] = Field(min_length=1)


class WordingRule(Strict):
    """What the filed report must hold (`must`) or must not say (`must_not`)."""

    id: str
    title: str
    source: Source
    severity: Severity
    penalty: float = Field(ge=0)
    demand: Literal["must", "must_not"]
    fields: tuple[ReportField, ...] = Field(min_length=1)
    when: Condition  # of a sentence of these fields
    unless: Condition | None = None  # of any sentence of these fields: then all is well
    dated: bool = (
        False  # `must`: in a sentence that names a day; `must_not`: a day ahead excuses it
    )
    about_issue: bool = False  # `must`: in a sentence that shares a word with the order's issue
    only_if: Condition | None = None  # of any sentence of these fields: else it does not apply
    fact_finding: tuple[str, ...] = ()  # applies to orders with such a finding
    resolved: bool | None = None  # … that are solved, or are not
    advice: str
    examples: FiledExamples


class OrderRules(Strict):
    """Everything that is asked of an order by one street's standards."""

    document: str  # the street's own
    consistency: ConsistencyRules
    wording: tuple[WordingRule, ...]  # only those of the street's document

    def rule(self, name: str) -> OrderRule:
        return self.consistency.findings[name]

    def source(self, rule: OrderRule) -> Source:
        """The clause of the street's own document, or else of the first that has one."""
        own = (source for source in rule.sources if source.document == self.document)
        return next(own, rule.sources[0])


@lru_cache(maxsize=8)
def load_order_rules(profile: str = DEFAULT_PROFILE, folder: Path = CATALOGUE_FOLDER) -> OrderRules:
    """Read the rules that apply to a street's orders.

    Raises:
        CatalogueError: a file is missing or wrong, or there is no such profile.
    """
    document = read_profile(profile, folder).document
    wording = tuple(r for r in all_wording_rules(folder) if r.source.document == document)
    return OrderRules(document=document, consistency=_consistency(folder), wording=wording)


def all_wording_rules(folder: Path = CATALOGUE_FOLDER) -> tuple[WordingRule, ...]:
    """The wording rules of every document."""
    path = folder / "report_wording.yaml"
    return tuple(_rows(path, read_yaml(path), WordingRule))


def _consistency(folder: Path) -> ConsistencyRules:
    path = folder / "consistency.yaml"
    parts = read_yaml(path)
    if not isinstance(parts, dict):
        raise CatalogueError(f"{path.name} 应当分为几部分", "请对照原文件修改")
    return ConsistencyRules(
        findings={rule.id: rule for rule in _rows(path, parts.get("findings"), OrderRule)},
        cues={cue.id: cue for cue in _rows(path, parts.get("cues"), Cue)},
        claims=tuple(_rows(path, parts.get("claims"), Claim)),
        announcements=tuple(_rows(path, parts.get("announcements"), Announcement)),
    )


def _rows(path: Path, rows: object, model: type[Model]) -> list[Model]:
    if not isinstance(rows, list):
        raise CatalogueError(f"{path.name} 应当是规则的列表", "每条规则以“- id:”开头")
    names = [str(row.get("id")) if isinstance(row, dict) else "" for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise CatalogueError(f"{path.name} 规则 {name} 出现了两次", "请改用不同的 id")
    return [parse_rule(row, model, path, name) for row, name in zip(rows, names, strict=True)]
