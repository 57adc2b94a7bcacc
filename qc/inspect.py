"""Judge a call: from its transcript and order to an `Inspection`."""

from collections.abc import Iterator
from dataclasses import replace

from qc.attitude import judge_attitude, total_score
from qc.catalogue import Catalogue
from qc.cause import likely_cause
from qc.circumstances import was_warned, who_answered, who_ended
from qc.conduct import (
    judge_behaviours,
    judge_satisfaction,
    judge_signals,
    without_doubtful,
)
from qc.elements import find_mismatches, judge_elements
from qc.evidence import Classifier, EvidenceSheet, Semantic, gather
from qc.inspection import BehaviourFinding, ElementFinding, Inspection, Mismatch, Praise
from qc.order import AnsweredBy, Call, CallKind, EndedBy, Order
from qc.overtalk import measure_overtalk
from qc.reliability import UNSURE_ROLES, Doubt, doubtful_turns, find_doubts
from qc.scene import Scene, find
from qc.second_opinion import Adviser, seek_second_opinion
from qc.silences import measure_dead_air
from qc.text import plain
from qc.transcript import Transcript

MOST_PLACES = 3  # of what was hardly heard, that a warning names

# Elements that either kind of call has much alike.
SHARED_ELEMENTS = frozenset(
    {
        "fc.greeting",
        "fc.self_intro",
        "fc.verify_demand",
        "fc.closing",
        "fc.soothe",
        "fc.third_party",
    }
    | {"rp.self_intro", "rp.verify_demand", "rp.closing", "rp.explain_next"}
)


def inspect_call(
    call: Call,
    catalogue: Catalogue,
    classifier: Classifier | None,
    *,
    semantic: Semantic | None = None,
    adviser: Adviser | None = None,
) -> Inspection:
    """Judge a call whose turns are given."""
    return inspect_transcript(
        call.transcript(),
        call.kind,
        call.order,
        catalogue,
        classifier,
        call_id=call.call_id,
        answered_by=call.answered_by,
        ended_by=call.ended_by,
        semantic=semantic,
        adviser=adviser,
    )


def guess_kind(
    transcript: Transcript, order: Order, catalogue: Catalogue, classifier: Classifier | None
) -> CallKind:
    """Which of the two scripts the handler follows: the one of which more was said."""

    def share(kind: CallKind) -> float:
        found = inspect_transcript(transcript, kind, order, catalogue, classifier)
        own = [e for e in found.elements if e.id not in SHARED_ELEMENTS]
        return sum(e.weight for e in own if e.status == "met") / sum(e.weight for e in own)

    return max(CallKind, key=share)


def inspect_transcript(
    transcript: Transcript,
    kind: CallKind,
    order: Order,
    catalogue: Catalogue,
    classifier: Classifier | None,
    *,
    call_id: str = "",
    answered_by: AnsweredBy | None = None,
    ended_by: EndedBy | None = None,
    semantic: Semantic | None = None,
    adviser: Adviser | None = None,
    warnings: tuple[str, ...] = (),
) -> Inspection:
    """Judge a transcript; what is not known of the call's circumstances is read off the words."""
    scene = Scene(
        transcript=transcript,
        order=order,
        kind=kind,
        answered_by=answered_by or who_answered(transcript),
        ended_by=ended_by or who_ended(transcript),
        doubtful=doubtful_turns(transcript, catalogue.scoring.reliability),
    )
    scene, sheet = _with_citizen_mood(scene, catalogue, classifier, semantic)
    advice = seek_second_opinion(scene, sheet, catalogue, classifier, adviser)
    sheet = advice.sheet
    elements = judge_elements(scene, sheet, catalogue)
    behaviours, doubtful = without_doubtful(judge_behaviours(sheet, catalogue), scene.doubtful)
    citizen = judge_signals(sheet, catalogue)
    satisfaction = judge_satisfaction(
        transcript, kind, sheet, _threshold(classifier, "sat.satisfied"), scene.doubtful
    )
    attitude = judge_attitude(behaviours, citizen, sheet, scene, catalogue)
    mismatches = find_mismatches(scene, sheet, elements)
    hardly_heard = find_doubts(transcript, catalogue.scoring.reliability)
    return Inspection(
        call_id=call_id,
        kind=kind,
        order=order,
        transcript=transcript,
        answered_by=scene.answered_by,
        ended_by=scene.ended_by,
        elements=elements,
        behaviours=behaviours,
        citizen=citizen,
        satisfaction=satisfaction,
        attitude=attitude,
        score=total_score(elements, behaviours, catalogue.scoring),
        praise=_praise(scene, catalogue),
        mismatches=mismatches,
        cause=likely_cause(scene, satisfaction, attitude, catalogue),
        doubtful=doubtful,
        hardly_heard=hardly_heard,
        warnings=(
            *warnings,
            *_doubts(transcript, elements, doubtful, mismatches),
            *_hardly_heard(hardly_heard),
            *advice.warnings,
        ),
        opinions=advice.opinions,
        overtalk=measure_overtalk(transcript),
        dead_air=measure_dead_air(scene, catalogue.scoring.dead_air),
    )


