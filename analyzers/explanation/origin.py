"""Whether the answers to comparable prompts changed, or only the prompts (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leewatch.contracts import Vectors

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

PERMUTATIONS = 999
RIDGE = 1.0
"""Of the mean variance, added to each direction's: directions that hardly vary would otherwise decide."""
NO_VARIANCE = 1e-9
"""Variance of unit vectors within strata below which the answers are all the same: what is left is rounding."""
PERMUTED_AT_ONCE = 2_000_000
"""Permuted labels held at a time: 16 MB."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Test of the answers given the prompts. p_value: at least 1 / (PERMUTATIONS + 1). n: rows in strata that occur in
    both samples; covered: their share of the current rows."""

    p_value: float
    statistic: float
    n: int
    covered: float


def answers_given_prompts(answers: Vectors, current: Flags, strata: Codes, seed: int) -> Conditional:
    """Whether the answers (n, d), unit vectors, differ between both samples within strata of comparable prompts.

    current: bool (n,). strata: int64 (n,), e.g. of `analyzers.comparison.strata`. The statistic is the ridge-regularized
    Hotelling statistic (Chen, Paul, Prentice & Wang 2011, doi:10.1198/jasa.2011.tm10599) of stratum-centred answers; it is
    compared with its values when labels are permuted within strata, which is exact whatever the mix of prompts does
    (conditional permutation: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, section 3.7).
    Without comparable rows, or with answers that are all the same, the p-value is 1.
    """
    kept = _comparable(current, strata)
    covered = float(kept[current].mean()) if current.any() else 0.0
    if kept.sum() < 8:
        return Conditional(1.0, 0.0, int(kept.sum()), covered)
    codes = np.unique(strata[kept], return_inverse=True)[1]
    labels = _centred(current[kept].astype(np.float32)[:, None], codes)[:, 0]
    apart = _centred(answers[kept].astype(np.float32), codes)
    if float((apart**2).sum(axis=1).mean()) < NO_VARIANCE:
        return Conditional(1.0, 0.0, int(kept.sum()), covered)
    scores = _whitened(apart)
    observed = float(((labels @ scores) ** 2).sum())
    rng = np.random.default_rng(seed)
    reached, done = 0, 0
    while done < PERMUTATIONS:
        size = min(PERMUTATIONS - done, max(1, PERMUTED_AT_ONCE // len(labels)))
        drawn = ((_permuted(labels, codes, size, rng) @ scores) ** 2).sum(axis=1)
        reached += int((drawn >= observed * (1 - 1e-6)).sum())
        done += size
    return Conditional((reached + 1) / (PERMUTATIONS + 1), observed, int(kept.sum()), covered)


def _comparable(current: Flags, strata: Codes) -> Flags:
    both = np.intersect1d(strata[current], strata[~current])
    kept: Flags = np.isin(strata, both)
    return kept


def _centred(values: Floats, codes: Codes) -> Floats:
    """The rows (n, d) less the mean of their stratum."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    means = np.add.reduceat(values[order], starts, axis=0) / np.bincount(codes)[:, None]
    return (values - means[codes]).astype(np.float32)


def _whitened(rows: Floats) -> Floats:
    """The rows on their principal directions, each divided by its ridged standard deviation."""
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    scale = 1 / np.sqrt(np.maximum(values, 0) + RIDGE * values.mean() + 1e-12)
    scaled: Floats = (rows @ (vectors * scale)).astype(np.float32)
    return scaled


def _permuted(labels: Floats, codes: Codes, size: int, rng: np.random.Generator) -> Floats:
    """Labels permuted within strata, float32 (size, n)."""
    order = np.argsort(codes, kind="stable")
    keys = rng.random((size, len(codes)), dtype=np.float32) + codes[order].astype(np.float32)
    shuffled = np.argsort(keys, axis=1)
    permuted = np.empty((size, len(codes)), dtype=np.float32)
    permuted[:, order] = labels[order][shuffled]
    return permuted
