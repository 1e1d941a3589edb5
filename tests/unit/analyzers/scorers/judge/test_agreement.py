"""Agreement of a judge and another score."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.evaluation import auroc
from analyzers.scorers.judge.agreement import agreement, kappa, weighted_auroc


def test_kappa_is_that_of_the_table_by_hand() -> None:
    # 20 both yes, 5 and 10 mixed, 15 both no: observed 0.70, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5, so (0.7 - 0.5) / 0.5
    one = np.repeat([True, True, False, False], [20, 5, 10, 15])
    other = np.repeat([True, False, True, False], [20, 5, 10, 15])
    assert kappa(one, other, np.ones(50)) == pytest.approx(0.4)
    compact = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert kappa(*compact, np.array([20.0, 5.0, 10.0, 15.0])) == pytest.approx(0.4)
    assert kappa(np.array([True]), np.array([True]), np.ones(1)) is None


def test_the_weighted_auroc_is_the_plain_one_of_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    truth, scores, counts = rng.random(60) < 0.4, rng.integers(0, 8, 60) / 8, rng.integers(1, 4, 60)
    order = np.argsort(scores, kind="stable")
    plain = auroc(np.repeat(truth, counts).astype(np.int64), np.repeat(scores, counts))
    assert weighted_auroc(truth[order], scores[order], counts[order].astype(float)) == pytest.approx(plain)
    assert weighted_auroc(np.array([True]), np.array([0.5]), np.ones(1)) is None


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    def drawn(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        judge = rng.random(n)
        return judge, np.clip(judge + rng.normal(0, 0.3, n), 0, 1)

    judge, other = drawn(0, 100_000)
    true = kappa(judge >= 0.5, other >= 0.5, np.ones(100_000))
    held = 0
    for seed in range(1, 41):
        found = agreement(*drawn(seed, 80), np.ones(80), np.arange(80), (0.5, 0.5), seed).kappa
        held += found.low is not None and found.high is not None and found.low <= true <= found.high
    assert held >= 34  # 38 of 40 expected; below 34 has a chance of 1 % at 95 %


def test_spans_of_one_trace_count_together() -> None:
    rng = np.random.default_rng(2)
    judge = rng.random(30)
    other = np.clip(judge + rng.normal(0, 0.3, 30), 0, 1)
    apart = agreement(judge, other, np.ones(30), np.arange(30), (0.5, 0.5)).kappa
    again = agreement(*(np.repeat(v, 10) for v in (judge, other, np.ones(30), np.arange(30))), (0.5, 0.5)).kappa
    assert again.value == pytest.approx(apart.value)
    assert again.low is not None
    assert apart.low is not None
    assert again.low == pytest.approx(apart.low, abs=0.05)


def test_a_handful_gives_no_interval() -> None:
    found = agreement(np.array([0.1, 0.9]), np.array([0.2, 0.8]), np.ones(2), np.arange(2), (0.5, 0.5))
    assert (found.kappa.value, found.kappa.low, found.auroc.value) == (1.0, None, 1.0)
    with pytest.raises(ValueError, match="no span has both"):
        agreement(*(np.zeros(0) for _ in range(3)), np.zeros(0, np.int64), (0.5, 0.5))
