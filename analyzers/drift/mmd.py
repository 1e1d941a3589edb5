"""Maximum mean discrepancy: sees differences of any shape that are wide enough for its kernel."""

from __future__ import annotations

import numpy as np

from analyzers.drift.device import NUMPY, squared_norms
from analyzers.drift.permutation import Evaluate, Labels, Values
from leewatch.contracts import Vectors

FEATURES = 512
BANDWIDTH_ROWS = 1000


def prepare(pool: Vectors, n_current: int, rng: np.random.Generator, device: str = NUMPY) -> Evaluate:
    """Squared MMD between the labelled rows and the others, Gaussian kernel (Gretton et al. 2012, JMLR 13, 723-773).

    The bandwidth is the median distance within the pool (section 8 there), fixed before anything is permuted. The
    kernel is expanded into random Fourier features (Rahimi & Recht 2007, NIPS 20), which makes the cost linear in the
    rows; the test stays exact, because the features do not know the labels. Both sizes are fixed, so the unbiased
    estimate and this one (V-statistic) order all permutations alike.
    """
    bandwidth = median_distance(pool, rng)
    if bandwidth == 0.0:
        return _constant
    directions = rng.standard_normal((pool.shape[1], FEATURES // 2), dtype=np.float32) / np.float32(bandwidth)
    phases = pool @ directions
    features = np.concatenate([np.cos(phases), np.sin(phases)], axis=1) * np.float32(np.sqrt(2 / FEATURES))
    return mean_difference(features, n_current, device)


def median_distance(pool: Vectors, rng: np.random.Generator) -> float:
    """Median distance between two different rows, over at most 1,000 of them; 0 when all are equal.

    Pairs of equal rows are left out: with many repeated texts the median would be 0.
    """
    rows = pool[rng.choice(len(pool), min(len(pool), BANDWIDTH_ROWS), replace=False)]
    squares = (rows**2).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * (rows @ rows.T)
    pairs = squared[np.triu_indices(len(rows), 1)]
    distinct = pairs[pairs > 1e-6]
    return float(np.sqrt(np.median(distinct))) if len(distinct) else 0.0


def mean_difference(features: Vectors, n_current: int, device: str = NUMPY) -> Evaluate:
    """Squared distance between the mean features of the labelled rows and those of the others."""
    n_pool = len(features)
    norms = squared_norms(features - features.mean(axis=0), device)
    # With centred features the sum over the labelled rows is n_current * n_other / N times the difference of the means.
    unit = n_pool / (n_current * (n_pool - n_current))

    def evaluate(labels: Labels) -> Values:
        return norms(labels) * unit**2

    return evaluate


def _constant(labels: Labels) -> Values:
    return np.zeros(labels.shape[1])
