"""Reports for people: the page of a call, and the summary of a spot check.

Personal data is masked unless `unmasked` is asked for. Pages are single files without scripts or
outside addresses, so that they can be mailed, archived and printed.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import jinja2
from pydantic import BaseModel, ConfigDict

from qc.catalogue import SEVERITY_TITLES, Severity, load_catalogue
from qc.fitness import LEVEL_TITLES, QualityLevel
from qc.inspection import (
    SATISFACTION_TITLES,
    STATUS_TITLES,
    Cause,
    Inspection,
    Level,
    Quote,
    Satisfaction,
    Status,
)
from qc.order import KIND_TITLES, CallKind
from qc.privacy import mask_file_name, masked
from qc.transcript import ROLE_TITLES, Role

TEMPLATES = Path(__file__).parent / "templates"
UNKNOWN = "未填写"  # a department or handler that the order does not name
WORST_CALLS = 10
WEAKEST_ELEMENTS = 3
GOOD_SCORE, FAIR_SCORE = 85, 65  # as the levels of the attitude score
QUOTES_A_GROUP = 3  # of one behaviour of one handler in the summary; the rest is counted


RowStatus = Literal["ok", "invalid", "failed", "error"]
# invalid: no call to be judged in it; failed: the file or the order is broken; error: the program


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Saying(_Record):
    turn: int
    text: str
    start: float | None


class ElementEvidence(_Record):
    quote: str
    start: float | None


class ElementVerdict(_Record):
    title: str
    status: Status
    evidence: tuple[ElementEvidence, ...]
    lacking: tuple[str, ...]
    advice: str
    undetermined: bool = False


class BehaviourVerdict(_Record):
    id: str
    title: str
    severity: Severity
    confidence: float
    instead: str
    source: Mapping[str, str]
    quotes: tuple[Saying, ...]


class SignalVerdict(_Record):
    id: str
    title: str
    advice: str
    quotes: tuple[Saying, ...]


class AttitudeVerdict(_Record):
    score: int
    level: Level
    title: str


class SpokenTurn(_Record):
    role: Role
    text: str
    start: float | None
    end: float | None


class PraiseVerdict(_Record):
    title: str
    turn: int
    text: str


class RecordingVerdict(_Record):
    quality: QualityLevel
    reasons: tuple[str, ...]


class CauseVerdict(_Record):
    id: Cause
    title: str


class Verdict(_Record):
    """`Inspection.to_json()` with titles and advice, so that reports need no catalogue."""

    elements: Mapping[str, ElementVerdict]
    behaviours: tuple[BehaviourVerdict, ...]
    citizen: tuple[SignalVerdict, ...]
    satisfaction: Satisfaction
    attitude: AttitudeVerdict
    score: int
    warnings: tuple[str, ...]
    undetermined: tuple[str, ...] = ()
    cause: CauseVerdict | None = None
    recording: RecordingVerdict | None = None
    praise: tuple[PraiseVerdict, ...] = ()
    turns: tuple[SpokenTurn, ...] = ()  # what was said, for clips and practice

    def titles(self, status: Status) -> list[str]:
        """Script elements of that status."""
        return [element.title for element in self.elements.values() if element.status == status]


class Row(_Record):
    """One recording of a spot check: a line of `results.jsonl`."""

    id: str  # of the recording and its order
    key: str  # of what was inspected: file, order, setup; empty where the file could not be read
    recording: str
    status: RowStatus
    reason: str = ""
    page: str = ""  # of the call, relative to the output folder
    sha256: str = ""
    kind: CallKind | None = None
    order_id: str = ""
    department: str = ""
    handler: str = ""
    seconds: float | None = None
    unmasked: bool = False
    verdict: Verdict | None = None
    fingerprint: str = ""  # of the sound, as `qc.fingerprint.to_text` writes it
    same_sound: tuple[str, ...] = ()  # other recordings with the same sound


def verdict(inspection: Inspection, *, unmasked: bool = False) -> Verdict:
    """What was found, as it is stored."""
    shown = inspection if unmasked else masked(inspection)
    data = shown.to_json()
    for element in shown.elements:
        data["elements"][element.id] |= {"title": element.title, "advice": element.advice}
    for behaviour, stored in zip(shown.behaviours, data["behaviours"], strict=True):
        stored |= {"title": behaviour.title, "quotes": _sayings(behaviour.quotes)}
    for signal, stored in zip(shown.citizen, data["citizen"], strict=True):
        stored |= {"title": signal.title, "quotes": _sayings(signal.quotes)}
        stored["advice"] = signal.advice
    data["attitude"]["title"] = shown.attitude.title
    data["praise"] = [
        {"title": p.title, "turn": p.turn.index, "text": p.turn.text} for p in shown.praise
    ]
    data["turns"] = [
        {"role": t.role, "text": t.text, "start": t.start, "end": t.end}
        for t in shown.transcript.turns
    ]
    return Verdict.model_validate(data)


def _sayings(quotes: Sequence[Quote]) -> list[Mapping[str, Any]]:
    return [{"turn": q.turn.index, "text": q.text, "start": q.turn.start} for q in quotes]


class Note(NamedTuple):
    """A finding shown at its place in the dialogue. `tone` is a class of the style sheet."""

    tone: str
    text: str


def call_page(
    inspection: Inspection,
    *,
    recording: str = "",
    seconds: float | None = None,
    unmasked: bool = False,
    documents: Mapping[str, str] | None = None,
) -> str:
    """The page of one call, as HTML.

    Args:
        recording: name to show; the inspection's id where empty.
        seconds: length of the recording.
        documents: titles of the documents that rules cite; the bundled catalogue's where None.
    """
    shown = inspection if unmasked else masked(inspection)
    name = recording or inspection.call_id or "通话"
    applicable = [e for e in shown.elements if e.status != "not_applicable" and not e.undetermined]
    return (
        page_templates()
        .get_template("call.html.jinja")
        .render(
            call=shown,
            recording=name if unmasked else mask_file_name(name, inspection.order),
            seconds=seconds,
            unmasked=unmasked,
            documents=load_catalogue().documents if documents is None else documents,
            notes=_notes(shown),
            said={slot.name: slot for element in shown.elements for slot in element.slots},
            applicable=applicable,
            lapses=[e for e in applicable if e.status != "met"],
        )
    )


def _notes(inspection: Inspection) -> Mapping[int, Sequence[Note]]:
    """By turn: what was done wrong first, then the citizen's signals, then what was done well."""
    notes: dict[int, list[Note]] = defaultdict(list)
    for behaviour in inspection.behaviours:
        for said in behaviour.quotes:
            notes[said.turn.index].append(Note("missing", behaviour.title))
    for signal in inspection.citizen:
        for said in signal.quotes:
            notes[said.turn.index].append(Note("signal", signal.title))
    for element in inspection.elements:
        for said in element.evidence:
            mark = "" if element.status == "met" else f"（{STATUS_TITLES[element.status]}）"
            notes[said.turn.index].append(Note(element.status, element.title + mark))
    for praise in inspection.praise:
        notes[praise.turn.index].append(Note("praise", praise.title))
    return {turn: list(dict.fromkeys(found)) for turn, found in notes.items()}


