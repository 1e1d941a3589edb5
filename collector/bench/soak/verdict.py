"""Whether a measured quantity stays bounded (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

WARM_UP = 1 / 3
"""Of the run: caches fill, spooled segments reach the age at which they go."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a quantity may grow from the end of the warm-up to the end of the run: a share of its median, and an amount."""

    share: float
    amount: float


BOUNDS: Mapping[str, Bound] = {
    "rss_mb": Bound(0.10, 24.0),
    "fds": Bound(0.10, 16.0),
    "threads": Bound(0.10, 8.0),
    "files": Bound(0.10, 24.0),
    "fullest.parts": Bound(0.25, 24.0),
    "parts": Bound(1.0, 48.0),
}
"""By the end of a series' name. files: of the spool, and temporary ones of the store; parts: of a table's fullest partition, of
a table: a run covers two days, so those may double."""
MOST_PARTS = 300
"""Active parts of one partition. ClickHouse slows inserts down at 1000 (parts_to_delay_insert)."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A series after the warm-up. growth: how much it grows over that time if it goes on as in the half in which it grew less:
    a leak goes on in both, a pool that is filled up once does not. allowed: how much that may be."""

    name: str
    first: float
    median: float
    last: float
    most: float
    growth: float
    allowed: float

    @property
    def bounded(self) -> bool:
        return self.growth <= self.allowed


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Theil-Sen slope: the median of the slopes of all pairs, which single peaks do not move (Sen 1968, JASA 63, 1379-1389)."""
    pairs = [
        (values[b] - values[a]) / (times[b] - times[a])
        for a, b in combinations(range(len(times)), 2)
        if times[b] > times[a]
    ]
    return median(pairs) if pairs else 0.0


def trend(name: str, times: Sequence[float], values: Sequence[float]) -> Trend:
    """The trend of a series (s, any unit), whose name ends like one of BOUNDS."""
    bound = next(bound for suffix, bound in BOUNDS.items() if name.endswith(suffix))
    start = times[0] + (times[-1] - times[0]) * WARM_UP
    warm = [(at, value) for at, value in zip(times, values, strict=True) if at >= start]
    at, of = [pair[0] for pair in warm], [pair[1] for pair in warm]
    middle, half = median(of), len(at) // 2
    return Trend(
        name,
        round(of[0], 1),
        round(middle, 1),
        round(of[-1], 1),
        round(max(values), 1),
        round(min(slope(at[:half], of[:half]), slope(at[half:], of[half:])) * (at[-1] - at[0]), 1),
        round(bound.share * middle + bound.amount, 1),
    )
