"""When a drift began, and whether it came at once, slowly, or comes every day (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, xlogy

Counts = npt.NDArray[np.float64]
Shape = Literal["sudden", "gradual", "seasonal"]

FEWEST_BINS = 4
SMALLEST_RAMP = 3
"""Bins that a change must take to be called gradual."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """When the share of moved topics changed. Bins are numbered from 0.

    bin: the first bin after the change, most probably; first, last: its credible interval of 95 %. before, after: share
    on either side. shape: `sudden`, `gradual` (from `bin` on, over `ramp` bins) or `seasonal` (as at the same hours in
    earlier days).
    """

    bin: int
    first: int
    last: int
    before: float
    after: float
    shape: Shape
    ramp: int = 0


def locate(rows: Sequence[int], moved: Sequence[int], expected: Sequence[float] | None = None) -> Beginning | None:
    """The change of a share over consecutive bins of time; None with fewer than FEWEST_BINS bins or no row.

    rows, moved: rows of each bin, and those of moved topics. expected: share of these topics at the same hour of earlier
    days, where known. The place of the change has a posterior in closed form under a uniform prior and Beta(1/2, 1/2)
    rates on both sides: Smith 1975, doi:10.1093/biomet/62.2.407. `shape` is that of the model (step, ramp, season)
    with the smallest BIC: Schwarz 1978, doi:10.1214/aos/1176344136.
    """
    n, x = np.asarray(rows, dtype=float), np.asarray(moved, dtype=float)
    if len(n) < FEWEST_BINS or n.sum() == 0:
        return None
    posterior = _posterior(n, x)
    cumulative = np.cumsum(posterior)
    place = int(np.argmax(posterior)) + 1
    first = int(np.searchsorted(cumulative, 0.025)) + 1
    last = int(np.searchsorted(cumulative, 0.975)) + 1
    before = float(x[:place].sum() / max(n[:place].sum(), 1))
    after = float(x[place:].sum() / max(n[place:].sum(), 1))
    step = _log_likelihood(n, x, np.where(np.arange(len(n)) < place, before, after))
    size = float(np.log(max(n.sum(), 2)))
    scores: dict[Shape, float] = {"sudden": 3 * size - 2 * step}
    start, length, ramp = _ramp(n, x)
    if length >= SMALLEST_RAMP:
        scores["gradual"] = 4 * size - 2 * ramp
    if expected is not None:
        scores["seasonal"] = size - 2 * _seasonal(n, x, np.asarray(expected, dtype=float))
    shape = min(scores, key=lambda name: scores[name])
    if shape == "gradual":
        return Beginning(start, min(first, start), max(last, start), before, after, shape, length)
    return Beginning(place, first, min(last, len(n) - 1), before, after, shape)


def _posterior(n: Counts, x: Counts) -> Counts:
    """Probability that the change lies between bin i and i + 1, float64 (bins - 1,)."""
    left_n, left_x = np.cumsum(n)[:-1], np.cumsum(x)[:-1]
    right_n, right_x = n.sum() - left_n, x.sum() - left_x
    log = betaln(left_x + 0.5, left_n - left_x + 0.5) + betaln(right_x + 0.5, right_n - right_x + 0.5)
    weight: Counts = np.exp(log - log.max())
    weight /= weight.sum()
    return weight


def _log_likelihood(n: Counts, x: Counts, share: Counts) -> float:
    p = np.clip(share, 1e-9, 1 - 1e-9)
    return float((xlogy(x, p) + xlogy(n - x, 1 - p)).sum())


def _ramp(n: Counts, x: Counts) -> tuple[int, int, float]:
    """(first bin, length, log-likelihood) of the best linear rise from one share to another, by a search of all."""
    bins = len(n)
    times = np.arange(bins)
    best = (0, 0, -np.inf)
    for start in range(bins - SMALLEST_RAMP):
        for length in range(SMALLEST_RAMP, bins - start + 1):
            part = np.clip((times - start + 1) / length, 0.0, 1.0)
            design = np.stack([1 - part, part], axis=1) * np.sqrt(n)[:, None]
            target = np.divide(x, np.sqrt(n), out=np.zeros_like(x), where=n > 0)
            ends = np.clip(np.linalg.lstsq(design, target, rcond=None)[0], 0.0, 1.0)
            found = _log_likelihood(n, x, (1 - part) * ends[0] + part * ends[1])
            if found > best[2]:
                best = (start, length, found)
    return best


def _seasonal(n: Counts, x: Counts, expected: Counts) -> float:
    """Log-likelihood when every bin has the share that its hour had before, times one common factor of the odds."""
    odds = np.clip(expected, 1e-6, 1 - 1e-6)
    odds = odds / (1 - odds)
    factors = np.exp(np.linspace(-1.0, 1.0, 41))
    return max(_log_likelihood(n, x, factor * odds / (1 + factor * odds)) for factor in factors.tolist())
