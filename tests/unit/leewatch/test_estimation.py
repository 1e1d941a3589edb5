"""Intervals of estimates: known values, limits, and coverage under sampling by trace."""

from __future__ import annotations

import math

import numpy as np
import pytest

from leewatch.estimation import mean_interval, share_interval


def test_a_mean_lies_within_1_96_standard_errors() -> None:
    found = mean_interval(0.5, 0.1)
    assert (found.low, found.high) == pytest.approx((0.304, 0.696), abs=1e-3)


def test_a_share_has_wilsons_interval_for_the_number_of_calls_that_gives_its_error() -> None:
    # 10 of 100 independent calls: error sqrt(0.1 * 0.9 / 100); Wilson: (0.0552, 0.1744)
    found = share_interval(0.1, math.sqrt(0.09 / 100), 1000)
    assert (found.low, found.high) == pytest.approx((0.0552, 0.1744), abs=1e-4)


def test_no_call_beyond_the_threshold_does_not_mean_that_there_is_none() -> None:
    found = share_interval(0.0, 0.0, 222)
    assert found.low == 0.0
    assert 0.01 < found.high < 0.02


def test_a_rare_event_that_was_seen_where_every_call_was_is_not_known_better_than_the_sample_allows() -> None:
    found = share_interval(0.0038, 0.0002, 330)
    assert found.low < 0.001
    assert found.high > 0.0148


def test_nothing_is_known_without_a_call_and_all_is_known_with_every_call() -> None:
    nothing, everything = share_interval(0.0, 0.0, 0), share_interval(0.3, 0.0, math.inf)
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert (everything.low, everything.high) == (0.3, 0.3)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_intervals_hold_the_truth_of_all_calls_as_often_as_they_say(share: float) -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        truth = rng.random((1000, 2)) < share * rng.choice([0, 2], (1000, 1))  # traces of two calls that go together
        rate = rng.choice([0.2, 0.5], 1000)
        chosen = rng.random(1000) < rate
        weights, bad = 1 / rate[chosen], truth[chosen]
        total = 2 * weights.sum()
        estimate = (weights @ bad.sum(axis=1)) / total
        excess = bad.sum(axis=1) - 2 * estimate
        error = math.sqrt(float(weights * (weights - 1) @ excess**2)) / total
        effective = total**2 / float((weights * (weights - 1) * 2).sum())
        found = share_interval(float(estimate), error, effective)
        held += found.low <= truth.mean() <= found.high
    assert 0.92 <= held / 400 <= 0.99
