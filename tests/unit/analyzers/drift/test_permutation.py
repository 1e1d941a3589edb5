from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analyzers.drift import permutation
from analyzers.drift.permutation import permutation_test, surprise, tail_probability


def test_every_permutation_takes_the_same_number_of_rows() -> None:
    labels = permutation._draw(50, 20, 30, np.random.default_rng(0))
    assert labels.shape == (50, 30)
    assert (labels.sum(axis=0) == 20).all()


def test_surprise_is_the_log_probability_of_a_normal_statistic() -> None:
    null = np.random.default_rng(0).standard_normal(200_000)
    assert surprise(np.array([2.0]), null)[0] == pytest.approx(-stats.norm.logsf(2.0), rel=0.03)


def test_surprise_follows_a_skewed_statistic_where_a_normal_fit_would_not() -> None:
    null = np.random.default_rng(0).chisquare(4, 400_000)
    assert surprise(np.array([20.0]), null)[0] == pytest.approx(-stats.chi2.logsf(20.0, 4), rel=0.05)


def test_a_statistic_that_does_not_vary_says_nothing() -> None:
    assert surprise(np.array([3.0, 9.0]), np.full(100, 3.0)).tolist() == [0.0, 0.0]


def test_a_common_value_is_counted() -> None:
    # 50 of 100 permuted values are at least as large: (1 + 50) / (1 + 100).
    assert tail_probability(50.0, np.arange(100.0)) == (51 / 101, False)


def test_the_tail_is_extrapolated_and_errs_to_the_large_side() -> None:
    null = np.random.default_rng(0).exponential(size=2000)
    p_value, extrapolated = tail_probability(12.0, null)
    assert extrapolated
    assert np.exp(-12.0) < p_value < 1e-3


def test_p_values_are_uniform_when_nothing_moved() -> None:
    p_values = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values = rng.standard_normal(60).astype(np.float32)
        statistics = {
            "mean": lambda labels, values=values: (values @ labels).astype(np.float64) ** 2,
            "top": lambda labels, values=values: (np.exp(values) @ labels).astype(np.float64),
        }
        p_values.append(permutation_test(statistics, 60, 20, 150, rng).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) <= 0.05) <= 0.09


def test_a_healthy_window_is_let_go_after_the_screen() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(100).astype(np.float32)
    values[:30] = np.linspace(-1, 1, 30)
    verdict = permutation_test({"mean": lambda labels: (values @ labels).astype(np.float64)}, 100, 30, 5000, rng)
    assert verdict.permutations == permutation.SCREEN
    assert verdict.p_value > 0.1


def test_the_strongest_statistic_is_named() -> None:
    rng = np.random.default_rng(0)
    noise, signal = rng.standard_normal(200).astype(np.float32), np.zeros(200, dtype=np.float32)
    signal[:50] = 1
    statistics = {
        "noise": lambda labels: (noise @ labels).astype(np.float64),
        "signal": lambda labels: (signal @ labels).astype(np.float64),
    }
    verdict = permutation_test(statistics, 200, 50, 500, rng)
    assert verdict.strongest == "signal"
    assert verdict.p_value < 1e-6
    assert verdict.extrapolated