def _with_citizen_mood(
    scene: Scene,
    catalogue: Catalogue,
    classifier: Classifier | None,
    semantic: Semantic | None,
) -> tuple[Scene, EvidenceSheet]:
    """Evidence, with the facts that the rules ask about and that only the evidence can tell."""
    sheet = gather(scene, catalogue, classifier, semantic)
    abusive = frozenset(e.turn.index for e in sheet.heard("ct.abuse"))
    facts = replace(
        scene,
        upset_turns=_upset_turns(scene, sheet, classifier),
        warned=was_warned(scene.transcript, abusive),
    )
    return facts, gather(facts, catalogue, classifier, semantic) if facts.warned else sheet


def _upset_turns(
    scene: Scene, sheet: EvidenceSheet, classifier: Classifier | None
) -> frozenset[int]:
    """Turns in which the citizen shows anger, fear, tears or reproach."""
    if classifier is None or "upset" not in sheet.probabilities:
        shown = ("ct.abuse", "ct.threat", "ct.attitude_complaint")
        return frozenset(e.turn.index for signal in shown for e in sheet.heard(signal))
    threshold = _threshold(classifier, "upset")
    return frozenset(
        t.index
        for t in scene.transcript.citizen_turns
        if sheet.probabilities["upset"][t.index] >= threshold
    )


def _threshold(classifier: Classifier | None, label: str) -> float:
    return classifier.thresholds.get(label, 0.5) if classifier else 0.5


def _praise(scene: Scene, catalogue: Catalogue) -> tuple[Praise, ...]:
    found = []
    for practice in catalogue.practices:
        turn = next(
            (
                t
                for t in scene.transcript.agent_turns
                if find(practice.when, scene, t.index) is not None
            ),
            None,
        )
        if turn is not None:
            found.append(Praise(practice.title, turn))
    return tuple(found)


def _hardly_heard(doubts: tuple[Doubt, ...]) -> Iterator[str]:
    """One sentence for each reason, with the seconds."""
    for reason in dict.fromkeys(reason for doubt in doubts for reason in doubt.reasons):
        places = [f"{d.start:.0f}–{d.end:.0f} 秒" for d in doubts if reason in d.reasons]
        more = f"等 {len(places)} 处" if len(places) > MOST_PLACES else ""
        yield f"录音第 {'、'.join(places[:MOST_PLACES])}{more}{reason}，该处文字仅供参考"


def _doubts(
    transcript: Transcript,
    elements: tuple[ElementFinding, ...],
    doubtful: tuple[BehaviourFinding, ...],
    mismatches: tuple[Mismatch, ...],
) -> tuple[str, ...]:
    doubts = []
    if not any(plain(turn.text) for turn in transcript.agent_turns):
        doubts.append("录音里没有听到经办人说话")
    elif transcript.role_margin < UNSURE_ROLES:
        doubts.append("经办人与市民的区分把握不大，请人工确认角色")
    unheard = [*(e.title for e in elements if e.undetermined), *(b.title for b in doubtful)]
    if unheard:
        doubts.append(f"有听不清的地方，{'、'.join(unheard)}未作判定，请人工听一下")
    if any(turn.cut_short for turn in transcript.turns):
        doubts.append("录音在市民的话没说完时结束，疑似经办人挂断，请人工听一下结尾")
    return (*doubts, *dict.fromkeys(mismatch.text for mismatch in mismatches))
