"""Whether answers changed, or only prompts."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.explanation.origin import _permuted, answers_given_prompts

DIMENSIONS = 16


def answers(strata: np.ndarray, rng: np.random.Generator, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """Answers that depend on their prompt's stratum."""
    level = np.random.default_rng(99).normal(0, 1, (50, DIMENSIONS))
    found = level[strata] + rng.normal(0, 0.5, (len(strata), DIMENSIONS)) + shift
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_another_mix_of_prompts_is_no_change_of_answers() -> None:
    reached = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        strata = np.concatenate([rng.integers(0, 5, 300), rng.choice(5, 300, p=[0.6, 0.1, 0.1, 0.1, 0.1])])
        current = np.arange(600) >= 300
        reached += answers_given_prompts(answers(strata, rng), current, strata, seed).p_value <= 0.1
    assert reached <= 10  # 4 expected; 11 or more has probability 0.0015


def test_other_answers_to_the_same_prompts_are_found_where_prompts_vary_far_more() -> None:
    rng = np.random.default_rng(1)
    strata = np.tile(np.arange(50), 2)
    current = np.arange(100) >= 50
    shift = np.where(current[:, None], np.r_[0.6, np.zeros(DIMENSIONS - 1)], 0.0)
    assert answers_given_prompts(answers(strata, rng, shift), current, strata, 0).p_value <= 0.01


def test_prompts_of_one_sample_only_do_not_count() -> None:
    rng = np.random.default_rng(2)
    strata = np.concatenate([np.zeros(200, dtype=int), np.repeat([0, 7], 100)])
    current = np.arange(400) >= 200
    found = answers_given_prompts(answers(strata, rng), current, strata, 0)
    assert (found.n, found.covered) == (300, 0.5)
    assert found.p_value > 0.01


def test_nothing_comparable_gives_no_evidence() -> None:
    current = np.arange(40) >= 20
    found = answers_given_prompts(np.ones((40, 4), dtype=np.float32), current, current.astype(np.int64), 0)
    assert (found.p_value, found.n, found.covered) == (1.0, 0, 0.0)


def test_equal_answers_give_no_evidence() -> None:
    current = np.arange(40) >= 20
    constant = np.ones((40, 4), dtype=np.float32)
    assert answers_given_prompts(constant, current, np.zeros(40, dtype=np.int64), 0).p_value == pytest.approx(1.0)


def test_labels_are_permuted_within_strata_only() -> None:
    codes = np.array([0, 1, 0, 1, 1, 0, 2])
    labels = np.array([1, 10, 2, 20, 30, 3, 100], dtype=np.float32)
    drawn = _permuted(labels, codes, 200, np.random.default_rng(0))
    for code in range(3):
        assert (np.sort(drawn[:, codes == code], axis=1) == np.sort(labels[codes == code])).all()
    assert len(np.unique(drawn, axis=0)) == 36  # 3! x 3!: every order occurs


def test_answers_that_are_all_the_same_did_not_change() -> None:
    rng = np.random.default_rng(0)
    answer = rng.normal(size=32)
    answers = np.repeat((answer / np.linalg.norm(answer)).astype(np.float32)[None, :], 500, axis=0)
    strata = rng.integers(0, 20, 500)
    for seed in range(20):
        current = np.arange(500) < 100
        assert answers_given_prompts(answers, current, strata, seed).p_value == 1.0
