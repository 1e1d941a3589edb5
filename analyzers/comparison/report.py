"""The comparison of two groups, measure by measure (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyzers.comparison.estimate import FEWEST_ROWS, Difference, Floats, Rows, difference
from analyzers.comparison.measures import Measure
from analyzers.comparison.sequential import Evidence, discoveries, evidence


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one measure: float64 (n,), NaN = not known; weights: 1 / probability that the value was sampled."""

    measure: Measure
    values: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of a comparison.

    a, b: levels of the groups at an equal mix of prompts (geometric means for a ratio). change: b - a, or b / a for a
    ratio; low, high: its confidence sequence; raw: the change with each group's own mix. differs: whether the difference
    stands when all measures are judged together. verdict: `worse`, `better`, `differs`, or '' for no difference found.
    covered: share of the calls whose prompts occur in both groups. reason: why there is no figure, else ''.
    """

    name: str
    scale: str
    unit: str
    a: float | None = None
    b: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    e_value: float | None = None
    raw: float | None = None
    n_a: int = 0
    n_b: int = 0
    covered: float = 0.0
    differs: bool = False
    verdict: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All lines. mix: total variation distance between the groups' prompt mixes, in [0, 1]; strata: how prompts were
    matched: `prompt` (equal texts), `cluster`, or `none`."""

    n_a: int
    n_b: int
    alpha: float
    strata: str
    mix: float
    lines: tuple[Line, ...]


def compare(rows: Rows, columns: Sequence[Column], alpha: float, strata: str) -> Comparison:
    """The comparison at level alpha, in (0, 1). Intervals hold for each measure alone, `differs` for all together."""
    lines = [_line(rows, column, alpha) for column in columns]
    known = [i for i, line in enumerate(lines) if line.e_value is not None]
    found = discoveries([lines[i].e_value or 0.0 for i in known], alpha)
    for i, differs in zip(known, found, strict=True):
        lines[i] = _judged(lines[i], columns[i].measure, differs)
    n_b = int(rows.in_b.sum())
    return Comparison(len(rows.in_b) - n_b, n_b, alpha, strata, _mix(rows), tuple(lines))


def _line(rows: Rows, column: Column, alpha: float) -> Line:
    measure = column.measure
    values = measure.transformed(column.values)
    counted = ~np.isnan(values)
    n_a, n_b = int((counted & ~rows.in_b).sum()), int((counted & rows.in_b).sum())
    found = difference(rows, values, column.weights)
    if found is None:
        reason = f"{n_a} and {n_b} values with comparable prompts are too few: {FEWEST_ROWS} are needed in each group"
        return Line(measure.name, measure.scale, measure.unit, n_a=n_a, n_b=n_b, reason=reason)
    told = evidence(found.difference, found.variance, found.deviation, alpha)
    a, b, change, raw, low, high = _stated(measure, found, told)
    return Line(
        measure.name, measure.scale, measure.unit, a, b, change, low, high, told.p_value, told.e_value, raw,
        found.n_a, found.n_b, found.covered,
    )  # fmt: skip


def _stated(measure: Measure, found: Difference, told: Evidence) -> tuple[float, ...]:
    """(A, B, change, raw, low, high) on the scale that people read: those of a ratio are exponentials."""
    figures = (found.mean_a, found.mean_b, found.difference, found.raw, told.low, told.high)
    if measure.scale == "ratio":
        return tuple(math.exp(min(value, 700.0)) for value in figures)
    if measure.scale == "share":
        return (*figures[:4], max(told.low, -1.0), min(told.high, 1.0))
    return figures


def _judged(line: Line, measure: Measure, differs: bool) -> Line:
    if not differs or line.change is None:
        return line
    rises = line.change > (1.0 if measure.scale == "ratio" else 0.0)
    verdict = "differs" if not measure.worse else "worse" if rises == (measure.worse == "higher") else "better"
    return replace(line, differs=True, verdict=verdict)


def _mix(rows: Rows) -> float:
    """Half the sum over strata of |share in A - share in B|; 0 when a group is empty."""
    if not rows.in_b.any() or rows.in_b.all():
        return 0.0
    size = int(rows.strata.max()) + 1
    a = np.bincount(rows.strata[~rows.in_b], minlength=size)
    b = np.bincount(rows.strata[rows.in_b], minlength=size)
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)
