"""Regularized Hotelling statistic: sees topics that gained or lost weight."""

from __future__ import annotations

import numpy as np

from analyzers.drift.device import NUMPY
from analyzers.drift.mmd import mean_difference
from analyzers.drift.permutation import Evaluate
from leewatch.contracts import Vectors

REGULARIZATION = 1.0
"""In units of the mean eigenvalue. On CLINC prompts 1.0 has more power than 0.1 and than no whitening."""


def prepare(pool: Vectors, n_current: int, rng: np.random.Generator, device: str = NUMPY) -> Evaluate:
    """Squared difference of the means in ridge-whitened coordinates (Chen et al. 2011, JASA 106(496), 1345-1360).

    The covariance is that of the pool, so it does not know the labels and is estimated once. A pool without variance
    gives 0. `rng` is not used: nothing here is random.
    """
    centered = pool - pool.mean(axis=0)
    eigenvalues, directions = np.linalg.eigh((centered.T @ centered / len(pool)).astype(np.float64))
    level = max(float(eigenvalues.mean()), 1e-12)
    weights = 1 / np.sqrt(np.maximum(eigenvalues, 0.0) + REGULARIZATION * level)
    return mean_difference(centered @ (directions * weights).astype(np.float32), n_current, device)
