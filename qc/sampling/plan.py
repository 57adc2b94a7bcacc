"""Which recordings to spot-check (录音抽检): a plan, and the draw.

Every candidate has a known probability of being drawn, so that what reviewers find can be
projected to all. The draw is one systematic pass over candidates ordered by department and
handler: each handler and each department then gets its share, rounded down or up, and the size is
met exactly.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from pydantic import Field, ValidationError, model_validator
from scipy.stats import norm

from qc.catalogue import Strict, read_yaml
from qc.errors import QcError, what_is_wrong

UNIT = 10**9  # probabilities are whole billionths, so that sums and quotas are exact


class Weights(Strict):
    """How many times as likely as others a candidate is drawn; several factors multiply."""

    watched: float = Field(default=3.0, ge=1, le=100)  # 重点跟踪部门
    repeated: float = Field(default=2.0, ge=1, le=100)  # 重复投诉
    dissatisfied: float = Field(default=3.0, ge=1, le=100)  # 不满意件
    doubtful: float = Field(default=2.0, ge=1, le=100)  # low machine confidence


class Plan(Strict):
    """A spot-check plan. Either `share` or `precision` gives the size."""

    title: str = "录音抽检"
    share: float | None = Field(default=None, gt=0, le=1)  # of all candidates
    precision: float | None = Field(default=None, gt=0, lt=0.5)  # half width of the interval
    confidence: float = Field(default=0.95, ge=0.5, lt=1)  # of the interval
    expected: float = Field(default=0.5, gt=0, lt=1)  # rate of failed calls; 0.5 is the safe guess
    at_least: int = Field(default=1, ge=0)  # of every handler, as far as there are so many
    weights: Weights = Weights()
    watch: tuple[str, ...] = ()  # departments on the watch list whatever their rate
    watch_rate: float = Field(default=0.3, gt=0, le=1)  # share of 不属实 from which one is watched
    watch_orders: int = Field(default=10, ge=1)  # findings of fact needed for that share
    doubtful_below: float = Field(default=0.6, ge=0, le=1)  # machine confidence
    seed: int = 0

    @model_validator(mode="after")
    def _has_one_size(self) -> "Plan":
        if (self.share is None) == (self.precision is None):
            raise ValueError("share（比例）和 precision（精度）须给出其中一个")
        return self


def read_plan(path: Path) -> Plan:
    """Read a plan from YAML.

    Raises:
        QcError: the file cannot be read or a key is wrong.
    """
    try:
        return Plan.model_validate(read_yaml(path))
    except ValidationError as error:
        key, reason = what_is_wrong(error)
        raise QcError(f"抽检方案 {path.name} 的 {key} 有误：{reason}", "请对照说明修改") from error


@dataclass(frozen=True)
class Candidate:
    """A recording, or the order that it was made for, that may be drawn."""

    id: str
    department: str = ""
    handler: str = ""
    order_id: str = ""
    repeated: bool = False  # one of several complaints about the same
    dissatisfied: bool = False
    disproved: bool | None = None  # 不属实; None where no finding of fact was filed
    confidence: float | None = None  # the machine's, of its least certain finding, 0..1


@dataclass(frozen=True)
class Pick:
    """A candidate that was drawn, why, and how likely that was."""

    candidate: Candidate
    reason: str  # Chinese
    probability: float  # of inclusion, 0..1


@dataclass(frozen=True)
class Draw:
    """A spot check as drawn."""

    plan: Plan
    population: int
    picks: tuple[Pick, ...]  # by department and handler
    departments: Mapping[str, int]  # candidates of each
    watched: Mapping[str, str]  # departments on the watch list, with the reason

    @property
    def raised(self) -> bool:
        """Whether “everyone at least” asked for more than the size by share or precision."""
        return len(self.picks) > wanted_size(self.plan, self.population)


def wanted_size(plan: Plan, population: int) -> int:
    """How many to draw of so many.

    By precision: n0 = z²p(1-p)/d², then n0 / (1 + (n0 - 1) / N) for a finite population (Cochran,
    Sampling Techniques, 4.4). Over-sampling some makes the result for all a little less precise.
    """
    if plan.share is not None:
        return min(population, math.ceil(round(plan.share * population, 9)))
    assert plan.precision is not None
    z = float(norm.ppf(0.5 + plan.confidence / 2))
    infinite = z**2 * plan.expected * (1 - plan.expected) / plan.precision**2
    finite = infinite / (1 + (infinite - 1) / population) if population else 0.0
    return min(population, math.ceil(round(finite, 9)))


def draw(candidates: Sequence[Candidate], plan: Plan) -> Draw:
    """Draw a spot check; the same candidates, plan and seed give the same picks.

    Raises:
        QcError: there is no candidate, or two have the same id.
    """
    if not candidates:
        raise QcError("没有可抽的录音", "请检查清单是不是空的")
    ordered = sorted(candidates, key=lambda c: c.id)
    for one, other in pairwise(ordered):
        if one.id == other.id:
            raise QcError(f"清单里“{one.id}”出现了两次", "请删去重复的一行")
    watched = watch_list(ordered, plan)
    units = _probabilities(ordered, plan, watched)
    random = Random(plan.seed)
    drawn = _systematic(ordered, units, random)
    raised = _raised_handlers(ordered, plan, watched, units)
    picks = [
        Pick(c, _reason(c, plan, watched, raised), units[c.id] / UNIT)
        for c in sorted(drawn, key=lambda c: (c.department, c.handler, c.id))
    ]
    sizes: dict[str, int] = defaultdict(int)
    for candidate in ordered:
        sizes[candidate.department] += 1
    return Draw(plan, len(ordered), tuple(picks), dict(sizes), watched)


def watch_list(candidates: Sequence[Candidate], plan: Plan) -> dict[str, str]:
    """Departments to look at more closely, with the reason (潍坊新村街道 2024 三、（二）6)."""
    watched = dict.fromkeys(plan.watch, "列入重点跟踪名单")
    found: dict[str, list[bool]] = defaultdict(list)
    for candidate in candidates:
        if candidate.disproved is not None:
            found[candidate.department].append(candidate.disproved)
    for department, disproved in sorted(found.items()):
        rate = sum(disproved) / len(disproved)
        if len(disproved) >= plan.watch_orders and rate >= plan.watch_rate:
            watched.setdefault(department, f"不属实率较高（{rate:.0%}）")
    return watched


def inclusion_probabilities(candidates: Sequence[Candidate], plan: Plan) -> dict[str, float]:
    """How likely each candidate is to be drawn, by id; they add up to the size of the draw."""
    units = _probabilities(candidates, plan, watch_list(candidates, plan))
    return {key: value / UNIT for key, value in units.items()}


def _weight(candidate: Candidate, plan: Plan, watched: Mapping[str, str]) -> float:
    weight = plan.weights.watched if candidate.department in watched else 1.0
    weight *= plan.weights.repeated if candidate.repeated else 1.0
    weight *= plan.weights.dissatisfied if candidate.dissatisfied else 1.0
    return weight * (plan.weights.doubtful if _is_doubtful(candidate, plan) else 1.0)


def _is_doubtful(candidate: Candidate, plan: Plan) -> bool:
    return candidate.confidence is not None and candidate.confidence < plan.doubtful_below


def _by_handler(candidates: Sequence[Candidate]) -> dict[tuple[str, str], list[Candidate]]:
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.department, candidate.handler].append(candidate)
    return dict(sorted(groups.items()))


def _quota(group: Sequence[Candidate], plan: Plan) -> int:
    return min(plan.at_least, len(group))


def _probabilities(
    candidates: Sequence[Candidate], plan: Plan, watched: Mapping[str, str]
) -> dict[str, int]:
    """Inclusion probabilities in `UNIT`s; every handler's add up to the quota or more."""
    groups = list(_by_handler(candidates).values())
    weights = [[_weight(c, plan, watched) for c in group] for group in groups]
    quotas = [_quota(group, plan) for group in groups]
    size = max(wanted_size(plan, len(candidates)), sum(quotas))

    def expected(scale: float) -> list[float]:
        return [
            max(quota, sum(min(1.0, scale * w) for w in of_group))
            for quota, of_group in zip(quotas, weights, strict=True)
        ]

    scale = _solve(lambda x: sum(expected(x)), size)
    limits = [len(group) * UNIT for group in groups]
    floors = [quota * UNIT for quota in quotas]
    sums = _whole([e * UNIT for e in expected(scale)], size * UNIT, floors, limits)
    units: dict[str, int] = {}
    for group, of_group, total in zip(groups, weights, sums, strict=True):
        own = _solve(lambda x, ws=of_group: sum(min(1.0, x * w) for w in ws), total / UNIT)
        shares = [min(1.0, own * w) * UNIT for w in of_group]
        whole = _whole(shares, total, [0] * len(group), [UNIT] * len(group))
        units |= {c.id: value for c, value in zip(group, whole, strict=True)}
    return units


