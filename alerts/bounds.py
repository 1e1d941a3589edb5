"""How sure we are that a share or a mean lies beyond a threshold: one-sided confidence bounds (pure)."""

from __future__ import annotations

import math
from statistics import NormalDist

_BISECTIONS = 60
_CONTINUED_FRACTION_STEPS = 500
_TINY = 1e-300


def share_lower(share: float, n: float, confidence: float) -> float:
    """Exact one-sided lower confidence bound of a binomial proportion, in [0, 1]; 0 for n <= 0 or no success.

    share: observed share in [0, 1]; n: number of observations, or the effective number of weighted ones; confidence in
    (0, 1). Clopper and Pearson, Biometrika 26 (1934), 404-413, https://doi.org/10.1093/biomet/26.4.404: the p that
    solves I_p(k, n - k + 1) = 1 - confidence. Never covers less than it says, however small the share, unlike Wilson's.
    """
    k = share * n
    if n <= 0 or k <= 0:
        return 0.0
    return _solve(k, n - k + 1, 1 - confidence)


def share_upper(share: float, n: float, confidence: float) -> float:
    """Exact one-sided upper confidence bound of a binomial proportion, in [0, 1]; 1 for n <= 0."""
    return 1.0 - share_lower(1.0 - share, n, confidence) if n > 0 else 1.0


def mean_margin(deviation: float, n: float, confidence: float) -> float:
    """Distance from a mean of n observations to its one-sided confidence bound; infinite for n < 2.

    Normal approximation by the central limit theorem; `deviation` is the sample standard deviation.
    """
    if n < 2:
        return math.inf
    return NormalDist().inv_cdf(confidence) * deviation / math.sqrt(n)


def _solve(a: float, b: float, probability: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if incomplete_beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return low


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized incomplete beta function I_x(a, b) for a, b > 0 and x in [0, 1].

    Continued fraction of https://dlmf.nist.gov/8.17#v, evaluated by the modified Lentz algorithm (Thompson and Barnett,
    J. Comput. Phys. 64 (1986), 490-509, https://doi.org/10.1016/0021-9991(86)90046-X).
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _CONTINUED_FRACTION_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + numerator * d)
            c = _away_from_zero(1.0 + numerator / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
