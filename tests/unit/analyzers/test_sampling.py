"""Rates of analyzers: fair, within the budget, and never for what was decided before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.sampling import COMPLETE, LEAST, Costs, fair_rates, sampled_time

NOW = datetime(2026, 3, 10, tzinfo=UTC)
HORIZON = NOW - timedelta(seconds=120)


def test_nothing_is_sampled_while_there_is_time_for_all() -> None:
    assert fair_rates({"a": 0.01, "b": 0.02}, 1000, 40) == {}
    assert fair_rates({"a": 0.01}, 0, 40) == {}
    assert fair_rates({}, 1000, 40) == {}


def test_one_analyzer_looks_at_what_the_budget_holds() -> None:
    assert fair_rates({"a": 0.1}, 1000, 40) == {"a": pytest.approx(0.4)}


def test_a_slow_analyzer_does_not_make_a_sample_of_the_quick_ones() -> None:
    # 1000 calls: quick needs 5 s of its 20 s and leaves 15; slow needs 100 s and has 35
    assert fair_rates({"slow": 0.1, "quick": 0.005}, 1000, 40) == {"slow": pytest.approx(0.35)}


def test_equal_analyzers_get_equal_rates() -> None:
    assert fair_rates({"a": 0.1, "b": 0.1}, 1000, 40) == {"a": pytest.approx(0.2), "b": pytest.approx(0.2)}


def test_analyzers_that_share_work_get_one_rate_and_as_many_parts_as_they_are() -> None:
    # 1000 calls, 40 s: a and b together need 60 s of their two thirds, 26.7 s, and what quick leaves of its 13.3 s
    rates = fair_rates({"a": 0.05, "b": 0.01, "quick": 0.001}, 1000, 40, {"a", "b", "absent"})
    assert rates == {"a": pytest.approx(39 / 60), "b": pytest.approx(39 / 60)}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(1e-5, 10), min_size=1),
    st.integers(1, 10**6),
    st.floats(0.5, 600),
)
def test_the_work_fits_the_budget_and_cheaper_analyzers_have_no_lower_rate(
    costs: dict[str, float], calls: int, budget: float
) -> None:
    rates = fair_rates(costs, calls, budget)
    assert all(LEAST <= rate <= COMPLETE for rate in rates.values())
    ordered = [rates.get(name, 1.0) for name in sorted(costs, key=lambda name: (costs[name], name))]
    assert all(cheap >= dear - 1e-9 for cheap, dear in pairwise(ordered))
    work = sum(costs[name] * calls * rates.get(name, 1.0) for name in costs)
    least = sum(costs[name] * calls * LEAST for name in costs)
    assert work <= budget / COMPLETE + least + 1e-6


def test_costs_follow_a_machine_that_gets_slower() -> None:
    costs = Costs()
    assert costs.of("a") is None
    costs.add("a", 1.0, 100)
    assert costs.of("a") == pytest.approx(0.01)
    for _ in range(30):
        costs.add("a", 10.0, 100)
    assert costs.of("a") == pytest.approx(0.1, rel=0.02)


def test_stretches_follow_each_other_without_gap() -> None:
    since, until = sampled_time(NOW - timedelta(seconds=30), NOW, NOW - timedelta(seconds=1), HORIZON)
    assert (since, until) == (NOW - timedelta(seconds=30), NOW)


def test_what_was_received_long_ago_is_not_made_a_sample() -> None:
    for decided in (None, NOW - timedelta(hours=3)):
        assert sampled_time(decided, NOW, None, HORIZON) == (HORIZON, NOW)


def test_a_clock_that_is_ahead_does_not_leave_calls_undecided() -> None:
    ahead = NOW + timedelta(seconds=3)
    _, until = sampled_time(None, NOW, ahead, HORIZON)
    assert until > ahead
    assert sampled_time(until, NOW, None, HORIZON) == (until, until)
