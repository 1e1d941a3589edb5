"""Evidence of a change that began any of several windows ago, from window summaries alone (pure).

The statistic of each length pools the newest windows of that length: the window-limited scan over possible change
points of Lai 1995 (JRSS B 57(4), 613-658), here on kernel features as in Li, Xie, Dai & Song 2019 (Sequential Analysis
38(4), 503-544). A change too small for one window adds up: the noncentrality of the pooled quadratic form grows with
the rows, while its null law stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analyzers.drift.quadratic import log_tail
from analyzers.drift.reference import Deviations, Reference, Summaries, Values

LENGTHS = (1, 2, 3, 6, 12, 24)
"""Windows that are pooled: with hourly windows a change is sought up to a day back."""
CONFIRMED_FROM = 3
NEWEST_PART = 4
"""Of evidence from 3 windows on, the newest quarter, one at least, must still point the same way, or the change is over."""
TAIL_SCALE = 1.25
"""Safety of the far tail, where sums of a hundred rows are not quite normal: logarithms of p-values are divided by it."""
MANY = 24
"""Windows of history from which the spread of the forms can be judged."""
SCREEN = 2.0
"""Standard deviations above its mean below which a form is clearly healthy; its p-value is then not computed."""


@dataclass(frozen=True)
class Group:
    """Features that are tested together by one quadratic form. weights float64 (k,): weight of each squared deviation.

    safety: what logarithms of p-values are divided by.
    """

    name: str
    columns: slice
    weights: Values
    safety: float = TAIL_SCALE

    def forms(self, deviations: Deviations) -> Values:
        """Quadratic form of each row of deviations, without the pairs of a row with itself."""
        squares = deviations.values[:, self.columns] ** 2 - deviations.surplus[:, self.columns]
        return np.asarray(squares @ self.weights)

    @cached_property
    def mean(self) -> float:
        """Expected form of independent standard normal deviations."""
        return float(self.weights.sum())

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of that form."""
        return float(np.sqrt(2 * (self.weights**2).sum()))


@dataclass(frozen=True)
class Calibration:
    """How forms of healthy runs compare with the law of independent rows; 1 where they agree, never below.

    level: their mean. Real traffic wanders from hour to hour, and a user's calls spread over many windows: what healthy
    windows did is normal. width: standard deviation of the form of one window, which rows with long tails widen.
    """

    level: float
    width: float


@dataclass(frozen=True)
class Evidence:
    """What one statistic says about the newest windows of one length.

    log_p: natural logarithm of its p-value, at most 0; 0 when clearly healthy. ratio: form over its expectation, about
    1 when nothing changed.
    """

    length: int
    group: str
    log_p: float
    ratio: float


class Scanner:
    """Judges windows against one reference. history: the healthy windows that the reference was learnt from."""

    def __init__(
        self, reference: Reference, history: Summaries, groups: Sequence[Group], lengths: Sequence[int] = LENGTHS
    ) -> None:
        self._reference = reference
        self._groups = groups
        self._lengths = lengths
        self.calibration = {length: self._calibrated(history, length) for length in lengths}

    def _calibrated(self, history: Summaries, length: int) -> list[Calibration]:
        """How healthy runs of windows of this length behaved, for each group."""
        past = self._reference.deviations(history, length, inside=True) if len(history) >= 2 * length else None
        spread = self._reference.deviations(history, 1, inside=True)
        found = []
        for group in self._groups:
            level = float(group.forms(past)[::length].mean()) / max(group.mean, 1e-30) if past is not None else 1.0
            width = float(group.forms(spread).std()) / max(group.deviation, 1e-30) if len(history) >= MANY else 1.0
            found.append(Calibration(max(level, 1.0), max(width, 1.0)))
        return found

    def scan(self, windows: Summaries, first: int) -> list[list[Evidence]]:
        """Evidence for each window from number `first` on, with all windows before it at hand."""
        found: list[list[Evidence]] = [[] for _ in range(len(windows) - first)]
        for length in self._lengths:
            start = max(first - length + 1, 0)
            part = windows.part(slice(start, None))
            if len(part) < length:
                continue
            deviations = self._reference.deviations(part, length)
            forms = [group.forms(deviations) for group in self._groups]
            for row in range(len(part) - length + 1):
                end = start + row + length
                run = windows.part(slice(end - length, end))
                found[end - 1 - first] += self._judge([float(values[row]) for values in forms], run)
        return found

    def _judge(self, forms: Sequence[float], run: Summaries) -> list[Evidence]:
        evidence = []
        burst = self._burst(run)
        for form, group, past in zip(forms, self._groups, self.calibration[len(run)], strict=True):
            value = group.mean + (form / past.level - group.mean) / (burst * past.width)
            healthy = value < group.mean + SCREEN * group.deviation or self._is_over(run, group)
            log_p = 0.0 if healthy else log_tail(group.weights, value) / group.safety
            evidence.append(Evidence(len(run), group.name, log_p, value / max(group.mean, 1e-30)))
        return evidence

    def _burst(self, run: Summaries) -> float:
        """How much more the run's sum varies per row than the reference's, at least 1: median over the first group.

        Above 1 when a few users or sessions send a large part of the rows; their calls are then worth fewer.
        """
        columns = self._groups[0].columns
        own = run.variances[:, columns].sum(axis=0) / run.rows.sum()
        return max(1.0, float(np.median(own / np.maximum(self._reference.spread[columns], 1e-30))))

    def _is_over(self, run: Summaries, group: Group) -> bool:
        """Whether what all windows of the run show together is no longer in the newest part of them.

        That part's deviation along that of the earlier windows must reach half of theirs, window for window.
        """
        if len(run) < CONFIRMED_FROM:
            return False
        cut = len(run) - max(len(run) // NEWEST_PART, 1)
        early = self._reference.deviations(run.part(slice(0, cut)), cut).values[0, group.columns]
        late = self._reference.deviations(run.part(slice(cut, None)), len(run) - cut).values[0, group.columns]
        # Deviations are in standard errors, which shrink with the root of the windows pooled.
        expected = np.sqrt((len(run) - cut) / cut) * max(float(group.weights @ (early**2)) - group.mean, 0.0)
        return bool(float(group.weights @ (early * late)) < 0.5 * expected)
