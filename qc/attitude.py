"""Scores: the handler's attitude with its reasons, and the total of the call."""

from collections.abc import Iterator, Sequence

from qc.catalogue import Catalogue, Scoring
from qc.evidence import EvidenceSheet
from qc.inspection import (
    Attitude,
    BehaviourFinding,
    ElementFinding,
    Reason,
    SignalFinding,
)
from qc.scene import Scene

FULL = 100
MIN_COURSE = 4  # citizen turns from which on a call has a course
LAST_TURNS = 2  # of the citizen, that show how the call ended


def judge_attitude(
    behaviours: Sequence[BehaviourFinding],
    citizen: Sequence[SignalFinding],
    sheet: EvidenceSheet,
    scene: Scene,
    catalogue: Catalogue,
) -> Attitude:
    """0..100 from what the handler did and how the citizen took it, as a list of plus and minus."""
    scoring = catalogue.scoring
    shares = {rule.id: rule.attitude_share for rule in catalogue.behaviours}
    reasons = [_minus(b, scoring, shares[b.id]) for b in behaviours if shares[b.id]]
    rough = any(shares[b.id] == 1 for b in behaviours)
    for signal in citizen:
        if signal.id == "ct.attitude_complaint":
            reasons.append(Reason(-8, "市民抱怨本次通话的态度", signal.quotes[0].turn))
        if signal.id == "ct.abuse" and not rough:
            reasons.append(Reason(scoring.calm_bonus, "被辱骂时保持平和", signal.quotes[0].turn))
    if soothing := sheet.heard("soothe"):
        reasons.append(Reason(scoring.courtesy_bonus, "安抚或致歉", soothing[0].turn))
    reasons += [*_course(scene, rough, scoring), *_raised_voice(scene, rough, scoring)]
    score = round(min(FULL, max(0.0, FULL + sum(r.points for r in reasons))))
    level = next(level for level in scoring.levels if score >= level.from_score)
    return Attitude(score, level.level, level.title, tuple(reasons))


def _course(scene: Scene, rough: bool, scoring: Scoring) -> Iterator[Reason]:
    """How the citizen's mood went from the first half of the call to the last turns."""
    heard = [turn.index for turn in scene.transcript.citizen_turns]
    if len(heard) < MIN_COURSE:
        return
    first, last = heard[: len(heard) // 2], heard[-LAST_TURNS:]
    at_first = scene.upset_turns.intersection(first)
    at_last = scene.upset_turns.intersection(last)
    turn = scene.transcript.turns[last[-1]]
    if at_first and not at_last:
        yield Reason(scoring.course_bonus, "市民由激动转为平和", turn)
    elif at_last and not at_first and rough:
        yield Reason(-scoring.course_penalty, "市民由平和转为不满", turn)


def _raised_voice(scene: Scene, rough: bool, scoring: Scoring) -> Iterator[Reason]:
    """The loudest of the handler's turns that are raised, where words are rough as well.

    Loud alone may be a bad line, high alone a question: a raised voice is both, where the pitch is
    measured.
    """
    raised = [
        (turn.loudness, turn)
        for turn in scene.transcript.agent_turns
        if turn.loudness is not None
        and turn.loudness > scoring.loud_over
        and (turn.pitch is None or turn.pitch > scoring.high_over)
    ]
    if rough and raised:
        _, loudest = max(raised, key=lambda pair: pair[0])
        higher = "、音调" if loudest.pitch is not None else ""
        yield Reason(-scoring.loud_penalty, f"音量{higher}明显升高", loudest)


def _minus(behaviour: BehaviourFinding, scoring: Scoring, share: float = 1.0) -> Reason:
    more = len(behaviour.quotes) - 1
    points = share * behaviour.penalty * (1 + scoring.repeat_penalty * more)
    times = f"（{more + 1} 次）" if more else ""
    return Reason(-round(points, 1), behaviour.title + times, behaviour.quotes[0].turn)


def total_score(
    elements: Sequence[ElementFinding],
    behaviours: Sequence[BehaviourFinding],
    scoring: Scoring,
) -> int:
    """0..100: script elements by weight, less conduct.

    What does not apply, and what a person has to decide, leaves the denominator.

    A behaviour of severity `fatal` (一票否决) makes the total 0.
    """
    if any(behaviour.severity == "fatal" for behaviour in behaviours):
        return 0
    credit = {"met": 1.0, "partial": scoring.partial_credit, "missing": 0.0}
    applicable = [e for e in elements if e.status != "not_applicable" and not e.undetermined]
    weight = sum(e.weight for e in applicable)
    script = sum(e.weight * credit[e.status] for e in applicable) / weight if weight else 1.0
    conduct = max(0.0, FULL + sum(_minus(b, scoring).points for b in behaviours)) / FULL
    return round(FULL * (scoring.script_share * script + (1 - scoring.script_share) * conduct))
