"""How far a judge and another score agree (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
RESAMPLES = 1000
CONFIDENCE = 0.95
FEWEST = 20
"""Traces below which no interval is given: resampling a handful says nothing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; all None where it is undefined, the interval alone where there are too few traces."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """n: spans with both scores. judged, flagged: weighted shares that the judge and the other score flag.

    kappa: Cohen's, of the two flags. auroc: of the other score against the judge's flag.
    """

    n: int
    traces: int
    judged: float
    flagged: float
    kappa: Estimate
    auroc: Estimate


def agreement(
    judge: Values,
    other: Values,
    weights: Values,
    traces: npt.NDArray[np.int64],
    thresholds: tuple[float, float],
    seed: int = 0,
) -> Agreement:
    """Agreement of two scores of the same n spans. thresholds: from which the judge and the other score flag.

    weights: how many spans each stands for. traces: a number per trace; intervals come from resampling whole traces, since
    spans of one trace resemble each other (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x), by the percentiles
    2.5 and 97.5 of `RESAMPLES` draws. Raises ValueError for n = 0.
    """
    if len(judge) == 0:
        raise ValueError("no span has both scores")
    truth, flags = judge >= thresholds[0], other >= thresholds[1]
    _, owner = np.unique(traces, return_inverse=True)
    count = int(owner.max()) + 1
    draws = (
        np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
        if count >= FEWEST
        else None
    )
    order = np.argsort(other, kind="stable")

    def estimated(figure: Callable[[Values], float | None]) -> Estimate:
        value = figure(weights)
        if value is None or draws is None:
            return Estimate(value)
        drawn = [one for draw in draws if (one := figure(weights * draw[owner])) is not None]
        if len(drawn) < RESAMPLES / 2:
            return Estimate(value)
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Estimate(value, float(low), float(high))

    return Agreement(
        n=len(judge),
        traces=count,
        judged=float(np.average(truth, weights=weights)),
        flagged=float(np.average(flags, weights=weights)),
        kappa=estimated(lambda w: kappa(truth, flags, w)),
        auroc=estimated(lambda w: weighted_auroc(truth[order], other[order], w[order])),
    )


def kappa(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_], weights: Values) -> float | None:
    """Cohen's kappa: 1 = always the same, 0 = as by chance; None when both always say the same one thing.

    (p_o - p_e) / (1 - p_e): Cohen 1960, doi:10.1177/001316446002000104.
    """
    total = weights.sum()
    if total <= 0:
        return None
    observed = weights[one == other].sum() / total
    a, b = weights[one].sum() / total, weights[other].sum() / total
    chance = a * b + (1 - a) * (1 - b)
    return None if chance >= 1 - 1e-12 else float((observed - chance) / (1 - chance))


def weighted_auroc(truth: npt.NDArray[np.bool_], ascending: Values, weights: Values) -> float | None:
    """Weighted share of pairs in which the flagged span has the higher score, ties counting half; None without both kinds.

    ascending: scores in rising order, truth and weights in the same. Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    up, down = np.where(truth, weights, 0.0), np.where(truth, 0.0, weights)
    if up.sum() <= 0 or down.sum() <= 0:
        return None
    first = np.concatenate([[0], np.flatnonzero(np.diff(ascending)) + 1])
    ups, downs = np.add.reduceat(up, first), np.add.reduceat(down, first)
    below = np.cumsum(downs) - downs
    return float((ups * (below + downs / 2)).sum() / (ups.sum() * downs.sum()))
