"""Blind double review: who listens to what, and how far people and machine agree."""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from qc.errors import QcError

MACHINE = "机器"
# Landis and Koch 1977, The Measurement of Observer Agreement for Categorical Data, table 1
_STRENGTHS = ((0.8, "几乎一致"), (0.6, "高度一致"), (0.4, "中等一致"), (0.2, "一般"), (0.0, "轻微"))


@dataclass(frozen=True)
class Assignment:
    """A recording that a reviewer listens to; `blind` where another one does so, too."""

    recording: str
    reviewer: str
    blind: bool = False


@dataclass(frozen=True)
class Vote:
    """What a reviewer, or the machine, says on one question about one recording."""

    subject: str  # recording and rule
    rater: str
    decision: str


@dataclass(frozen=True)
class Agreement:
    """How far two raters agree. `kappa` is None where both only ever said the same one thing."""

    one: str
    other: str
    compared: int
    agreed: int
    kappa: float | None  # Cohen's, -1..1

    @property
    def share(self) -> float:
        return self.agreed / self.compared

    @property
    def title(self) -> str:
        if self.kappa is None:
            return "无从比较（结论只有一种）"
        return next((title for above, title in _STRENGTHS if self.kappa > above), "不一致")


def assign(
    recordings: Sequence[str], reviewers: Sequence[str], double_share: float, seed: int
) -> list[Assignment]:
    """Share recordings out evenly; a part goes to two people who do not know of each other.

    Args:
        double_share: part that is listened to twice, 0..1.

    Raises:
        QcError: nobody is there to listen, or one alone for a double review.
    """
    people = list(dict.fromkeys(reviewers))
    if not people or (double_share > 0 and len(people) < 2):
        raise QcError("复听人不够", "双人盲听至少要两个人" if double_share > 0 else "请指定复听人")
    random = Random(seed)
    line = sorted(recordings)
    random.shuffle(line)
    random.shuffle(people)
    twice = set(random.sample(line, round(double_share * len(line))))
    given: list[Assignment] = []
    turn = 0
    for recording in line:
        for _ in range(2 if recording in twice else 1):
            given.append(Assignment(recording, people[turn % len(people)], recording in twice))
            turn += 1
    return given


def agreements(votes: Iterable[Vote]) -> list[Agreement]:
    """Agreement of each two raters on the subjects that both judged; the machine is a rater."""
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for vote in votes:
        said[vote.rater][vote.subject] = vote.decision
    found = []
    for one, other in combinations(sorted(said, key=lambda rater: (rater == MACHINE, rater)), 2):
        both = sorted(said[one].keys() & said[other].keys())
        if both:
            found.append(_agreement(one, other, [(said[one][s], said[other][s]) for s in both]))
    return found


def _agreement(one: str, other: str, pairs: Sequence[tuple[str, str]]) -> Agreement:
    from sklearn.metrics import cohen_kappa_score  # slow to import

    agreed = sum(a == b for a, b in pairs)
    kappa = None
    if len({decision for pair in pairs for decision in pair}) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            kappa = float(cohen_kappa_score(*zip(*pairs, strict=True)))
    return Agreement(one, other, len(pairs), agreed, kappa)
