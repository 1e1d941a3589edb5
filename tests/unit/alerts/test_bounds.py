from __future__ import annotations

import math

import pytest

from alerts.bounds import incomplete_beta, mean_margin, share_lower, share_upper


def test_the_lower_bound_of_all_successes_is_the_nth_root() -> None:
    # k = n = 10: P(10 of 10 | p) = p^10 = 0.01, so p = 0.01 ** 0.1 = 0.63096
    assert share_lower(1.0, 10, 0.99) == pytest.approx(0.01**0.1, rel=1e-9)


def test_the_lower_bound_of_one_success_solves_the_binomial_tail() -> None:
    # P(at least 1 of 20 | p) = 1 - (1 - p)^20 = 0.05, so p = 1 - 0.95 ** (1 / 20) = 0.0025614
    assert share_lower(1 / 20, 20, 0.95) == pytest.approx(1 - 0.95**0.05, rel=1e-9)


def test_bounds_agree_with_the_beta_quantiles_of_scipy() -> None:
    beta = pytest.importorskip("scipy.stats").beta
    for n in (1, 7, 20, 1000, 3_000_000):
        for share in (0.0005, 0.05, 0.5, 0.99):
            k = round(share * n)
            if k:
                assert share_lower(k / n, n, 0.99) == pytest.approx(beta.ppf(0.01, k, n - k + 1), rel=1e-6)
            if k < n:
                assert share_upper(k / n, n, 0.99) == pytest.approx(beta.ppf(0.99, k + 1, n - k), rel=1e-6)


def test_nothing_observed_says_nothing() -> None:
    assert share_lower(0.0, 0, 0.99) == 0.0
    assert share_upper(0.0, 0, 0.99) == 1.0
    assert share_lower(0.0, 100, 0.99) == 0.0
    assert mean_margin(1.0, 1, 0.99) == math.inf


def test_the_margin_of_a_mean_is_the_normal_quantile_times_the_standard_error() -> None:
    # 0.2 / sqrt(100) = 0.02; the 97.5 % quantile of the normal distribution is 1.95996
    assert mean_margin(0.2, 100, 0.975) == pytest.approx(0.02 * 1.959964, rel=1e-6)


def test_the_incomplete_beta_function_meets_its_ends_and_its_symmetry() -> None:
    assert incomplete_beta(2, 3, 0) == 0
    assert incomplete_beta(2, 3, 1) == 1
    # I_0.5(2, 3) = P(at least 2 of 4 heads) = 11/16
    assert incomplete_beta(2, 3, 0.5) == pytest.approx(11 / 16, rel=1e-12)
