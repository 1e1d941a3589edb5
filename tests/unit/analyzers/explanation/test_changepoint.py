"""When a change began, and its shape."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.explanation.changepoint import locate


def counts(shares: list[float], n: int = 500, seed: int = 0) -> tuple[list[int], list[int]]:
    rng = np.random.default_rng(seed)
    return [n] * len(shares), rng.binomial(n, shares).tolist()


def test_a_step_is_found_at_its_bin() -> None:
    found = locate(*counts([0.05] * 10 + [0.15] * 6))
    assert found is not None
    assert (found.bin, found.first, found.last, found.shape) == (10, 10, 10, "sudden")
    assert (found.before, found.after) == (pytest.approx(0.05, abs=0.01), pytest.approx(0.15, abs=0.02))


def test_the_interval_holds_a_weak_step_nineteen_times_in_twenty() -> None:
    hits, widths = 0, []
    for seed in range(80):
        found = locate(*counts([0.05] * 12 + [0.08] * 12, n=300, seed=seed))
        assert found is not None
        hits += found.first <= 12 <= found.last
        widths.append(found.last - found.first)
    assert hits >= 80 * 0.88
    assert 0 < np.mean(widths) < 8  # neither certain nor the whole day


def test_a_slow_rise_is_called_gradual() -> None:
    found = locate(*counts([0.05] * 8 + np.linspace(0.05, 0.3, 12).tolist() + [0.3] * 4))
    assert found is not None
    assert found.shape == "gradual"
    assert found.bin == pytest.approx(8, abs=3)
    assert found.ramp >= 8


def test_what_happens_every_day_is_called_seasonal() -> None:
    day = [0.05] * 12 + [0.2] * 6 + [0.05] * 6
    found = locate(*counts(day), expected=day)
    assert found is not None
    assert found.shape == "seasonal"
    new = locate(*counts(day), expected=[0.1] * 24)
    assert new is not None
    assert new.shape != "seasonal"


@pytest.mark.parametrize(("rows", "moved"), [([5, 5, 5], [1, 1, 1]), ([0] * 8, [0] * 8)])
def test_too_little_gives_no_beginning(rows: list[int], moved: list[int]) -> None:
    assert locate(rows, moved) is None
