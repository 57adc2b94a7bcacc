"""Calls and filed texts cut into sentences or clauses, so that rules can be asked of each."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qc.conditions import Condition
from qc.filed import Filing
from qc.inspection import Inspection
from qc.order import CallKind, Order
from qc.orders.finding import OrderQuote, filed, said
from qc.scene import Scene, find
from qc.text import plain
from qc.transcript import Role, Transcript, Turn

SENTENCE = re.compile(r"[^。！？；!?;\n]+[。！？；!?;\n]*")
# A recogniser that writes no marks leaves a space where the speaker paused.
CLAUSE = re.compile(r"[^，。！？；,!?;\s]+[，。！？；,!?;\s]*")
FIELD_TITLES = {
    "urgency": "紧急程度",
    "received_at": "派单时间",
    "accepted_at": "接单时间",
    "first_contact_at": "先行联系时间",
    "replied_at": "回复时间",
    "closed_at": "办结时间",
    "extension_requested_at": "延期申请时间",
    "returned_at": "退单时间",
    "return_reason": "退单理由",
    "first_contact_description": "先行联系情况",
    "fact_finding": "事实认定",
    "handling_result": "处理结果",
    "reply_summary": "答复要点",
    "closing_report": "办结报告",
    "satisfaction": "市民满意度",
}


@dataclass(frozen=True)
class Passage:
    """Pieces of text that rules are asked of, each with the quote that points back to its place."""

    scene: Scene
    quotes: tuple[OrderQuote, ...]  # one for each turn of the scene

    @cached_property
    def text(self) -> str:
        return "".join(quote.text for quote in self.quotes)

    def places(self, condition: Condition) -> list[int]:
        """Indices of the pieces for which a condition holds."""
        turns = self.scene.transcript.turns
        return [t.index for t in turns if find(condition, self.scene, t.index) is not None]

    def hear(self, condition: Condition) -> tuple[OrderQuote, ...]:
        """The pieces for which a condition holds."""
        return tuple(self.quotes[place] for place in self.places(condition))


def call_passage(
    call: int, inspection: Inspection, by: re.Pattern[str] = CLAUSE, role: Role | None = Role.AGENT
) -> Passage:
    """What one side (or both: None) said in a call; `call` is its index in the order file."""
    turns: list[Turn] = []
    quotes: list[OrderQuote] = []
    for turn in inspection.transcript.turns:
        if role is not None and turn.role is not role:
            continue
        for piece in _pieces(turn.text, by):
            turns.append(Turn(len(turns), turn.role, piece, start=turn.start, end=turn.end))
            quotes.append(said(call, inspection, turn, piece))
    scene = Scene(
        Transcript(tuple(turns)),
        inspection.order,
        inspection.kind,
        answered_by=inspection.answered_by,
        ended_by=inspection.ended_by,
    )
    return Passage(scene, tuple(quotes))


def field_passage(
    field: str, text: str | None, order: Order, by: re.Pattern[str] = SENTENCE
) -> Passage:
    """A filed text; its pieces count as said by the handler, in a reply."""
    pieces = _pieces(text or "", by)
    turns = tuple(Turn(i, Role.AGENT, piece) for i, piece in enumerate(pieces))
    quotes = tuple(filed(field, FIELD_TITLES[field], piece) for piece in pieces)
    return Passage(Scene(Transcript(turns), order, CallKind.REPLY), quotes)


def quote_field(filing: Filing, field: str) -> OrderQuote:
    """A filed field as it stands, times to the minute."""
    value: Any = getattr(filing, field)
    shown = value.strftime("%Y-%m-%d %H:%M") if hasattr(value, "strftime") else str(value)
    return filed(field, FIELD_TITLES[field], shown)


def _pieces(text: str, by: re.Pattern[str]) -> list[str]:
    return [piece.strip() for piece in by.findall(text) if plain(piece)]
