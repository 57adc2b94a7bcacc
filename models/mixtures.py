"""Gaussian mixtures with diagonal covariance, fitted to frames that count more or less.

Each speaker's mixture starts from one fitted to both and keeps near it where there is little to go
by (D. Reynolds, T. Quatieri and R. Dunn, “Speaker verification using adapted Gaussian mixture
models”, Digital Signal Processing 10, 2000).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 16
ROUNDS = 12  # of expectation and maximisation for the mixture of all frames
PRIOR = 5.0  # frames of a component that the mixture it starts from counts for
LEAST_VARIANCE = 0.02  # of the frames' own


@dataclass(frozen=True, eq=False)
class Mixture:
    """For frames of standard deviation 1."""

    means: NDArray[np.float32]  # (COMPONENTS, size)
    variances: NDArray[np.float32]  # (COMPONENTS, size)
    weights: NDArray[np.float32]  # (COMPONENTS,) sum 1

    def explain(self, powers: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Share of each component in each frame (n, COMPONENTS), and log-likelihood (n,).

        Args:
            powers: (n, 2 * size), frames and their squares side by side.
        """
        sharp = 1 / self.variances
        slopes = np.hstack([self.means * sharp, -0.5 * sharp])
        level = np.log(self.weights) + 0.5 * (np.log(sharp) - self.means**2 * sharp).sum(axis=1)
        found = powers @ slopes.T + level
        highest = found.max(axis=1, keepdims=True)
        np.exp(found - highest, out=found)
        total = found.sum(axis=1, keepdims=True)
        return found / total, (np.log(total) + highest)[:, 0]


def fit_all(powers: NDArray[np.float32]) -> Mixture:
    """The mixture of all frames, from components spread over the time."""
    size = powers.shape[1] // 2
    spread = np.linspace(0, len(powers) - 1, COMPONENTS).astype(int)
    start = Mixture(
        powers[spread, :size],
        np.ones((COMPONENTS, size), np.float32),
        np.full(COMPONENTS, 1 / COMPONENTS, np.float32),
    )
    return refit(start, powers, np.ones(len(powers), np.float32), start, ROUNDS)


def refit(
    mixture: Mixture, powers: NDArray[np.float32], share: NDArray, prior: Mixture, rounds: int
) -> Mixture:
    """Expectation and maximisation from `mixture` on.

    Args:
        powers: see `Mixture.explain`.
        share: (n,) how much each frame counts, 0..1.
        prior: what the mixture keeps near to.
    """
    size = powers.shape[1] // 2
    own = PRIOR * np.hstack([prior.means, prior.variances + prior.means**2])
    for _ in range(rounds):
        parts = mixture.explain(powers)[0] * share[:, None].astype(np.float32)
        count = parts.sum(axis=0)
        moments = (parts.T @ powers + own) / (count + PRIOR)[:, None]
        means = moments[:, :size]
        variances = np.maximum(moments[:, size:] - means**2, LEAST_VARIANCE)
        mixture = Mixture(means, variances, (count + 1) / (count + 1).sum())
    return mixture
