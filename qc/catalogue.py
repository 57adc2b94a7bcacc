"""The standards as data: loads and validates `scripts_catalog/`."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qc.conditions import CallContext, Condition, Silence
from qc.errors import CatalogueError, what_is_wrong
from qc.order import CallKind

DEFAULT_PROFILE = "weifang"
CATALOGUE_FOLDER = Path(__file__).resolve().parent.parent / "scripts_catalog"

Model = TypeVar("Model", bound=BaseModel)
Severity = Literal["minor", "major", "fatal"]
SEVERITY_TITLES: dict[Severity, str] = {"minor": "一般", "major": "严重", "fatal": "一票否决"}


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Strict):
    """Where a rule comes from: a key of `documents.yaml` and the clause."""

    document: str
    clause: str


class Example(Strict):
    """A turn with the turns before it (each “A: …” or “C: …”)."""

    text: str
    prev: tuple[str, ...] = ()
    overlap: bool = False
    fast: bool = False
    call: CallContext | None = None


class Examples(Strict):
    yes: tuple[str | Example, ...] = Field(min_length=1)
    no: tuple[str | Example, ...] = Field(min_length=1)


class Facet(Strict):
    """One thing that a handler's turn may convey; script elements are made of facets."""

    id: str
    title: str
    when: Condition | None = None
    advice: str = ""  # the standard phrase that conveys it
    examples: Examples


