"""The post-stratified difference: mixes of prompts, sessions, sampling weights."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.comparison.estimate import Floats, Rows, difference


def rows(in_b: Floats, strata: Floats, blocks: Floats | None = None) -> Rows:
    own = np.arange(len(in_b)) if blocks is None else blocks
    return Rows(in_b.astype(bool), strata.astype(np.int64), own.astype(np.int64))


def test_a_different_mix_of_prompts_is_no_difference() -> None:
    # hard prompts score 1, easy ones 0, in both groups; A has 50 hard of 100, B 80 of 100
    in_b = np.repeat([0, 1], 100)
    hard = np.concatenate([np.repeat([1, 0], 50), np.repeat([1, 0], [80, 20])])
    found = difference(rows(in_b, hard), hard.astype(float), np.ones(200))
    assert found is not None
    assert found.raw == pytest.approx(0.3)
    assert found.difference == pytest.approx(0.0)
    # both at the common mix: 130 hard of 200
    assert (found.mean_a, found.mean_b) == (pytest.approx(0.65), pytest.approx(0.65))


def test_equal_prompts_are_pairs_with_the_variance_of_their_differences() -> None:
    rng = np.random.default_rng(0)
    level, gap = rng.normal(0, 10, 50), rng.normal(1, 1, 50)
    in_b, prompt = np.repeat([0, 1], 50), np.tile(np.arange(50), 2)
    found = difference(rows(in_b, prompt, prompt), np.concatenate([level, level + gap]), np.ones(100))
    assert found is not None
    assert found.difference == pytest.approx(gap.mean())
    assert found.variance == pytest.approx(gap.var(ddof=1) / 50)


def test_without_strata_the_variance_is_that_of_two_means() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=300)
    in_b = np.repeat([0, 1], [100, 200])
    found = difference(rows(in_b, np.zeros(300)), y, np.ones(300))
    assert found is not None
    assert found.difference == pytest.approx(y[100:].mean() - y[:100].mean())
    assert found.variance == pytest.approx(y[:100].var(ddof=1) / 100 + y[100:].var(ddof=1) / 200, rel=0.01)


def test_rows_of_one_session_count_as_one_observation() -> None:
    rng = np.random.default_rng(2)
    sessions = rng.normal(size=100)
    y = np.repeat(sessions, 10)
    in_b, blocks = np.repeat([0, 1], 500), np.repeat(np.arange(100), 10)
    together = difference(rows(in_b, np.zeros(1000), blocks), y, np.ones(1000))
    alone = difference(rows(in_b, np.zeros(1000)), y, np.ones(1000))
    assert together is not None
    assert alone is not None
    assert together.variance / alone.variance == pytest.approx(10, rel=0.05)


def test_weights_undo_the_sampling() -> None:
    # A: all calls, half of them 1. B: ones were kept with probability 1, zeros with 1/4
    y = np.concatenate([np.repeat([1.0, 0.0], 200), np.repeat([1.0, 0.0], [200, 50])])
    h = np.concatenate([np.ones(400), np.repeat([1.0, 4.0], [200, 50])])
    found = difference(rows(np.repeat([0, 1], [400, 250]), np.zeros(650)), y, h)
    assert found is not None
    assert found.difference == pytest.approx(0.0)


def test_prompts_of_one_group_only_are_left_out_and_counted() -> None:
    in_b, strata = np.repeat([0, 1], 100), np.concatenate([np.zeros(100), np.repeat([0, 1], 50)])
    found = difference(rows(in_b, strata), np.concatenate([np.zeros(150), np.ones(50)]), np.ones(200))
    assert found is not None
    assert (found.difference, found.n_b, found.covered) == (0.0, 50, 0.75)


@pytest.mark.parametrize("known", [0, 29])
def test_few_values_give_no_figure(known: int) -> None:
    y = np.full(200, np.nan)
    y[: 100 + known] = 1.0
    assert difference(rows(np.repeat([0, 1], 100), np.zeros(200)), y, np.ones(200)) is None
