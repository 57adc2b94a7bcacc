"""What of a verdict stands after people reviewed it.

A finding that was overturned counts no more: a behaviour or signal is as if it had not been found,
a script element counts neither way. What a person heard and the machine missed counts as found; an
element that was missed is met. Scores follow. The machine's own verdict stays as it is stored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.tables import ReviewRow
from qc.attitude import total_score
from qc.catalogue import Behaviour, Catalogue, Signal, load_catalogue
from qc.inspection import BehaviourFinding, ElementFinding, Quote
from qc.order import CallKind
from qc.transcript import Role, Turn

Settled = Mapping[tuple[str, int | None], str]  # decision by rule and turn


def settled_of(session: Session, recording_ids: Sequence[str]) -> dict[str, dict[Any, str]]:
    """What people decided on each recording; the latest word on a rule at a turn holds.

    A word on every place of a finding (turn None) goes before what was said of single ones.
    """
    reviews = session.scalars(
        select(ReviewRow)
        .where(ReviewRow.recording_id.in_(recording_ids))
        .order_by(ReviewRow.made_at, ReviewRow.id)
    )
    found: dict[str, dict[Any, str]] = {}
    for review in reviews:
        settled = found.setdefault(review.recording_id, {})
        if review.turn is None:
            for key in [key for key in settled if key[0] == review.rule_id]:
                del settled[key]
        settled[review.rule_id, review.turn] = review.decision
    return found


def changes_anything(settled: Settled) -> bool:
    """Whether a verdict is different after these decisions."""
    return any(decision != "confirm" for decision in settled.values())


def standing(
    verdict: Mapping[str, Any],
    transcript: Sequence[Mapping[str, Any]],
    settled: Settled,
    profile: str,
) -> Mapping[str, Any]:
    """A stored verdict with the decisions applied."""
    if not changes_anything(settled):
        return verdict
    catalogue = load_catalogue(profile=profile)
    elements = {
        rule: _element(found, [d for (r, _), d in settled.items() if r == rule])
        for rule, found in verdict["elements"].items()
    }
    behaviours = _remaining(verdict["behaviours"], settled)
    behaviours += _added(behaviours, catalogue.behaviours, transcript, settled)
    citizen = _remaining(verdict["citizen"], settled)
    citizen += _added(citizen, catalogue.signals, transcript, settled)
    stands = {**verdict, "elements": elements, "behaviours": behaviours, "citizen": citizen}
    stands["attitude"] = _attitude(verdict, behaviours, catalogue)
    stands["score"] = _score(CallKind(verdict["kind"]), elements, behaviours, catalogue)
    return stands


def _element(found: Mapping[str, Any], decisions: Sequence[str]) -> Mapping[str, Any]:
    last = decisions[-1] if decisions else "confirm"
    if last == "missed":
        return {**found, "status": "met", "undetermined": False}
    return {**found, "undetermined": True} if last == "overturn" else found


def _remaining(findings: Sequence[Mapping[str, Any]], settled: Settled) -> list[dict[str, Any]]:
    """Findings with the quotes that nobody overturned; those without any are gone."""
    kept = []
    for found in findings:
        rule = found["id"]
        quotes = [
            quote
            for quote in found["quotes"]
            if (settled.get((rule, quote["turn"])) or settled.get((rule, None))) != "overturn"
        ]
        if quotes:
            turns = [quote["turn"] for quote in quotes]
            kept.append({**found, "quotes": quotes, "turns": turns, "quote": quotes[0]["text"]})
    return kept


def _added(
    found: list[dict[str, Any]],
    rules: Sequence[Behaviour] | Sequence[Signal],
    transcript: Sequence[Mapping[str, Any]],
    settled: Settled,
) -> list[dict[str, Any]]:
    """Findings that only a person made; where the machine made some of the rule, added to them."""
    by_rule = {one["id"]: one for one in found}
    known = {rule.id: rule for rule in rules}
    added: dict[str, dict[str, Any]] = {}
    for (rule_id, turn), decision in settled.items():
        heard = turn is not None and 0 <= turn < len(transcript)
        if decision != "missed" or rule_id not in known or not heard:
            continue
        assert turn is not None
        said = transcript[turn]
        quote = {"turn": turn, "text": said["text"], "start": said.get("start")}
        one = by_rule.get(rule_id) or added.setdefault(rule_id, _by_person(known[rule_id]))
        if turn not in one["turns"]:
            one["quotes"], one["turns"] = [*one["quotes"], quote], [*one["turns"], turn]
    return list(added.values())


def _by_person(rule: Behaviour | Signal) -> dict[str, Any]:
    source = {"document": rule.source.document, "clause": rule.source.clause}
    made = {"id": rule.id, "title": rule.title, "quotes": [], "turns": [], "source": source}
    if isinstance(rule, Behaviour):
        judged = {"severity": rule.severity, "instead": rule.instead, "layers": ["person"]}
        return made | judged | {"confidence": 1.0}
    return made | {"advice": rule.advice}


def _score(
    kind: CallKind,
    elements: Mapping[str, Mapping[str, Any]],
    behaviours: Sequence[Mapping[str, Any]],
    catalogue: Catalogue,
) -> int:
    rules = {rule.id: rule for rule in catalogue.elements[kind]}
    penalties = {rule.id: rule.penalty for rule in catalogue.behaviours}
    nothing = Turn(0, Role.AGENT, "")
    return total_score(
        [
            ElementFinding(
                id=rule, title="", status=found["status"], evidence=(), lacking=(), slots=(),
                weight=rules[rule].weight, advice="", source=rules[rule].source,
                undetermined=found.get("undetermined", False),
            )
            for rule, found in elements.items()
            if rule in rules
        ],
        [
            BehaviourFinding(
                id=found["id"], title="", confidence=1.0, severity=found["severity"],
                quotes=tuple(Quote(nothing, "", "", 1.0, ()) for _ in found["quotes"]),
                penalty=penalties.get(found["id"], 0.0), instead="",
                source=catalogue.behaviours[0].source,
            )
            for found in behaviours
        ],
        catalogue.scoring,
    )  # fmt: skip


def _attitude(
    verdict: Mapping[str, Any], behaviours: Sequence[Mapping[str, Any]], catalogue: Catalogue
) -> Mapping[str, Any]:
    """The attitude score, from what is left of its reasons and what a person added."""
    scoring, before = catalogue.scoring, verdict["attitude"]
    shares = {rule.id: rule.attitude_share * rule.penalty for rule in catalogue.behaviours}
    titles = tuple(found["title"] for found in verdict["behaviours"] if shares.get(found["id"]))
    reasons = [r for r in before["reasons"] if not (titles and r["text"].startswith(titles))]
    for found in behaviours:
        if share := shares.get(found["id"]):
            more = len(found["quotes"]) - 1
            times = f"（{more + 1} 次）" if more else ""
            points = -round(share * (1 + scoring.repeat_penalty * more), 1)
            reasons.append({"points": points, "text": found["title"] + times})
    score = round(min(100, max(0.0, 100 + sum(reason["points"] for reason in reasons))))
    level = next(level for level in scoring.levels if score >= level.from_score)
    return {
        **before,
        "score": score,
        "level": level.level,
        "title": level.title,
        "reasons": reasons,
    }
