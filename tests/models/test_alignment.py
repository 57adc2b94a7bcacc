"""The forced alignment is the best one there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alignment import force


def by_trying_all(scores: np.ndarray) -> float:
    rows, frames = scores.shape
    best = -np.inf
    for cuts in itertools.combinations(range(1, frames), rows - 1):
        bounds = [0, *cuts, frames]
        total = sum(scores[i, bounds[i] : bounds[i + 1]].sum() for i in range(rows))
        best = max(best, total)
    return best


@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 999))
def test_no_other_alignment_is_better(rows, more, seed):
    scores = np.random.default_rng(seed).standard_normal((rows, rows + more))
    bounds = force(scores)
    assert bounds[0] == 0
    assert bounds[-1] == rows + more
    assert (np.diff(bounds) >= 1).all()
    total = sum(scores[i, bounds[i] : bounds[i + 1]].sum() for i in range(rows))
    assert total == pytest.approx(by_trying_all(scores))


def test_a_clear_path_is_found():
    scores = np.zeros((3, 9))
    scores[0, 0:2] = scores[1, 2:7] = scores[2, 7:9] = 1
    assert force(scores).tolist() == [0, 2, 7, 9]
