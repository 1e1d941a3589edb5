from __future__ import annotations

import numpy as np
import pytest

from analyzers.drift.reference import Summaries, Values, learn, supported


def hourly(means: Values, rows: float, rng: np.random.Generator) -> Summaries:
    """Windows of `rows` rows whose features have these means float64 (j, d) and variance 1."""
    noise = rng.standard_normal(means.shape) / np.sqrt(rows)
    count = len(means)
    return Summaries(
        np.arange(count) + 0.5, np.full(count, rows), (means + noise) * rows, np.full(means.shape, float(rows))
    )


@pytest.mark.parametrize("length", [1, 4, 24])
def test_deviations_of_healthy_windows_are_standard_normal(length: int) -> None:
    windows = hourly(np.zeros((168 + 480, 60)), 200, np.random.default_rng(0))
    reference = learn(windows.part(slice(0, 168)))
    found = reference.deviations(windows.part(slice(168, None)), length).values[::length]
    assert float((found**2).mean()) == pytest.approx(1.0, abs=0.12)
    inside = reference.deviations(windows.part(slice(0, 168)), length, inside=True).values[::length]
    assert float((inside**2).mean()) == pytest.approx(1.0, abs=0.2)


def test_a_daily_cycle_is_expected_and_not_a_deviation() -> None:
    hours = np.arange(168 + 48) + 0.5
    cycle = 0.4 * np.cos(2 * np.pi * hours / 24)[:, None] * np.array([1.0] * 5 + [0.0] * 35)
    windows = hourly(cycle, 500, np.random.default_rng(1))
    learnt = learn(windows.part(slice(0, 168)))
    assert learnt.cycles == "daily"
    found = learnt.deviations(windows.part(slice(168, None))).values
    assert float((found[:, :5] ** 2).mean()) < 1.4
    flat = learn(windows.part(slice(0, 168)), cycles="none").deviations(windows.part(slice(168, None))).values
    assert float((flat[:, :5] ** 2).mean()) > 20


def test_a_weekend_is_expected_after_two_weeks() -> None:
    hours = np.arange(5 * 168) + 0.5
    weekend = (0.5 * (hours % 168 >= 120))[:, None] * np.ones((1, 5))
    windows = hourly(weekend, 500, np.random.default_rng(2))
    learnt = learn(windows.part(slice(0, 4 * 168)))
    assert learnt.cycles == "weekly"
    found = float((learnt.deviations(windows.part(slice(4 * 168, None))).values ** 2).mean())
    daily = learn(windows.part(slice(0, 4 * 168)), cycles="daily").deviations(windows.part(slice(4 * 168, None)))
    assert found < 0.4 * float((daily.values**2).mean())


def test_a_short_history_makes_no_claim_about_cycles() -> None:
    assert supported(np.arange(48.0), "weekly") == "none"
    assert supported(np.arange(100.0), "weekly") == "daily"
    assert supported(np.arange(400.0), "weekly") == "weekly"
    assert supported(np.arange(400.0), "none") == "none"


def test_the_reference_knows_its_own_error() -> None:
    # mean of 10 windows of 100 rows against one of 100: variance 1/100 + 1/1000, so a window that is 0.1 away
    # deviates by 0.1 / sqrt(0.011).
    flat = Summaries(np.arange(11.0), np.full(11, 100.0), np.zeros((11, 1)), np.full((11, 1), 100.0))
    flat.sums[10] = 10.0
    found = learn(flat.part(slice(0, 10))).deviations(flat.part(slice(10, None))).values
    assert found[0, 0] == pytest.approx(0.1 / np.sqrt(0.011))