class FacetsNeeded(Strict):
    """How many of which facets the handler must have conveyed in the call."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    at_least: int = Field(default=1, ge=1)  # of `any`
    every_missing: bool = False  # a `collect.*` facet for every element that the order lacks
    call: CallContext | None = None  # counts only in such calls


class Element(Strict):
    """A script element (话术要素)."""

    id: str
    title: str
    source: Source
    weight: float = Field(gt=0)
    place: Literal["opening", "ending", "anywhere"] = "anywhere"  # where in a call it is said
    met: tuple[FacetsNeeded, ...] = Field(min_length=1)  # any one of these suffices
    partial: tuple[FacetsNeeded, ...] = ()
    not_applicable: tuple[CallContext, ...] = ()  # any one of these; always
    not_applicable_unsaid: tuple[CallContext, ...] = ()  # only where nothing of it was said
    advice: str


class Behaviour(Strict):
    """A prohibited behaviour (禁止行为) of the handler."""

    id: str
    title: str
    source: Source
    severity: Severity
    penalty: float = Field(gt=0)  # points off the total and the attitude score
    attitude_share: float = Field(default=1.0, ge=0, le=1)  # of the penalty, off the attitude score
    when: Condition
    decisive: bool = False  # the cues suffice, whatever the learned layer says
    only_if: Condition | None = None  # must hold whatever else speaks for the behaviour
    instead: str
    examples: Examples


class Signal(Strict):
    """A signal of the citizen (市民信号)."""

    id: str
    title: str
    source: Source
    when: Condition
    only_if: Condition | None = None  # must hold whatever else speaks for the signal
    advice: str
    examples: Examples


class Practice(Strict):
    """Good practice: advice only, no part in findings or scores."""

    id: str
    title: str
    source: Source
    when: Condition
    advice: str
    examples: Examples


class CauseRule(Strict):
    """What speaks for a cause of dissatisfaction (不满意原因)."""

    id: str
    title: str
    cause: Literal["attitude", "result", "policy", "speed"]
    source: Source
    points: float = Field(gt=0)
    when: Condition
    examples: Examples


class AttitudeLevel(Strict):
    level: Literal["good", "minor", "serious"]
    title: str
    from_score: float


class Reliability(Strict):
    """How well a turn must have been heard for anything to be held against it."""

    min_confidence: float = Field(ge=0, le=1)  # of the recogniser in its own words
    min_mandarin: float = Field(ge=0, le=1)  # that what is spoken is Mandarin
    max_no_speech: float = Field(ge=0, le=1)  # that nobody speaks
    max_compression: float = Field(gt=1)  # of the text; above, the recogniser repeats itself


class Scoring(Strict):
    """How findings become scores. Not applicable elements leave the denominator."""

    script_share: float = Field(ge=0, le=1)  # part of the total that the script elements make
    partial_credit: float = Field(ge=0, le=1)
    repeat_penalty: float = Field(ge=0)  # share of the penalty for each further turn
    courtesy_bonus: float = Field(ge=0)
    calm_bonus: float = Field(ge=0)  # calm under abuse
    course_bonus: float = Field(ge=0)  # an upset citizen was calm in the end
    course_penalty: float = Field(ge=0)  # a calm one was upset in the end, after rough words
    loud_over: float = Field(gt=0)  # dB above the handler's own median that count as raised
    high_over: float = Field(gt=0)  # semitones above it, that a loud turn must have as well
    loud_penalty: float = Field(ge=0)  # for a raised voice
    dead_air: Silence  # the silences that count, and what excuses them
    reliability: Reliability
    attitude_cause: dict[Literal["minor", "serious"], float]  # points for attitude as the cause
    levels: tuple[AttitudeLevel, ...]  # from the best downwards; the last from 0

    @model_validator(mode="after")
    def _levels_reach_zero(self) -> "Scoring":
        scores = [level.from_score for level in self.levels]
        if not scores or scores[-1] != 0 or scores != sorted(scores, reverse=True):
            raise ValueError("levels 应从高到低排列，最后一级从 0 分起")
        return self


class Profile(Strict):
    """Where a street differs from the common standard."""

    id: str
    title: str
    document: str
    overrides: dict[str, dict[str, Any]] = {}  # rule id -> keys of the rule
    timing: dict[str, Any] = {}  # deadlines and attempts: `qc.deadlines.timing.Timing`
    notices: dict[str, dict[str, Any]] = {}  # notice rule id -> keys: `qc.notices.rules.NoticeRule`


class Catalogue(Strict):
    """All rules that judge a call."""

    documents: dict[str, str]
    facets: dict[str, Facet]
    elements: dict[CallKind, tuple[Element, ...]]
    behaviours: tuple[Behaviour, ...]
    signals: tuple[Signal, ...]
    practices: tuple[Practice, ...]
    causes: tuple[CauseRule, ...]
    scoring: Scoring


class _Loader(yaml.SafeLoader):
    """YAML 1.2 booleans: only true and false, so that `yes` and `no` stay words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def read_yaml(path: Path) -> Any:
    """Content of a catalogue file.

    Raises:
        CatalogueError: the file is missing, not UTF-8 or no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise CatalogueError(
            f"规则目录缺少文件 {path.name}", f"请检查目录 {path.parent}"
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path.name} 不是 UTF-8 编码", "请另存为 UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"第 {mark.line + 1} 行" if mark else ""
        raise CatalogueError(f"{path.name} {place}不是有效的 YAML", "请检查缩进和冒号") from error


def _rules(path: Path, model: type[Model]) -> tuple[Model, ...]:
    rows = read_yaml(path)
    if not isinstance(rows, list):
        raise CatalogueError(f"{path.name} 应当是规则的列表", "每条规则以“- id:”开头")
    return tuple(
        parse_rule(row, model, path, _name(row, number)) for number, row in enumerate(rows, 1)
    )


def _name(row: Any, number: int) -> str:
    return str(row.get("id", f"第 {number} 条")) if isinstance(row, dict) else f"第 {number} 条"


def parse_rule(row: Any, model: type[Model], path: Path, name: str) -> Model:
    """A row of a catalogue file as its model.

    Raises:
        CatalogueError: a key is wrong; says file, rule and key.
    """
    try:
        return model.model_validate(row)
    except ValidationError as error:
        key, reason = what_is_wrong(error)
        raise CatalogueError(
            f"{path.name} 规则 {name} 的 {key} 有误：{reason}", "请对照 docs/rule-language.md"
        ) from error


def profile_names(folder: Path = CATALOGUE_FOLDER) -> list[str]:
    """Names of the streets' profiles."""
    return sorted(path.stem for path in (folder / "profiles").glob("*.yaml"))


def read_profile(profile: str, folder: Path = CATALOGUE_FOLDER) -> Profile:
    """Read a street's profile.

    Raises:
        CatalogueError: there is none of that name, or its file is wrong.
    """
    if profile not in profile_names(folder):
        known = "、".join(profile_names(folder))
        raise CatalogueError(f"没有名为“{profile}”的街镇配置", f"可用的有：{known}")
    path = folder / "profiles" / f"{profile}.yaml"
    return parse_rule(read_yaml(path), Profile, path, profile)


