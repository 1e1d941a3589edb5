"""One p-value from several statistics, by permuting which rows are the current window.

Each statistic is computed on the pool once for all permutations. Its null distribution is summarized by three moments
(Pearson type III, which holds for quadratic forms under permutation: Josse, Pagès & Husson 2008, CSDA 53(1), 82-91;
Minas & Montana 2014, Stat. Anal. Data Min. 7(3), 194-207), which puts all statistics on one scale: minus the logarithm
of a tail probability. The combined statistic is the largest of these, and it is judged against its own permutation
distribution, so that dependence between the statistics costs nothing (Schrab et al. 2023, JMLR 24(194)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Labels = npt.NDArray[np.float32]
"""float32 (N, B), one permutation a column: 1 where the row is taken for the current window, else 0."""
Values = npt.NDArray[np.float64]
Evaluate = Callable[[Labels], Values]
"""Values float64 (B,) of a statistic for labels (N, B); larger = more different."""

CHUNK = 250
"""Permutations evaluated at once: (N, 250) float32 is 10 MB at N = 10,000."""
SCREEN = 200
"""Permutations after which a clearly healthy window is let go."""
SCREEN_EXCEEDANCES = 20
BODY_EXCEEDANCES = 10
TAIL_SHARE = 0.1
TAIL_SCALE = 1.4
"""Safety of the extrapolation. With 1.0, fresh permutations of real text reached p <= 1e-5 three times too often."""
SMALLEST_P = 1e-12
"""Below this the tail approximation says no more than `very small`."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of a permutation test.

    p_value: of the combined statistic. observed: values of the statistics on the true labels. partial: minus the
    natural logarithm of each statistic's own tail probability. strongest: the statistic with the largest. permutations:
    how many were drawn. extrapolated: the p-value comes from the tail fit, not from counting.
    """

    p_value: float
    observed: Mapping[str, float]
    partial: Mapping[str, float]
    strongest: str
    permutations: int
    extrapolated: bool


def permutation_test(
    statistics: Mapping[str, Evaluate], n_pool: int, n_current: int, permutations: int, rng: np.random.Generator
) -> Verdict:
    """The verdict on whether the first `n_current` of `n_pool` rows differ from the others.

    A window that more than a tenth of the first permutations beat is let go early (Besag & Clifford 1991, Biometrika
    78(2)): its p-value is then at least 0.1, and smaller p-values are not affected.
    """
    truth = np.zeros((n_pool, 1), dtype=np.float32)
    truth[:n_current] = 1
    observed = {name: float(evaluate(truth)[0]) for name, evaluate in statistics.items()}
    drawn: dict[str, list[Values]] = {name: [] for name in statistics}
    count = 0
    verdict: Verdict | None = None
    for size in _sizes(permutations):
        labels = _draw(n_pool, n_current, size, rng)
        for name, evaluate in statistics.items():
            drawn[name].append(evaluate(labels))
        count += size
        if count == SCREEN and permutations > SCREEN:
            verdict = _judge(observed, drawn)
            if verdict.p_value * (SCREEN + 1) > SCREEN_EXCEEDANCES:
                return verdict
    return _judge(observed, drawn)


def _sizes(permutations: int) -> Iterator[int]:
    first = min(SCREEN, permutations)
    yield first
    left = permutations - first
    while left > 0:
        yield min(CHUNK, left)
        left -= CHUNK


def _draw(n_pool: int, n_current: int, size: int, rng: np.random.Generator) -> Labels:
    keys = rng.random((size, n_pool), dtype=np.float32)
    chosen = np.argpartition(keys, n_current - 1, axis=1)[:, :n_current]
    labels = np.zeros((size, n_pool), dtype=np.float32)
    np.put_along_axis(labels, chosen, np.float32(1), axis=1)
    return np.ascontiguousarray(labels.T)


def _judge(observed: Mapping[str, float], drawn: Mapping[str, list[Values]]) -> Verdict:
    surprises, partial = [], {}
    for name, parts in drawn.items():
        null = np.concatenate(parts)
        everything = surprise(np.append(null, observed[name]), null)
        surprises.append(everything)
        partial[name] = float(everything[-1])
    combined = np.max(np.stack(surprises), axis=0)
    p_value, extrapolated = tail_probability(float(combined[-1]), combined[:-1])
    return Verdict(
        p_value=p_value,
        observed=dict(observed),
        partial=partial,
        strongest=max(partial, key=lambda name: partial[name]),
        permutations=len(combined) - 1,
        extrapolated=extrapolated,
    )


def surprise(values: Values, null: Values) -> Values:
    """Minus the natural logarithm of the upper tail probability of `values` under a Pearson III fit to `null`.

    A statistic that does not vary says nothing: 0 everywhere. Negative skewness is taken as none, which is
    conservative.
    """
    center, scale = float(null.mean()), float(null.std())
    if scale <= 1e-9 * max(abs(center), 1e-12):
        return np.zeros_like(values)
    z = (values - center) / scale
    skewness = float((((null - center) / scale) ** 3).mean())
    if skewness < 1e-3:
        return np.asarray(-special.log_ndtr(-z), dtype=np.float64)
    shape = 4.0 / skewness**2
    tail = special.gammaincc(shape, np.maximum(shape + np.sqrt(shape) * z, 0.0))
    return np.asarray(-np.log(np.maximum(tail, 1e-300)), dtype=np.float64)


def tail_probability(observed: float, null: Values) -> tuple[float, bool]:
    """(p-value, extrapolated) of `observed` among the permuted values.

    With enough larger permuted values the p-value is counted, (1 + c) / (1 + B). Beyond them the excess over the
    (1 - TAIL_SHARE) quantile is fitted, the peaks-over-threshold way of Knijnenburg et al. 2009 (Bioinformatics 25(12),
    i161-i168). Their generalized Pareto law has a shape to be estimated; here the values already are minus log
    probabilities, so the shape is 0 (exponential) and only the scale is estimated. It would be 1 if the fits were
    exact; it is never taken below TAIL_SCALE and is widened by its standard error: the p-value errs to the large side.
    """
    larger = int(np.count_nonzero(null >= observed))
    counted = (1 + larger) / (1 + len(null))
    if larger >= BODY_EXCEEDANCES:
        return counted, False
    k = max(int(len(null) * TAIL_SHARE), 20)
    ordered = np.sort(null)
    start = float(ordered[-k - 1])
    scale = max(TAIL_SCALE, float((ordered[-k:] - start).mean()) * (1 + k**-0.5))
    fitted = k / len(null) * float(np.exp(-(observed - start) / scale))
    return min(max(fitted, SMALLEST_P), 1.0), True
