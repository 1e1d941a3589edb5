"""What a window is expected to look like, from the windows before it, daily and weekly cycles included (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import linalg

Values = npt.NDArray[np.float64]
Cycles = Literal["none", "daily", "weekly"]

DAY = 24.0
"""Hours."""
WEEK = 168.0
DAILY_HARMONICS = 11
WEEKLY_HARMONICS = 3
DAYS_FOR_DAILY = 3
"""Days of history below which a daily cycle cannot be told from a change."""
DAYS_FOR_WEEKLY = 14


@dataclass(frozen=True)
class Summaries:
    """Windows of one series, in order of time.

    hours float64 (j,): middle of each window, hours since 1970. rows float64 (j,): rows in it. sums float64 (j, d): sum
    of its rows' features. variances float64 (j, d): variance of that sum, from its blocks (rows of one user or session
    move together).
    """

    hours: Values
    rows: Values
    sums: Values
    variances: Values

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: npt.NDArray[np.bool_] | slice | npt.NDArray[np.int64]) -> Summaries:
        """Some of the windows."""
        return Summaries(self.hours[chosen], self.rows[chosen], self.sums[chosen], self.variances[chosen])


def join(parts: Sequence[Summaries]) -> Summaries:
    """All windows of the parts, in their order."""
    return Summaries(
        np.concatenate([part.hours for part in parts]),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.sums for part in parts]),
        np.concatenate([part.variances for part in parts]),
    )


@dataclass(frozen=True)
class Deviations:
    """Standardized differences of runs of windows. values float64 (r, d): standard normal each when nothing changed.

    surplus float64 (r, d): how much the square of each is raised by the run's own rows varying more than those of the
    reference, estimated from the run itself. Squares less surplus are a U-statistic: pairs of one row with itself,
    which tell nothing of a change and whose sum has heavy tails, cancel (Hoeffding 1948, Ann. Math. Stat. 19(3)).
    """

    values: Values
    surplus: Values


@dataclass(frozen=True)
class Reference:
    """The expected features at any time, and how well they are known.

    coordinates float64 (k, d): posterior means in an orthogonal basis of the history. known float64 (k, d): posterior
    variance of each coordinate in units of spread. spread float64 (d,): variance of a window's sum per row. rows: rows
    of the history.
    """

    cycles: Cycles
    basis: Values
    coordinates: Values
    known: Values
    spread: Values
    rows: float

    def deviations(self, windows: Summaries, length: int = 1, inside: bool = False) -> Deviations:
        """Standardized difference between each run of `length` windows, pooled, and what was expected of it.

        Row i is of the windows i to i + length - 1. The variance has two parts: that of the windows' mean, and that of
        the expectation, which all windows share. inside: the windows are part of the history, so the expectation has
        already followed them and the variances are subtracted.
        """
        rows = _runs(windows.rows[:, None], length)
        terms = cycle_terms(windows.hours, self.cycles) * windows.rows[:, None]
        place = (_runs(terms, length) @ self.basis) / rows
        difference = _runs(windows.sums, length) / rows - place @ self.coordinates
        expectation = (place**2) @ self.known
        scale = np.maximum(1 / rows + (-expectation if inside else expectation), 1e-3 / rows)
        spread = np.maximum(self.spread, 1e-30)
        own = _runs(windows.variances, length) / rows / spread
        return Deviations(difference / np.sqrt(spread * scale), (own - 1) / (rows * scale))


def learn(history: Summaries, floor: Values | float = 0.0, cycles: Cycles = "weekly") -> Reference:
    """The reference that the history supports: a mean, plus daily and weekly cycles as far as it is long enough.

    Each feature is regressed on harmonics of the day (11) and the week (3), with a normal prior on their coefficients
    whose variance falls with the square of the harmonic and is estimated from the history itself (empirical Bayes,
    Efron & Morris 1975, JASA 70(350), 311-319): a feature without a cycle keeps the full precision of its mean. The
    history enters only by its sums, so the cost does not grow with its rows.
    """
    cycles = supported(history.hours, cycles)
    terms = cycle_terms(history.hours, cycles)
    spread = np.maximum(history.variances.sum(axis=0) / history.rows.sum(), floor)
    gram = terms.T @ (terms * history.rows[:, None])
    penalty = _penalty(cycles)
    # In this basis the history's coordinates have unit noise and the prior is diagonal.
    weights, basis = linalg.eigh(np.diag(penalty), gram + 1e-9 * np.trace(gram) * np.eye(len(gram)))
    found = basis.T @ (terms.T @ history.sums)
    weights = np.maximum(weights, 0.0)
    fixed = weights <= 1e-12 * max(float(weights.max()), 1e-300)
    shrunk = np.ones_like(found)
    if not fixed.all():
        inverse = 1 / weights[~fixed][:, None]
        excess = found[~fixed] ** 2 / np.maximum(spread, 1e-30) - 1
        ratio = np.maximum((excess * inverse).sum(axis=0) / (inverse**2).sum(), 0.0)
        shrunk[~fixed] = ratio * inverse / (1 + ratio * inverse)
    return Reference(cycles, basis, shrunk * found, shrunk, spread, float(history.rows.sum()))


def supported(hours: Values, cycles: Cycles) -> Cycles:
    """The cycles that a history over these times can tell from a change."""
    days = (float(hours.max()) - float(hours.min())) / DAY if len(hours) else 0.0
    if cycles == "none" or days < DAYS_FOR_DAILY - 0.5 or len(hours) < 2 * (1 + 2 * DAILY_HARMONICS):
        return "none"
    return "weekly" if cycles == "weekly" and days >= DAYS_FOR_WEEKLY - 0.5 else "daily"


def cycle_terms(hours: Values, cycles: Cycles) -> Values:
    terms = [np.ones_like(hours)]
    for period, count in _periods(cycles):
        for k in range(1, count + 1):
            angle = 2 * np.pi * k * hours / period
            terms += [np.cos(angle), np.sin(angle)]
    return np.stack(terms, axis=1)


def _penalty(cycles: Cycles) -> Values:
    values = [0.0]
    for _, count in _periods(cycles):
        for k in range(1, count + 1):
            values += [float(k**2)] * 2
    return np.array(values)


def _periods(cycles: Cycles) -> list[tuple[float, int]]:
    if cycles == "none":
        return []
    daily = [(DAY, DAILY_HARMONICS)]
    return daily if cycles == "daily" else [*daily, (WEEK, WEEKLY_HARMONICS)]


def _runs(values: Values, length: int) -> Values:
    """Sums over each run of `length` consecutive rows, float64 (j - length + 1, d)."""
    if length == 1:
        return values
    total = np.cumsum(np.concatenate([np.zeros((1, values.shape[1])), values]), axis=0)
    return np.asarray(total[length:] - total[:-length])