def _solve(rising, goal: float) -> float:
    """The x >= 0 at which a rising function reaches its goal."""
    high = 1.0
    while rising(high) < goal - 1e-12 and high < 1e12:
        high *= 2
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < goal else (low, middle)
    return high


def _whole(
    shares: Sequence[float], total: int, floors: Sequence[int], limits: Sequence[int]
) -> list[int]:
    """Whole numbers as near to the shares as can be that add up to `total` within the bounds."""
    whole = [
        min(limit, max(floor, math.floor(share)))
        for share, floor, limit in zip(shares, floors, limits, strict=True)
    ]
    rest = total - sum(whole)
    while rest:
        step = 1 if rest > 0 else -1
        room = [
            i
            for i, value in enumerate(whole)
            if (value < limits[i] if step > 0 else value > floors[i])
        ]
        each = max(1, abs(rest) // len(room))
        for i in room:
            free = limits[i] - whole[i] if step > 0 else whole[i] - floors[i]
            change = min(each, free, abs(rest))
            whole[i] += step * change
            rest -= step * change
    return whole


def _systematic(
    candidates: Sequence[Candidate], units: Mapping[str, int], random: Random
) -> list[Candidate]:
    """One pass with a random start; order is by department and handler, within by chance."""
    line: list[Candidate] = []
    groups = list(_by_handler(candidates).values())
    for group in groups:
        random.shuffle(group)
        line += group
    start = random.randrange(UNIT)
    drawn, passed = [], 0
    for candidate in line:
        before, passed = passed, passed + units[candidate.id]
        # a mark lies in [before, passed): marks are at start, start + UNIT, …
        if (passed - 1 - start) // UNIT > (before - 1 - start) // UNIT:
            drawn.append(candidate)
    return drawn


def _raised_handlers(
    candidates: Sequence[Candidate],
    plan: Plan,
    watched: Mapping[str, str],
    units: Mapping[str, int],
) -> set[tuple[str, str]]:
    """Handlers who are looked at more than their share because everyone is at least so often."""
    groups = _by_handler(candidates)
    weights = {key: sum(_weight(c, plan, watched) for c in g) for key, g in groups.items()}
    size = sum(units.values()) / UNIT / sum(weights.values())
    return {
        key
        for key, group in groups.items()
        if sum(units[c.id] for c in group) <= _quota(group, plan) * UNIT
        and weights[key] * size < _quota(group, plan)
    }


def _reason(
    candidate: Candidate,
    plan: Plan,
    watched: Mapping[str, str],
    raised: set[tuple[str, str]],
) -> str:
    reasons = []
    if candidate.dissatisfied:
        reasons.append("不满意件")
    if candidate.repeated:
        reasons.append("重复投诉")
    if candidate.department in watched:
        reasons.append(f"部门{watched[candidate.department]}")
    if _is_doubtful(candidate, plan):
        reasons.append(f"机器把握低（{candidate.confidence:.2f}）")
    if (candidate.department, candidate.handler) in raised:
        reasons.append(f"每位经办人至少 {plan.at_least} 件")
    return "、".join(reasons) if reasons else "随机抽取"
