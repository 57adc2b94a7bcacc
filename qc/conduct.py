"""Prohibited behaviours of the handler, signals of the citizen, and the words that show them."""

from collections.abc import Sequence
from dataclasses import replace

from qc.catalogue import Catalogue
from qc.evidence import Evidence, EvidenceSheet
from qc.inspection import BehaviourFinding, Quote, Satisfaction, SignalFinding
from qc.order import CallKind
from qc.transcript import Transcript

SATISFACTIONS: tuple[Satisfaction, ...] = ("satisfied", "basically", "neutral", "dissatisfied")


def judge_behaviours(sheet: EvidenceSheet, catalogue: Catalogue) -> tuple[BehaviourFinding, ...]:
    """Every prohibited behaviour that was heard; never one without a quote."""
    return tuple(
        BehaviourFinding(
            id=rule.id,
            title=rule.title,
            quotes=_quotes(heard),
            confidence=max(e.confidence for e in heard),
            severity=rule.severity,
            penalty=rule.penalty,
            instead=rule.instead,
            source=rule.source,
        )
        for rule in catalogue.behaviours
        if (heard := sheet.heard(rule.id))
    )


def without_doubtful(
    behaviours: Sequence[BehaviourFinding], doubtful: frozenset[int]
) -> tuple[tuple[BehaviourFinding, ...], tuple[BehaviourFinding, ...]]:
    """What stands, and what was heard only in turns that were hardly heard."""
    stand, fall = [], []
    for found in behaviours:
        sure = tuple(quote for quote in found.quotes if quote.turn.index not in doubtful)
        if not sure:
            fall.append(found)
        else:
            stand.append(
                replace(found, quotes=sure, confidence=max(quote.confidence for quote in sure))
            )
    return tuple(stand), tuple(fall)


def judge_signals(sheet: EvidenceSheet, catalogue: Catalogue) -> tuple[SignalFinding, ...]:
    """Every citizen signal that was heard."""
    return tuple(
        SignalFinding(
            id=rule.id,
            title=rule.title,
            quotes=_quotes(heard),
            confidence=max(e.confidence for e in heard),
            advice=rule.advice,
            source=rule.source,
        )
        for rule in catalogue.signals
        if (heard := sheet.heard(rule.id))
    )


def _quotes(heard: Sequence[Evidence]) -> tuple[Quote, ...]:
    return tuple(Quote(e.turn, e.quote, e.label, e.confidence, e.layers) for e in heard)


def judge_satisfaction(
    transcript: Transcript,
    kind: CallKind,
    sheet: EvidenceSheet,
    threshold: float,
    doubtful: frozenset[int] = frozenset(),
) -> Satisfaction:
    """The citizen's last word on the result; reply calls only.

    Each citizen turn has a probability for each value (`sat.*`); the last turn that says any of
    them with at least `threshold` decides. Turns that were hardly heard (`doubtful`) do not.
    """
    if kind is not CallKind.REPLY:
        return "none"
    for turn in reversed([t for t in transcript.citizen_turns if t.index not in doubtful]):
        values = {
            value: float(sheet.probabilities[f"sat.{value}"][turn.index])
            for value in SATISFACTIONS
            if f"sat.{value}" in sheet.probabilities
        }
        if values and sum(values.values()) >= threshold:
            return max(values, key=lambda value: values[value])
    return "none"