@lru_cache(maxsize=1)
def page_templates() -> jinja2.Environment:
    """The templates of pages, with the titles and filters that they use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"clock": clock, "duration": duration, "href": quote, "band": band}
    environment.globals |= {
        "KINDS": KIND_TITLES,
        "STATUSES": STATUS_TITLES,
        "SATISFACTIONS": SATISFACTION_TITLES,
        "SEVERITIES": SEVERITY_TITLES,
        "ROLES": ROLE_TITLES,
        "QUALITIES": LEVEL_TITLES,
    }
    return environment


def clock(seconds: float | None) -> str:
    """A position in a recording: 1:05; nothing where it is not known."""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def duration(seconds: float | None) -> str:
    """A length: 2小时5分, 3分20秒."""
    if seconds is None:
        return "时长不明"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}小时{minutes % 60}分"
    return f"{minutes}分{rest}秒" if minutes else f"{rest}秒"


def band(score: float) -> str:
    """Class of the style sheet for a score of 0..100: the levels of the attitude score."""
    return "met" if score >= GOOD_SCORE else "partial" if score >= FAIR_SCORE else "missing"


@dataclass
class Group:
    """Sums over the calls of a department."""

    calls: int = 0
    scores: int = 0
    conduct_calls: int = 0
    serious: int = 0
    lacking: Counter[str] = field(default_factory=Counter)

    @property
    def mean(self) -> float:
        return self.scores / self.calls if self.calls else 0.0


@dataclass
class Conduct:
    """How often a handler showed a behaviour, with some of the words."""

    severity: Severity
    count: int = 0
    quotes: list[tuple[Saying, str]] = field(default_factory=list)  # with the page of the call


@dataclass
class Digest:
    """A spot check summed up row by row."""

    total: Group = field(default_factory=Group)
    seconds: float = 0.0
    fatal: int = 0
    levels: Counter[Level] = field(default_factory=Counter)
    satisfaction: Counter[Satisfaction] = field(default_factory=Counter)  # of replies
    signals: Counter[str] = field(default_factory=Counter)
    elements: dict[CallKind, dict[str, Counter[Status]]] = field(
        default_factory=lambda: {kind: defaultdict(Counter) for kind in CallKind}
    )
    departments: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    conduct: dict[tuple[str, str], dict[str, Conduct]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    behaviours: Counter[str] = field(default_factory=Counter)  # times each was shown
    unmasked: bool = False
    failures: list[Row] = field(default_factory=list)
    invalid: list[Row] = field(default_factory=list)
    poor: int = 0  # calls whose recording is hard to hear
    same_sound: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count one recording."""
        self.unmasked |= row.unmasked
        if row.same_sound:
            self.same_sound.append(row)
        if row.verdict is None or row.kind is None:
            (self.invalid if row.status == "invalid" else self.failures).append(row)
            return
        found, department = row.verdict, row.department or UNKNOWN
        self.seconds += row.seconds or 0.0
        self.poor += found.recording is not None and found.recording.quality == "poor"
        for group in (self.total, self.departments[department]):
            group.calls += 1
            group.scores += found.score
            group.conduct_calls += bool(found.behaviours)
            group.serious += found.attitude.level == "serious"
            group.lacking.update([*found.titles("missing"), *found.titles("partial")])
        self.fatal += any(b.severity == "fatal" for b in found.behaviours)
        self.levels[found.attitude.level] += 1
        if row.kind is CallKind.REPLY:
            self.satisfaction[found.satisfaction] += 1
        self.signals.update(signal.title for signal in found.citizen)
        for element in found.elements.values():
            self.elements[row.kind][element.title][element.status] += 1
        for behaviour in found.behaviours:
            shown = self.conduct[department, row.handler or UNKNOWN].setdefault(
                behaviour.title, Conduct(behaviour.severity)
            )
            shown.count += len(behaviour.quotes)
            self.behaviours[behaviour.title] += len(behaviour.quotes)
            room = QUOTES_A_GROUP - len(shown.quotes)
            shown.quotes += [(said, row.page) for said in behaviour.quotes[:room]]

    @property
    def weakest(self) -> list[tuple[CallKind, str, int, int]]:
        """The script elements met least often: kind, title, calls that met it, of how many."""
        met = [
            (kind, title, counts["met"], counts.total() - counts["not_applicable"])
            for kind, elements in self.elements.items()
            for title, counts in elements.items()
        ]
        lapsed = [row for row in met if row[2] < row[3]]
        return sorted(lapsed, key=lambda row: (row[2] / row[3], -row[3]))[:WEAKEST_ELEMENTS]


def write_summary(
    rows: Iterable[Row], path: Path, *, made_on: date, source: str = "", compared: bool = True
) -> None:
    """Write the summary page for a department head; `rows` is gone through three times.

    Args:
        compared: whether it was looked for recordings with the same sound.
    """
    digest = Digest()
    for row in rows:
        digest.add(row)
    worst = heapq.nsmallest(
        WORST_CALLS,
        (row for row in rows if row.verdict and row.verdict.score < GOOD_SCORE),
        key=lambda row: row.verdict.score if row.verdict else 0,
    )
    page = page_templates().get_template("summary.html.jinja")
    stream = page.stream(
        digest=digest,
        rows=rows,
        worst=worst,
        made_on=made_on,
        source=mask_file_name(source),
        unknown=UNKNOWN,
        unmasked=digest.unmasked,
        compared=compared,
    )
    part = path.with_suffix(".part")
    stream.dump(str(part), encoding="utf-8")
    part.replace(path)
