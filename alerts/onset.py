"""When a breach began, within the window that showed it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """One slice of time: its position, its (weighted) number of observations, and their sum (for a share: how many are bad)."""

    position: int
    n: float
    total: float


def onset(buckets: Sequence[Bucket], limit: float, high: bool = True) -> int:
    """Position of the bucket in which the breach most likely began; 0 when there is none.

    The start that maximizes the sum of (value - limit) up to the newest observation: the change point of Page's
    cumulative sum with `limit` as its reference value (Biometrika 41 (1954), 100-115,
    https://doi.org/10.1093/biomet/41.1-2.100). high: the breach lies above the limit.
    """
    excess, best, start = 0.0, 0.0, 0
    for bucket in reversed(buckets):
        excess += (bucket.total - limit * bucket.n) * (1 if high else -1)
        if excess > best:
            best, start = excess, bucket.position
    return start
