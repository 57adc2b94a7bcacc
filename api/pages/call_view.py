"""What the page of a call shows, made from the stored verdict and what people said of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from api.masking import View
from api.routes.appeals import AppealShown
from api.routes.reviews import ReviewShown
from api.tables import FindingRow, InspectionRow
from qc.catalogue import SEVERITY_TITLES, load_catalogue
from qc.figures.rule_titles import rule_titles
from qc.inspection import STATUS_TITLES
from qc.order import Order

SIGNS = {"missing": "✗", "signal": "!", "met": "✓", "partial": "◐", "praise": "★"}
_PRIORITY = ("missing", "signal", "partial", "met")  # of marks that overlap
_LAYERS = {
    "cue": "用词",
    "slot": "与工单比对",
    "learned": "分类器",
    "semantic": "语义",
    "llm": "大模型",
}


class Note(NamedTuple):
    """A finding at its place in the dialogue. `tone` is a class of the style sheet."""

    tone: str
    text: str


@dataclass(frozen=True)
class ShownTurn:
    """One turn of the dialogue with what was found in it."""

    index: int
    role: str
    start: float | None
    end: float | None
    words: Markup  # evidence marked
    overlap: bool
    fast: bool
    notes: tuple[Note, ...]

    @property
    def is_bad(self) -> bool:
        return any(note.tone == "missing" for note in self.notes)


@dataclass(frozen=True)
class ShownFinding:
    """A finding that a person may confirm, overturn or appeal."""

    id: str
    family: str
    rule_id: str
    turn: int | None
    start: float | None
    tone: str
    label: str  # severity or status, Chinese
    title: str
    quote: str
    advice: str
    source: str
    confidence: float | None
    layers: str
    lacking: tuple[str, ...]
    undetermined: bool
    decision: str
    reviews: tuple[ReviewShown, ...]
    appeals: tuple[AppealShown, ...]


def documents(source: Mapping[str, str]) -> str:
    """A source clause as people cite it."""
    title = load_catalogue().documents.get(source.get("document", ""), "")
    return f"{title.split('《')[0]}　{source.get('clause', '')}".strip()


def shown_turns(
    found: InspectionRow, verdict: Mapping[str, Any] | None, view: View, order: Order
) -> list[ShownTurn]:
    """The dialogue, masked as the reader may see it; without a verdict, the words only."""
    notes, quotes = _notes(verdict) if verdict else (defaultdict(list), defaultdict(list))
    return [
        ShownTurn(
            index=turn["index"],
            role=turn["role"],
            start=turn["start"],
            end=turn["end"],
            words=_marked(view.words(turn["text"], order), quotes[turn["index"]]),
            overlap=turn.get("overlap", False),
            fast=turn.get("fast", False),
            notes=tuple(dict.fromkeys(notes[turn["index"]])),
        )
        for turn in found.transcript
    ]


def _notes(
    verdict: Mapping[str, Any],
) -> tuple[dict[int, list[Note]], dict[int, list[tuple[str, str]]]]:
    """By turn: what was found there, and the words to be marked with their tone."""
    notes: dict[int, list[Note]] = defaultdict(list)
    quotes: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for kind, tone in (("behaviours", "missing"), ("citizen", "signal")):
        for found in verdict[kind]:
            for said in found["quotes"]:
                notes[said["turn"]].append(Note(tone, found["title"]))
                quotes[said["turn"]].append((tone, said["text"]))
    for element in verdict["elements"].values():
        status = element["status"]
        mark = "" if status == "met" else f"（{STATUS_TITLES[status]}）"
        for said in element["evidence"]:
            notes[said["turn"]].append(Note(status, element["title"] + mark))
            quotes[said["turn"]].append((status, said["quote"]))
    return notes, quotes


def _marked(text: str, quotes: Sequence[tuple[str, str]]) -> Markup:
    """The text with its evidence in coloured marks; of two that overlap, the graver one."""
    spans: list[tuple[int, int, str]] = []
    for tone, quote in sorted(quotes, key=lambda q: _rank(q[0])):
        at = text.find(quote) if quote else -1
        if at >= 0 and all(at + len(quote) <= s or at >= e for s, e, _ in spans):
            spans.append((at, at + len(quote), tone))
    parts, last = [], 0
    for start, end, tone in sorted(spans):
        parts += [escape(text[last:start])]
        parts += [Markup('<mark class="{}">{}</mark>').format(tone, text[start:end])]
        last = end
    return Markup("").join([*parts, escape(text[last:])])


def _rank(tone: str) -> int:
    return _PRIORITY.index(tone) if tone in _PRIORITY else len(_PRIORITY)


def shown_findings(
    found: InspectionRow,
    verdict: Mapping[str, Any],
    reviews: Sequence[ReviewShown],
    appeals: Sequence[AppealShown],
) -> list[ShownFinding]:
    """What is to be looked at: prohibited behaviours, lapses of the script, then signals.

    Args:
        verdict: masked as the reader may see it; so are `reviews` and `appeals`, the oldest first.
    """
    shown = [_shown(f, verdict, reviews, appeals) for f in found.findings if _is_shown(f, verdict)]
    order = {"behaviour": 0, "element": 1, "signal": 2}
    return sorted(shown, key=lambda f: (order[f.family], f.start is None, f.start or 0, f.rule_id))


def _is_shown(finding: FindingRow, verdict: Mapping[str, Any]) -> bool:
    if finding.family != "element":
        return finding.family in ("behaviour", "signal")
    element = verdict["elements"].get(finding.rule_id, {})
    return element.get("undetermined") or finding.status in ("missing", "partial")


def _shown(
    finding: FindingRow,
    verdict: Mapping[str, Any],
    reviews: Sequence[ReviewShown],
    appeals: Sequence[AppealShown],
) -> ShownFinding:
    rule = _rule_of(finding, verdict)
    tone = {"behaviour": "missing", "signal": "signal"}.get(finding.family, finding.status)
    label = {"behaviour": SEVERITY_TITLES.get(finding.severity, ""), "signal": "市民信号"}  # type: ignore[call-overload]
    return ShownFinding(
        id=finding.id,
        family=finding.family,
        rule_id=finding.rule_id,
        turn=finding.turn,
        start=finding.start,
        tone=tone,
        label=label.get(finding.family) or STATUS_TITLES[finding.status],  # type: ignore[index]
        title=rule.get("title", finding.rule_id),
        quote=_quote(finding, rule),
        advice=rule.get("instead") or rule.get("advice", ""),
        source=documents(rule.get("source", {})),
        confidence=finding.confidence,
        layers="、".join(_LAYERS.get(layer, layer) for layer in rule.get("layers", ())),
        lacking=tuple(rule.get("lacking", ())),
        undetermined=bool(rule.get("undetermined")),
        decision=finding.decision,
        reviews=tuple(r for r in reviews if _speaks_of(r, finding)),
        appeals=tuple(a for a in appeals if _speaks_of(a, finding)),
    )


def _speaks_of(word: ReviewShown | AppealShown, finding: FindingRow) -> bool:
    at_it = word.turn is None or word.turn == finding.turn or finding.family == "element"
    return at_it and word.rule_id == finding.rule_id


def _rule_of(finding: FindingRow, verdict: Mapping[str, Any]) -> Mapping[str, Any]:
    if finding.family == "element":
        element: Mapping[str, Any] = verdict["elements"].get(finding.rule_id, {})
        return element
    kind = "behaviours" if finding.family == "behaviour" else "citizen"
    return next((found for found in verdict[kind] if found["id"] == finding.rule_id), {})


def _quote(finding: FindingRow, rule: Mapping[str, Any]) -> str:
    """The words, taken from the masked verdict and not from the row."""
    if finding.family == "element":
        return "　".join(dict.fromkeys(said["quote"] for said in rule.get("evidence", ())))
    said = (s["text"] for s in rule.get("quotes", ()) if s["turn"] == finding.turn)
    return next(said, "")


def doubtful_titles(verdict: Mapping[str, Any]) -> list[str]:
    """Behaviours that were hardly heard, on which a person must decide."""
    titles = rule_titles()
    return [titles.get(i, i) for i in verdict.get("undetermined", ()) if i.startswith("bh.")]


@dataclass(frozen=True)
class Field:
    """A field of the order: what was filed, what was said, and whether the two agree."""

    title: str
    filed: str
    said: str
    agrees: bool | None
    was_said: bool


def fields(order: Order, verdict: Mapping[str, Any]) -> list[Field]:
    """The order's fields beside what was said of them."""
    said: dict[str, Any] = {}
    for element in verdict["elements"].values():
        said |= element["slots"]
    filed = {
        "name": ("诉求人", order.petitioner),
        "date": ("反映日期", order.reported_on),
        "address": ("地址", order.address),
        "issue": ("诉求", order.issue),
        "department": ("部门", order.department),
    }
    return [
        Field(
            title,
            str(value or ""),
            said[name]["said"] if name in said else "",
            said[name]["agrees"] if name in said else None,
            name in said,
        )
        for name, (title, value) in filed.items()
        if value or name in said
    ]


def regions(
    findings: Sequence[ShownFinding], turns: Sequence[ShownTurn]
) -> Iterator[dict[str, Any]]:
    """Marks on the waveform: where each finding was heard."""
    by_index = {turn.index: turn for turn in turns}
    for finding in findings:
        turn = by_index.get(finding.turn) if finding.turn is not None else None
        if turn is None or turn.start is None or finding.tone == "met":
            continue
        yield {
            "id": finding.id,
            "start": turn.start,
            "end": turn.end or turn.start + 1,
            "tone": finding.tone,
            "title": finding.title,
        }
