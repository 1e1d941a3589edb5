from __future__ import annotations

import numpy as np
import pytest

from analyzers.drift.blocks import blocks, effective, summarize


def keys(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_a_user_is_the_block_where_users_are_known() -> None:
    users = np.arange(1, 41, dtype=np.uint64).repeat(3)
    sessions = np.arange(1, 121, dtype=np.uint64)
    assert (blocks(users, sessions, sessions) == users).all()


def test_one_user_id_for_everybody_is_no_block() -> None:
    users = np.full(120, 7, dtype=np.uint64)
    sessions = np.arange(1, 61, dtype=np.uint64).repeat(2)
    traces = np.arange(1, 121, dtype=np.uint64)
    assert (blocks(users, sessions, traces) == sessions).all()
    assert (blocks(users, np.zeros(120, dtype=np.uint64), traces) == traces).all()


def test_effective_blocks_weigh_sizes() -> None:
    # sizes 3 and 1: (3 + 1)^2 / (9 + 1) = 1.6
    assert effective(keys(5, 5, 5, 9)) == pytest.approx(1.6)
    assert effective(keys()) == 0.0


def test_the_variance_of_a_sum_counts_blocks_and_not_rows() -> None:
    rng = np.random.default_rng(0)
    people = rng.standard_normal((200, 3)).astype(np.float32)
    rows = people.repeat(5, axis=0)  # everybody asks the same five times
    apart = summarize(rows, np.arange(1000, dtype=np.uint64), 0.0)
    together = summarize(rows, np.arange(200, dtype=np.uint64).repeat(5), 0.0)
    assert (together.sums == apart.sums).all()
    assert together.variances / apart.variances == pytest.approx(np.full((1, 3), 5.0), rel=0.02)
