"""Differences of a score between segments of the traffic, with confidence intervals (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from leewatch.estimation import CONFIDENCE, Interval, mean_interval, share_interval

FEWEST_TRACES = 30
"""Traces below which a segment is not compared: its mean is not yet normal."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Sums of one segment. weight: of its rows; total: weighted values; squares: sums over traces of (weighted value)^2,
    (weighted value * weight) and weight^2, each taken per trace first.
    """

    name: str
    rows: int
    traces: int
    weight: float
    total: float
    squares: tuple[float, float, float]

    @property
    def mean(self) -> float:
        """Hajek's estimate: weighted values over weights. NaN without weight."""
        return self.total / self.weight if self.weight > 0 else math.nan

    @property
    def error(self) -> float:
        """Standard error of the mean, traces being independent of each other; NaN below two traces.

        Linearized ratio: Sarndal, Swensson and Wretman 1992, section 5.7; by trace: Liang and Zeger 1986,
        doi:10.1093/biomet/73.1.13.
        """
        if self.traces < 2 or self.weight <= 0:
            return math.nan
        values, mixed, weights = self.squares
        spread = values - 2 * self.mean * mixed + self.mean**2 * weights
        return math.sqrt(max(spread, 0.0) * self.traces / (self.traces - 1)) / self.weight


@dataclass(frozen=True, slots=True)
class Disparity:
    """A segment against the others, or against a segment that was named. difference: its mean less theirs; all None where
    one of both has too few traces. p_value: of no difference, corrected for the number of segments (Holm).
    """

    segment: str
    rows: int
    traces: int
    mean: float
    others: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    significant: bool = False


def disparities(segments: Sequence[Segment], shares: bool, alpha: float, reference: str = "") -> list[Disparity]:
    """Every segment against the rest, or against `reference`, which is then left out; largest differences first.

    shares: whether values are 0 or 1. Intervals are of 95 %: of a difference of shares Newcombe's hybrid score interval
    (1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10) with the effective numbers that
    the standard errors give, of a difference of means the normal one with both variances (Welch). significant: corrected p-value
    below alpha. Holm 1979, Scand. J. Statist. 6, 65-70.

    Raises ValueError when no segment is called `reference`.
    """
    if reference and reference not in {one.name for one in segments}:
        raise ValueError(f"no segment is called {reference!r}")
    found = []
    for one in segments:
        if one.name == reference:
            continue
        rest = [other for other in segments if (other.name == reference if reference else other is not one)]
        found.append(_compared(one, _joined(rest), shares))
    return sorted(_corrected(found, alpha), key=lambda one: -abs(one.difference or 0.0))


def _joined(segments: Sequence[Segment]) -> Segment:
    sums = [sum(one.squares[i] for one in segments) for i in range(3)]
    return Segment(
        "", sum(one.rows for one in segments), sum(one.traces for one in segments),
        sum(one.weight for one in segments), sum(one.total for one in segments), (sums[0], sums[1], sums[2]),
    )  # fmt: skip


def _compared(one: Segment, other: Segment, shares: bool) -> Disparity:
    plain = Disparity(one.name, one.rows, one.traces, one.mean, other.mean)
    if min(one.traces, other.traces) < FEWEST_TRACES:
        return plain
    difference = one.mean - other.mean
    interval = newcombe(one, other) if shares else mean_interval(difference, math.hypot(one.error, other.error))
    return Disparity(
        one.name, one.rows, one.traces, one.mean, other.mean, difference, interval.low, interval.high,
        _p_value(one, other, shares),
    )  # fmt: skip


def newcombe(one: Segment, other: Segment) -> Interval:
    """The interval of a difference of two shares."""
    first, second = (share_interval(part.mean, part.error, part.traces) for part in (one, other))
    difference = one.mean - other.mean
    return Interval(
        difference - math.hypot(one.mean - first.low, second.high - other.mean),
        difference + math.hypot(first.high - one.mean, other.mean - second.low),
    )


def _p_value(one: Segment, other: Segment, shares: bool) -> float:
    """Two-sided, normal approximation. Shares of 0 or 1 have no error of their own: that of their interval stands for it."""
    error = math.hypot(one.error, other.error)
    if shares:
        interval = newcombe(one, other)
        error = max(error, (interval.high - interval.low) / 2 / NormalDist().inv_cdf((1 + CONFIDENCE) / 2))
    if error <= 0:
        return 1.0 if one.mean == other.mean else 0.0
    return 2 * NormalDist().cdf(-abs(one.mean - other.mean) / error)


def _corrected(found: Sequence[Disparity], alpha: float) -> list[Disparity]:
    """Holm's step-down: the k-th smallest of m p-values times m - k + 1, never below an earlier one."""
    tested = sorted((one for one in found if one.p_value is not None), key=lambda one: one.p_value or 0.0)
    highest, corrected = 0.0, {}
    for place, one in enumerate(tested):
        highest = max(highest, min((one.p_value or 0.0) * (len(tested) - place), 1.0))
        corrected[one.segment] = highest
    return [
        Disparity(
            one.segment, one.rows, one.traces, one.mean, one.others, one.difference, one.low, one.high,
            corrected.get(one.segment), corrected.get(one.segment, 1.0) < alpha,
        )
        for one in found
    ]  # fmt: skip
