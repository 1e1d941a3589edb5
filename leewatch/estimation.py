"""Intervals of figures that are estimated from a sample of the calls (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
COMPLETE = 0.995
"""Share of calls looked at from which a figure counts as complete."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Two-sided confidence interval [low, high], in the unit of the figure."""

    low: float
    high: float


def mean_interval(mean: float, error: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a mean with standard error `error`, by the normal approximation."""
    margin = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(mean - margin, mean + margin)


def share_interval(share: float, error: float, effective: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a share in [0, 1] that was estimated with standard error `error`.

    Wilson's score interval (J. Am. Stat. Assoc. 22 (1927), 209-212, https://doi.org/10.1080/01621459.1927.10502953) with
    the number of independent calls that would give this error, share * (1 - share) / error^2, and no more than `effective`:
    (sum w)^2 / sum w (w - 1), the same where every call has the same variance. Of a rare event the calls that happened to be
    in the sample tell next to nothing about the error; that bound keeps the interval from shrinking to them. Infinite, once
    every call was looked at: then the share alone.
    """
    if effective <= 0:
        return Interval(0.0, 1.0)
    if math.isinf(effective):
        return Interval(share, share)
    if error > 0 and 0 < share < 1:
        effective = min(effective, share * (1 - share) / error**2)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z**2 / (2 * effective)) / (1 + z**2 / effective)
    margin = z / (1 + z**2 / effective) * math.sqrt(share * (1 - share) / effective + z**2 / (4 * effective**2))
    return Interval(max(centre - margin, 0.0), min(centre + margin, 1.0))
