"""What a spot check says of all calls: estimates with confidence intervals."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import norm


@dataclass(frozen=True)
class Reviewed:
    """A picked recording and what a person found."""

    department: str
    probability: float  # of inclusion, above 0
    passed: bool


@dataclass(frozen=True)
class Estimate:
    """The rate of calls that pass. `low` and `high` bound it with the confidence asked for."""

    department: str  # "" for all
    reviewed: int
    population: int
    rate: float
    low: float
    high: float


def estimate(
    reviewed: Iterable[Reviewed], populations: Mapping[str, int], confidence: float = 0.95
) -> list[Estimate]:
    """Rates for all and for each department with a review, the lowest first after the total.

    Args:
        populations: candidates of each department.
    """
    by_department: dict[str, list[Reviewed]] = defaultdict(list)
    for one in reviewed:
        by_department[one.department].append(one)
    every = [one for some in by_department.values() for one in some]
    if not every:
        return []
    total = _estimate("", every, sum(populations.values()), confidence)
    parts = [
        _estimate(name, some, populations.get(name, len(some)), confidence)
        for name, some in by_department.items()
    ]
    return [total, *sorted(parts, key=lambda e: (e.rate, e.department))]


def _estimate(
    name: str, reviewed: Sequence[Reviewed], population: int, confidence: float
) -> Estimate:
    """Weighted by 1 / probability (Hájek), with Wilson's interval on the effective sample size.

    The effective size is Kish's (Σw)² / Σw², enlarged where the sample is a large part of all: at
    a full count the interval is the rate itself.
    """
    weights = [1 / one.probability for one in reviewed]
    rate = sum(w for w, one in zip(weights, reviewed, strict=True) if one.passed) / sum(weights)
    effective = sum(weights) ** 2 / sum(w * w for w in weights)
    left_out = 1 - len(reviewed) / max(population, len(reviewed))
    if left_out <= 0:
        return Estimate(name, len(reviewed), population, rate, rate, rate)
    low, high = wilson(rate, effective / left_out, confidence)
    return Estimate(name, len(reviewed), population, rate, low, high)


def wilson(rate: float, size: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a rate seen in `size` draws (Wilson 1927)."""
    z = float(norm.ppf(0.5 + confidence / 2))
    middle = (rate + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(rate * (1 - rate) / size + z * z / (4 * size**2))
    return max(0.0, middle - half), min(1.0, middle + half)
