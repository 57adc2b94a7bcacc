"""The result of inspecting one call, with the evidence and source of everything it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qc.catalogue import Severity, Source
from qc.fitness import Quality
from qc.order import AnsweredBy, CallKind, EndedBy, Order
from qc.overtalk import Overtalk
from qc.reliability import Doubt
from qc.silences import DeadAir
from qc.slots import SLOT_TITLES, Slot
from qc.transcript import Transcript, Turn

Status = Literal["met", "partial", "missing", "not_applicable"]
Satisfaction = Literal["satisfied", "basically", "neutral", "dissatisfied", "none"]
Level = Literal["good", "minor", "serious"]
Cause = Literal["attitude", "result", "policy", "speed"]

STATUS_TITLES: dict[Status, str] = {
    "met": "做到",
    "partial": "部分做到",
    "missing": "缺失",
    "not_applicable": "不适用",
}
SATISFACTION_TITLES: dict[Satisfaction, str] = {
    "satisfied": "满意",
    "basically": "基本满意",
    "neutral": "一般",
    "dissatisfied": "不满意",
    "none": "未表态",
}


CAUSE_TITLES: dict[Cause, str] = {
    "attitude": "服务态度",
    "result": "处理结果",
    "policy": "政策限制",
    "speed": "处理效率",
}


@dataclass(frozen=True)
class Quote:
    """Words of a turn that speak for a finding."""

    turn: Turn
    text: str
    label: str  # the facet, behaviour or signal that was heard
    confidence: float
    layers: tuple[str, ...]


@dataclass(frozen=True)
class ElementFinding:
    id: str
    title: str
    status: Status
    evidence: tuple[Quote, ...]
    lacking: tuple[str, ...]  # titles of the facets that would have made it met
    slots: tuple[Slot, ...]
    weight: float
    advice: str
    source: Source
    undetermined: bool = False  # hardly heard: the status is the most favourable, a person decides


@dataclass(frozen=True)
class BehaviourFinding:
    id: str
    title: str
    quotes: tuple[Quote, ...]
    confidence: float
    severity: Severity
    penalty: float
    instead: str
    source: Source

    @property
    def turns(self) -> list[int]:
        return [quote.turn.index for quote in self.quotes]


@dataclass(frozen=True)
class SignalFinding:
    id: str
    title: str
    quotes: tuple[Quote, ...]
    confidence: float
    advice: str
    source: Source

    @property
    def turns(self) -> list[int]:
        return [quote.turn.index for quote in self.quotes]


@dataclass(frozen=True)
class Mismatch:
    """What the handler said that differs from the order, and nowhere said rightly."""

    slot: Slot
    element: str  # id of the element under which it is compared
    turn: Turn
    source: Source

    @property
    def title(self) -> str:
        return f"核对的{SLOT_TITLES[self.slot.name]}与工单不符"

    @property
    def text(self) -> str:
        return f"{self.title}：说的是“{self.slot.said}”，工单为“{self.slot.filed}”"


@dataclass(frozen=True)
class LikelyCause:
    """The likeliest cause of dissatisfaction, with the words that speak for it."""

    id: Cause
    points: float  # what speaks for it, beside what speaks for the others
    others: tuple[tuple[Cause, float], ...]
    quotes: tuple[Quote, ...]

    @property
    def title(self) -> str:
        return CAUSE_TITLES[self.id]


@dataclass(frozen=True)
class Reason:
    """One plus or minus of the attitude score."""

    points: float
    text: str
    turn: Turn | None = None


@dataclass(frozen=True)
class Attitude:
    score: int  # 0..100
    level: Level
    title: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Praise:
    """Good practice that was heard."""

    title: str
    turn: Turn


@dataclass(frozen=True)
class Opinion:
    """What a language model said of a doubtful finding. A rejected one is no finding any more."""

    rule: str  # id of a behaviour, signal or facet
    title: str
    turn: Turn
    found: bool  # whether the other layers had found it
    confidence: float  # theirs
    verdict: Literal["confirm", "reject", "undecided"]
    reason: str


@dataclass(frozen=True)
class Inspection:
    """Everything that was found in one call."""

    call_id: str
    kind: CallKind
    order: Order
    transcript: Transcript
    answered_by: AnsweredBy
    ended_by: EndedBy
    elements: tuple[ElementFinding, ...]
    behaviours: tuple[BehaviourFinding, ...]
    citizen: tuple[SignalFinding, ...]
    satisfaction: Satisfaction
    attitude: Attitude
    score: int  # 0..100
    praise: tuple[Praise, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    cause: LikelyCause | None = None  # of dissatisfaction
    doubtful: tuple[BehaviourFinding, ...] = ()  # heard only where hardly anything was heard
    hardly_heard: tuple[Doubt, ...] = ()  # stretches whose words are not to be relied on
    warnings: tuple[str, ...] = ()  # about the recording, the roles, the order; Chinese sentences
    opinions: tuple[Opinion, ...] = ()  # in the order asked
    overtalk: Overtalk | None = None  # None where the turns do not tell
    dead_air: DeadAir | None = None  # None where times are not known
    recording: Quality | None = None  # None where the turns were given
    fingerprint: str = ""  # of the sound, as `qc.fingerprint.to_text` writes it

    @property
    def undetermined(self) -> list[str]:
        """Elements and behaviours on which a person must decide."""
        elements = [e.id for e in self.elements if e.undetermined]
        return [*elements, *(b.id for b in self.doubtful)]

    def to_json(self) -> dict[str, Any]:
        """The verdict as the command line and the API give it (one object a call)."""
        return {
            "call_id": self.call_id,
            "kind": self.kind.value,
            "elements": {e.id: _element_json(e) for e in self.elements},
            "behaviours": [_behaviour_json(b) for b in self.behaviours],
            "citizen": [
                {
                    "id": s.id,
                    "turns": s.turns,
                    "quote": s.quotes[0].text,
                    "seconds": _seconds(s.quotes),
                }
                for s in self.citizen
            ],
            "satisfaction": self.satisfaction,
            "attitude": {
                "score": self.attitude.score,
                "level": self.attitude.level,
                "reasons": [{"points": r.points, "text": r.text} for r in self.attitude.reasons],
            },
            "score": self.score,
            "mismatches": [_mismatch_json(m) for m in self.mismatches],
            "cause": _cause_json(self.cause) if self.cause else None,
            "undetermined": self.undetermined,
            "answered_by": self.answered_by,
            "ended_by": self.ended_by,
            "warnings": list(self.warnings),
            "opinions": [_opinion_json(o) for o in self.opinions],
            "overtalk": self.overtalk.to_json() if self.overtalk else None,
            "dead_air": self.dead_air.to_json() if self.dead_air else None,
            "reliability": [
                {"start": d.start, "end": d.end, "reasons": list(d.reasons)}
                for d in self.hardly_heard
            ],
            "recording": self.recording.to_json() if self.recording else None,
        }


def _mismatch_json(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "field": mismatch.slot.name,
        "said": mismatch.slot.said,
        "filed": mismatch.slot.filed,
        "element": mismatch.element,
        "turn": mismatch.turn.index,
        "start": mismatch.turn.start,
        "quote": mismatch.turn.text,
        "title": mismatch.title,
        "source": _source_json(mismatch.source),
    }


def _cause_json(cause: LikelyCause) -> dict[str, Any]:
    return {
        "id": cause.id,
        "title": cause.title,
        "points": cause.points,
        "others": dict(cause.others),
        "evidence": [
            {"turn": q.turn.index, "quote": q.text, "start": q.turn.start} for q in cause.quotes
        ],
    }


def _element_json(element: ElementFinding) -> dict[str, Any]:
    return {
        "status": element.status,
        "undetermined": element.undetermined,
        "evidence": [
            {"turn": q.turn.index, "quote": q.text, "facet": q.label, "start": q.turn.start}
            for q in element.evidence
        ],
        "slots": {
            slot.name: {"said": slot.said, "filed": slot.filed, "agrees": slot.agrees}
            for slot in element.slots
        },
        "lacking": list(element.lacking),
        "source": _source_json(element.source),
    }


def _behaviour_json(behaviour: BehaviourFinding) -> dict[str, Any]:
    return {
        "id": behaviour.id,
        "turns": behaviour.turns,
        "quote": behaviour.quotes[0].text,
        "seconds": _seconds(behaviour.quotes),
        "confidence": round(behaviour.confidence, 3),
        "severity": behaviour.severity,
        "layers": sorted({layer for quote in behaviour.quotes for layer in quote.layers}),
        "instead": behaviour.instead,
        "source": _source_json(behaviour.source),
    }


def _opinion_json(opinion: Opinion) -> dict[str, Any]:
    return {
        "id": opinion.rule,
        "title": opinion.title,
        "turn": opinion.turn.index,
        "quote": opinion.turn.text,
        "found": opinion.found,
        "confidence": round(opinion.confidence, 3),
        "verdict": opinion.verdict,
        "reason": opinion.reason,
    }


def _seconds(quotes: Sequence[Quote]) -> list[Mapping[str, float | None]]:
    return [{"start": q.turn.start, "end": q.turn.end} for q in quotes]


def _source_json(source: Source) -> dict[str, str]:
    return {"document": source.document, "clause": source.clause}
