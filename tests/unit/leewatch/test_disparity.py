"""Differences between segments."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from leewatch.disparity import Segment, disparities, newcombe


def segment(name: str, values: Sequence[float], weights: Sequence[float] | None = None, size: int = 1) -> Segment:
    """A segment of rows, `size` of them a trace."""
    y, w = np.array(values, float), np.ones(len(values)) if weights is None else np.array(weights, float)
    trace = np.arange(len(y)) // size
    a, b = np.bincount(trace, w * y), np.bincount(trace, w)
    return Segment(name, len(y), len(a), w.sum(), (w * y).sum(), ((a * a).sum(), (a * b).sum(), (b * b).sum()))


def test_the_interval_of_two_shares_is_newcombes_published_example() -> None:
    # 56/70 against 48/80: method 10 gives 0.0524 to 0.3339 (Newcombe 1998, table II, column a)
    interval = newcombe(segment("a", [1] * 56 + [0] * 14), segment("b", [1] * 48 + [0] * 32))
    assert (interval.low, interval.high) == (pytest.approx(0.0524, abs=0.004), pytest.approx(0.3339, abs=0.004))


def test_the_error_of_a_plain_mean_is_the_usual_one() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.5, 200)
    one = segment("a", list(values))
    assert one.mean == pytest.approx(values.mean())
    assert one.error == pytest.approx(values.std(ddof=1) / math.sqrt(200), rel=1e-3)


def test_rows_of_one_trace_count_together() -> None:
    values = list(np.random.default_rng(1).normal(size=60))
    apart, repeated = segment("a", values), segment("a", list(np.repeat(values, 5)), size=5)
    assert repeated.error == pytest.approx(apart.error)


def test_weights_undo_a_sample() -> None:
    rng = np.random.default_rng(2)
    values = (rng.random(20_000) < 0.2).astype(float)
    chance = np.where(values > 0, 0.5, 0.1)
    kept = rng.random(20_000) < chance
    one = segment("a", list(values[kept]), list(1 / chance[kept]))
    assert one.mean == pytest.approx(0.2, abs=3 * one.error)
    assert values[kept].mean() > 0.4


def test_a_segment_that_differs_is_named_first_and_the_others_are_not() -> None:
    rng = np.random.default_rng(3)
    even = [segment(name, list((rng.random(400) < 0.1).astype(float))) for name in "abcd"]
    odd = segment("odd", list((rng.random(400) < 0.3).astype(float)))
    found = disparities([*even, odd], shares=True, alpha=0.05)
    assert found[0].segment == "odd"
    assert found[0].significant
    assert found[0].low is not None
    assert 0.1 < found[0].low < found[0].difference < 0.3  # type: ignore[operator]
    against = disparities([*even, odd], shares=True, alpha=0.05, reference="a")
    assert {one.segment for one in against} == {"b", "c", "d", "odd"}
    assert [one.segment for one in against if one.significant] == ["odd"]


def test_equal_segments_are_rarely_called_different() -> None:
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        same = [segment(name, list((rng.random(100) < 0.1).astype(float))) for name in "abcdef"]
        alarms += any(one.significant for one in disparities(same, shares=True, alpha=0.05))
    assert alarms <= 11  # 5 of 100 expected; more than 11 has a chance below 0.5 %


def test_intervals_hold_the_true_difference_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        first, second = (rng.random(80) < 0.1).astype(float), (rng.random(120) < 0.05).astype(float)
        one = disparities([segment("a", list(first)), segment("b", list(second))], True, 0.05, "b")[0]
        held += one.low is not None and one.high is not None and one.low <= 0.05 <= one.high
    assert held >= 182  # 190 of 200 expected; fewer has a chance of about 1 %


def test_a_small_segment_is_shown_without_a_verdict() -> None:
    found = disparities([segment("few", [1.0] * 10), segment("many", [0.0, 1.0] * 50)], True, 0.05)
    assert all(one.difference is None and not one.significant for one in found)


def test_segments_without_any_hit_have_an_interval_all_the_same() -> None:
    [one, _] = disparities([segment("a", [0.0] * 100), segment("b", [0.0] * 100)], True, 0.05)
    assert (one.difference, one.p_value) == (0.0, 1.0)
    assert one.low is not None
    assert one.low < -0.02


def test_an_unknown_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="no segment is called 'x'"):
        disparities([segment("a", [1.0]), segment("b", [0.0])], True, 0.05, "x")
