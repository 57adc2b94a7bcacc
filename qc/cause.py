"""Why a citizen is dissatisfied: attitude, result, policy or speed, by what was said."""

from collections.abc import Sequence

from qc.catalogue import Catalogue
from qc.inspection import Attitude, Cause, LikelyCause, Quote, Satisfaction
from qc.scene import Scene, find

CITED = 3  # turns quoted at most


def likely_cause(
    scene: Scene, satisfaction: Satisfaction, attitude: Attitude, catalogue: Catalogue
) -> LikelyCause | None:
    """The cause for which most was heard; None where nobody is dissatisfied or nothing speaks.

    Every turn that a cause's cues fit counts; what the citizen says counts more than what the
    handler explains (weights in `causes.yaml`). A call with serious attitude findings speaks for
    attitude by itself (潍坊新村街道 2024 三、（二）5: “工作人员态度等个人原因”).
    """
    if satisfaction != "dissatisfied":
        return None
    quotes: dict[Cause, list[Quote]] = {}
    points: dict[Cause, float] = {}
    for rule in catalogue.causes:
        for turn in scene.transcript.turns:
            words = find(rule.when, scene, turn.index)
            if words is None:
                continue
            points[rule.cause] = points.get(rule.cause, 0.0) + rule.points
            quote = Quote(turn, turn.text, rule.id, 1.0, ("cue",))
            quotes.setdefault(rule.cause, []).append(quote)
    minus = [reason for reason in attitude.reasons if reason.points < 0 and reason.turn]
    if attitude.level != "good" and minus:
        points["attitude"] = (
            points.get("attitude", 0.0) + catalogue.scoring.attitude_cause[attitude.level]
        )
        quotes.setdefault("attitude", []).extend(
            Quote(reason.turn, reason.turn.text, "attitude", 1.0, ("attitude",))
            for reason in minus
            if reason.turn
        )
    if not points:
        return None
    ranked: Sequence[tuple[Cause, float]] = sorted(points.items(), key=lambda item: -item[1])
    best, most = ranked[0]
    cited = {quote.turn.index: quote for quote in quotes[best]}
    return LikelyCause(best, most, tuple(ranked[1:]), tuple(list(cited.values())[:CITED]))
