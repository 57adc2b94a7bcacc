"""A finding about an order as a whole, with the words that show it."""

from dataclasses import dataclass
from typing import Any

from qc.catalogue import Severity, Source
from qc.inspection import Inspection
from qc.order import KIND_TITLES
from qc.transcript import Turn


@dataclass(frozen=True)
class OrderQuote:
    """Words of a call, or of a field of the order, that speak for a finding."""

    where: str  # for people, in Chinese: “先行联系第 3 句”, “答复要点”
    text: str
    call: int | None = None  # index of the call in the order file; None for a field
    turn: int | None = None  # index of the turn in the call
    start: float | None = None  # seconds from the start of the recording
    field: str | None = None  # name of the field in `Filing` or `Order`; None for a call

    def to_json(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "text": self.text,
            "call": self.call,
            "turn": self.turn,
            "start": self.start,
            "field": self.field,
        }


@dataclass(frozen=True)
class OrderFinding:
    """Something wrong with an order. At least one quote: there is no finding without evidence."""

    id: str  # room and rule: cs.* consistency, tl.* timeliness, mc.* missed calls, rw.* wording
    title: str
    severity: Severity
    text: str  # what is wrong, a Chinese sentence for a clerk
    source: Source
    advice: str  # what to do about it
    quotes: tuple[OrderQuote, ...]
    doubt: str = ""  # why a person should look first: a doubtful transcript; "" for none

    def __post_init__(self) -> None:
        if not self.quotes:
            raise ValueError(f"{self.id}: no finding without evidence")

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "severity": self.severity,
            "text": self.text,
            "source": {"document": self.source.document, "clause": self.source.clause},
            "advice": self.advice,
            "quotes": [quote.to_json() for quote in self.quotes],
            "doubt": self.doubt,
        }


def said(call: int, inspection: Inspection, turn: Turn, text: str | None = None) -> OrderQuote:
    """Quote a turn of a call, whole unless a part is given."""
    return OrderQuote(
        where=f"{KIND_TITLES[inspection.kind]}第 {turn.index + 1} 句",
        text=turn.text if text is None else text,
        call=call,
        turn=turn.index,
        start=turn.start,
    )


def filed(field: str, title: str, text: str) -> OrderQuote:
    """Quote a field of the order."""
    return OrderQuote(where=title, text=text, field=field)
