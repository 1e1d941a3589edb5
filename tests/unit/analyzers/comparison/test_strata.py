"""How prompts of two groups are matched."""

from __future__ import annotations

import numpy as np

from analyzers.comparison.strata import matched

SIDES = np.repeat([False, True], 200)
SESSIONS = np.arange(400)


def test_equal_prompts_are_matched_one_by_one_and_are_the_blocks() -> None:
    prompts = np.tile(np.arange(200), 2)
    rows, how = matched(SIDES, prompts, None, SESSIONS)
    assert how == "prompt"
    assert (rows.strata == prompts).all()
    assert (rows.blocks == prompts).all()


def test_other_prompts_are_matched_by_topic() -> None:
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 4, 400)
    vectors = (np.eye(8)[topic] + rng.normal(0, 0.05, (400, 8))).astype(np.float32)
    rows, how = matched(SIDES, np.arange(400), vectors, SESSIONS)
    assert how == "cluster"
    assert all(len(np.unique(topic[rows.strata == one])) == 1 for one in np.unique(rows.strata))
    assert (rows.blocks == SESSIONS).all()


def test_calls_without_a_known_prompt_are_compared_among_themselves() -> None:
    vectors = np.ones((400, 8), dtype=np.float32)
    vectors[::2] = 0
    rows, _ = matched(SIDES, np.full(400, -1), vectors, SESSIONS)
    assert len(np.unique(rows.strata[::2])) == 1
    assert not set(rows.strata[::2]) & set(rows.strata[1::2])


def test_without_prompts_there_is_one_stratum() -> None:
    rows, how = matched(SIDES, np.full(400, -1), None, SESSIONS)
    assert (how, rows.strata.max()) == ("none", 0)
