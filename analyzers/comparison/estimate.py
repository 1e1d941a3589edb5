"""Difference of two groups' means, at an equal mix of prompts (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FEWEST_ROWS = 30
"""Rows with a value in each group below which no difference is stated: the estimate is not yet normal."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Calls of both groups; all arrays have length n.

    in_b: whether the call is of group B. strata: the prompt's cluster or identity, from 0. blocks: what is not
    independent together: one session, user or prompt.
    """

    in_b: Flags
    strata: Codes
    blocks: Codes


@dataclass(frozen=True, slots=True)
class Difference:
    """mean(B) - mean(A), both at the mix of prompts of A and B together.

    variance: squared standard error of `difference`. deviation: of the measure within strata. raw: the difference with
    each group's own mix. covered: share of the rows in strata that occur in both groups; the others are left out.
    """

    mean_a: float
    mean_b: float
    difference: float
    variance: float
    deviation: float
    raw: float
    n_a: int
    n_b: int
    covered: float


def difference(rows: Rows, values: Floats, weights: Floats) -> Difference | None:
    """The post-stratified difference of a measure; None with fewer than FEWEST_ROWS comparable rows in either group.

    values: float64 (n,), NaN = not known. weights: 1 / probability that a row was sampled (Hajek 1971). Every stratum
    counts by its share of the rows of both groups (post-stratification: Miratrix, Sekhon & Yu 2013,
    doi:10.1111/j.1467-9868.2012.01048.x). The variance is the sum over blocks of the squared sum of influences, times
    blocks / (blocks - 1), so rows of one session may depend on each other (Liang & Zeger 1986, doi:10.1093/biomet/73.1.13).
    """
    known = ~np.isnan(values) & (weights > 0)
    strata = np.unique(rows.strata[known], return_inverse=True)[1]
    in_b, y, h, blocks = rows.in_b[known], values[known], weights[known], rows.blocks[known]
    size = int(strata.max()) + 1 if len(strata) else 0
    count = {side: np.bincount(strata[in_b == side], minlength=size) for side in (False, True)}
    shared = (count[False] > 0) & (count[True] > 0)
    kept = shared[strata] if size else np.zeros(0, dtype=bool)
    covered = float(h[kept].sum() / h.sum()) if len(h) else 0.0
    raw = _mean(y[in_b], h[in_b]) - _mean(y[~in_b], h[~in_b])
    strata, in_b, y, h, blocks = strata[kept], in_b[kept], y[kept], h[kept], blocks[kept]
    n_a, n_b = int((~in_b).sum()), int(in_b.sum())
    if min(n_a, n_b) < FEWEST_ROWS:
        return None
    means, share, influence = _influences(strata, in_b, y, h, size)
    mean_a, mean_b = (float(np.nansum(share * means[side])) for side in (False, True))
    sums = np.bincount(np.unique(blocks, return_inverse=True)[1], influence)
    variance = float((sums**2).sum() * len(sums) / max(len(sums) - 1, 1))
    residual = y - np.where(in_b, means[True][strata], means[False][strata])
    freedom = max(len(y) - int(shared.sum()) * 2, 1)
    within = float(np.sqrt((residual**2).sum() / freedom))
    deviation = within if within > 0 else float(y.std())
    return Difference(mean_a, mean_b, mean_b - mean_a, variance, deviation, raw, n_a, n_b, covered)


def _influences(
    strata: Codes, in_b: Flags, y: Floats, h: Floats, size: int
) -> tuple[dict[bool, Floats], Floats, Floats]:
    """(mean of each stratum by side, share of each stratum, influence of each row on the difference)."""
    total = np.bincount(strata, h, minlength=size)
    share = total / total.sum()
    means: dict[bool, Floats] = {}
    influence = np.zeros(len(y))
    for side, sign in ((False, -1.0), (True, 1.0)):
        own = in_b == side
        weight = np.bincount(strata[own], h[own], minlength=size)
        n = np.bincount(strata[own], minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[side] = np.bincount(strata[own], h[own] * y[own], minlength=size) / weight
        # A mean fitted to n rows leaves residuals too small by sqrt((n - 1) / n).
        small = np.sqrt(n / np.maximum(n - 1, 1))
        where = strata[own]
        influence[own] = sign * share[where] * h[own] * (y[own] - means[side][where]) / weight[where] * small[where]
    gap = means[True] - means[False]
    overall = float(np.nansum(share * gap))
    influence += h / h.sum() * (gap[strata] - overall)
    return means, share, influence


def _mean(values: Floats, weights: Floats) -> float:
    return float((values * weights).sum() / weights.sum()) if len(values) else float("nan")
