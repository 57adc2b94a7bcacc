"""An order with its calls and rules, as the checks of consistency see it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qc.catalogue import Reliability
from qc.filed import Filing, OrderFile
from qc.inspection import ElementFinding, Inspection
from qc.order import CallKind
from qc.orders.finding import OrderFinding, OrderQuote, said
from qc.orders.rules import OrderRules
from qc.reliability import UNSURE_ROLES, doubtful_turns
from qc.transcript import Turn

REACHED = ("petitioner", "third_party_aware")
MISMATCH = "核对的"  # how the warning about a slot that differs from the order begins


@dataclass(frozen=True)
class Case:
    """What a check needs: the order file, the verdicts on its calls, the street's rules."""

    file: OrderFile
    inspections: tuple[Inspection, ...]
    rules: OrderRules
    reliability: Reliability  # how well a turn must have been heard

    @property
    def filing(self) -> Filing:
        return self.file.filing

    def calls(self, kind: CallKind) -> list[tuple[int, Inspection]]:
        """Index and inspection of each call of a kind."""
        return [(i, call) for i, call in enumerate(self.inspections) if call.kind is kind]

    def reached(self, kind: CallKind) -> list[tuple[int, Inspection]]:
        """Calls of a kind in which the petitioner, or one who may speak for them, answered."""
        return [(i, call) for i, call in self.calls(kind) if call.answered_by in REACHED]

    def finding(self, rule_id: str, text: str, quotes: Iterable[OrderQuote]) -> OrderFinding:
        """A finding by a rule of `consistency.yaml`, with its doubts about the transcript."""
        rule = self.rules.rule(rule_id)
        quoted = tuple(dict.fromkeys(quotes))
        return OrderFinding(
            id=rule.id,
            title=rule.title,
            severity=rule.severity,
            text=text,
            source=self.rules.source(rule),
            advice=rule.advice,
            quotes=quoted,
            doubt="；".join(self._doubts(quoted)),
        )

    def _doubts(self, quotes: Iterable[OrderQuote]) -> Iterable[str]:
        """Why a person should listen first: doubts about the calls, and about the turns quoted."""
        doubts: dict[str, None] = {}
        for quote in quotes:
            if quote.call is None or quote.turn is None:
                continue
            inspection = self.inspections[quote.call]
            doubts |= dict.fromkeys(doubts_of(inspection))
            if quote.turn in doubtful_turns(inspection.transcript, self.reliability):
                doubts[f"{quote.where}听得不清，请先听录音"] = None
        return doubts


def doubts_of(inspection: Inspection) -> tuple[str, ...]:
    """Why the transcript of a call should be checked by ear before it counts against anyone."""
    doubts = [w for w in inspection.warnings if not w.startswith(MISMATCH)]
    if inspection.transcript.role_margin < UNSURE_ROLES and not doubts:
        doubts.append("经办人与市民的区分把握不大，请人工确认角色")
    return tuple(doubts)


def element(inspection: Inspection, element_id: str) -> ElementFinding | None:
    return next((e for e in inspection.elements if e.id == element_id), None)


def opening(call: int, inspection: Inspection, turns: int = 2) -> list[OrderQuote]:
    """The first words of a call, both sides: what was said instead."""
    spoken: Sequence[Turn] = inspection.transcript.turns[:turns]
    return [said(call, inspection, turn) for turn in spoken]
