"""Evidence against values worked out by hand, and its guarantee under repeated looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyzers.comparison.sequential import discoveries, evidence


def test_evidence_is_that_of_the_normal_mixture() -> None:
    # v = 1, deviation 10 -> t = (0.1 * 10)^2 = 1; d = 2: e = sqrt(1/2) exp(4 * 1 / (2 * 1 * 2)) = e / sqrt(2)
    found = evidence(2.0, 1.0, 10.0, 0.05)
    assert found.e_value == pytest.approx(math.e / math.sqrt(2))
    assert found.p_value == pytest.approx(math.sqrt(2) / math.e)
    # half width: sqrt(2 * 1 * 2 / 1 * log(sqrt(2) / 0.05)) = sqrt(4 * 3.3423) = 3.6564
    assert (found.low, found.high) == (pytest.approx(2 - 3.6564, abs=1e-3), pytest.approx(2 + 3.6564, abs=1e-3))


def test_the_interval_holds_zero_exactly_while_the_p_value_is_above_alpha() -> None:
    for estimate in np.linspace(0, 6, 61):
        found = evidence(float(estimate), 1.0, 10.0, 0.05)
        assert (found.low <= 0) == (found.p_value >= 0.05)


def test_a_measure_that_does_not_vary_differs_surely_or_not_at_all() -> None:
    assert evidence(0.0, 0.0, 0.0, 0.05).p_value == 1.0
    assert evidence(0.1, 0.0, 0.0, 0.05).e_value == math.inf


def test_an_overwhelming_difference_does_not_overflow() -> None:
    assert evidence(1e6, 1.0, 1.0, 0.05).p_value == 0.0


def test_looking_after_every_ten_calls_rarely_finds_a_difference_that_is_not_there() -> None:
    rng = np.random.default_rng(4)
    alarms, plain = 0, 0
    for _ in range(300):
        draws = rng.normal(size=(2, 2000))
        n = np.arange(30, 2001, 10)
        sums = np.cumsum(draws, axis=1)[:, n - 1] / n
        gap, variance = sums[1] - sums[0], 2 / n
        alarms += any(
            evidence(float(d), float(v), 1.0, 0.05).p_value < 0.05 for d, v in zip(gap, variance, strict=True)
        )
        plain += bool((np.abs(gap) / np.sqrt(variance) > 1.96).any())
    assert alarms <= 300 * 0.05  # 0.05 is a bound
    assert plain > 300 * 0.25  # what looking at the usual p-value does: the simulation can tell


def test_all_measures_together_are_judged_by_e_bh() -> None:
    # m = 3, alpha = 0.1: e(1) = 40 >= 30, e(2) = 16 >= 15, e(3) = 2 < 10 -> the first two stand
    assert discoveries([2.0, 40.0, 16.0], 0.1) == [False, True, True]
    assert discoveries([], 0.1) == []
    assert discoveries([25.0, 1.0, 1.0], 0.1) == [False, False, False]
