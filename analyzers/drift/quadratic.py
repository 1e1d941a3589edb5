"""Tail of a quadratic form in normal variables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Values = npt.NDArray[np.float64]

ROUNDS = 60
"""Newton steps with bisection as a net: the root is then exact to the last digits."""


def log_tail(weights: Values, value: float) -> float:
    """Natural logarithm of P(sum_i weights_i * X_i >= value), X_i independent chi-square with one degree of freedom.

    Saddlepoint approximation of Lugannani & Rice in the form of Kuonen 1999 (Biometrika 86(4), 929-935), whose relative
    error stays small far in the tail, where a matched gamma law is off by factors. 0 at or below the mean's
    neighbourhood is not cut: the whole line is covered. weights float64 (k,), none negative; without a positive one the
    form is 0 and so is the logarithm for value <= 0, else minus infinity.
    """
    kept = weights[weights > 1e-12 * max(float(weights.max(initial=0.0)), 1e-300)]
    if not len(kept):
        return 0.0 if value <= 0 else -np.inf
    if value <= 0:
        return 0.0
    mean, deviation = float(kept.sum()), float(np.sqrt(2 * (kept**2).sum()))
    if abs(value - mean) < 1e-4 * deviation:  # the approximation is 0/0 at the mean: step aside
        value = mean + 1e-4 * deviation
    root = _saddlepoint(kept, value)
    cumulant = -0.5 * float(np.log1p(-2 * root * kept).sum())
    curvature = 2 * float(((kept / (1 - 2 * root * kept)) ** 2).sum())
    distance = np.sign(root) * np.sqrt(max(2 * (root * value - cumulant), 1e-300))
    spread = root * np.sqrt(curvature)
    return float(min(special.log_ndtr(-(distance + np.log(spread / distance) / distance)), 0.0))


def _saddlepoint(weights: Values, value: float) -> float:
    """The root of K'(t) = value, K'(t) = sum weights / (1 - 2 t weights), which rises up to t = 1 / (2 max weight)."""
    high = 0.5 / float(weights.max())
    low = -0.5 * len(weights) / value  # K'(low) < value: each summand is below value / len(weights)
    root = 0.0
    for _ in range(ROUNDS):
        inverse = weights / (1 - 2 * root * weights)
        excess = float(inverse.sum()) - value
        if excess > 0:
            high = root
        else:
            low = root
        step = root - excess / (2 * float((inverse**2).sum()))
        step = step if low < step < high else (low + high) / 2
        if abs(step - root) <= 1e-13 * max(abs(step), high - low):
            return step
        root = step
    return root