@lru_cache(maxsize=8)
def load_catalogue(folder: Path = CATALOGUE_FOLDER, profile: str = DEFAULT_PROFILE) -> Catalogue:
    """Read every rule of a catalogue folder, with a street's overrides.

    Raises:
        CatalogueError: a file is missing or wrong; says file, rule and key.
    """
    street = read_profile(profile, folder)
    facets = _rules(folder / "facets.yaml", Facet)
    documents = read_yaml(folder / "documents.yaml")
    if not isinstance(documents, dict):
        raise CatalogueError("documents.yaml 应当是“编号: 文件名”的列表", "请对照原文件修改")
    catalogue = Catalogue(
        documents={str(key): str(title) for key, title in documents.items()},
        facets=_by_id(facets),
        elements={kind: _rules(folder / f"{kind.value}.yaml", Element) for kind in CallKind},
        behaviours=_rules(folder / "conduct.yaml", Behaviour),
        signals=_rules(folder / "signals.yaml", Signal),
        practices=_rules(folder / "practice.yaml", Practice),
        causes=_rules(folder / "causes.yaml", CauseRule),
        scoring=parse_rule(
            read_yaml(folder / "scoring.yaml"), Scoring, folder / "scoring.yaml", "scoring"
        ),
    )
    catalogue = _with_overrides(catalogue, street, folder)
    _check_references(catalogue)
    return catalogue


def _by_id(facets: Sequence[Facet]) -> dict[str, Facet]:
    found: dict[str, Facet] = {}
    for facet in facets:
        if facet.id in found:
            raise CatalogueError(f"规则 {facet.id} 出现了两次", "请改用不同的 id")
        found[facet.id] = facet
    return found


def _with_overrides(catalogue: Catalogue, street: Profile, folder: Path) -> Catalogue:
    changed: dict[str, Any] = {}
    left = set(street.overrides)

    def of_street(rule: Model) -> Model:
        name = str(getattr(rule, "id", ""))
        if name not in street.overrides:
            return rule
        left.discard(name)
        row = {**rule.model_dump(), **street.overrides[name]}
        return parse_rule(row, type(rule), folder / "profiles" / f"{street.id}.yaml", name)

    changed["elements"] = {
        kind: tuple(of_street(rule) for rule in rules) for kind, rules in catalogue.elements.items()
    }
    changed["facets"] = {key: of_street(facet) for key, facet in catalogue.facets.items()}
    changed["practices"] = tuple(of_street(rule) for rule in catalogue.practices)
    changed["behaviours"] = tuple(of_street(rule) for rule in catalogue.behaviours)
    changed["causes"] = tuple(of_street(rule) for rule in catalogue.causes)
    changed["signals"] = tuple(of_street(rule) for rule in catalogue.signals)
    if left:
        raise CatalogueError(
            f"profiles/{street.id}.yaml 改了不存在的规则 {sorted(left)[0]}", "请检查拼写"
        )
    return catalogue.model_copy(update=changed)


def _check_references(catalogue: Catalogue) -> None:
    rules = [rule for elements in catalogue.elements.values() for rule in elements]
    seen: set[str] = set()
    sourced: list[Element | Behaviour | Signal | Practice | CauseRule] = [
        *rules, *catalogue.behaviours, *catalogue.signals, *catalogue.practices, *catalogue.causes
    ]  # fmt: skip
    for rule in sourced:
        if rule.id in seen:
            raise CatalogueError(f"规则 {rule.id} 出现了两次", "请改用不同的 id")
        seen.add(rule.id)
        if rule.source.document not in catalogue.documents:
            raise CatalogueError(
                f"规则 {rule.id} 的 source.document “{rule.source.document}”不在 documents.yaml 中",
                "请先登记文件",
            )
    for element in rules:
        for needed in (*element.met, *element.partial):
            for facet in (*needed.all, *needed.any):
                if facet not in catalogue.facets:
                    raise CatalogueError(
                        f"规则 {element.id} 用到的 {facet} 不在 facets.yaml 中", "请检查拼写"
                    )
