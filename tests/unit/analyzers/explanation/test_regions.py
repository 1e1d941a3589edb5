"""Regions of the embedding space whose share moved."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.explanation.regions import Moves, _wilson, _z, find

DIMENSIONS = 24
TOPICS = np.linalg.qr(np.random.default_rng(5).normal(size=(DIMENSIONS, DIMENSIONS)))[0][:20]


def texts(topics: np.ndarray, seed: int) -> np.ndarray:
    found = TOPICS[topics] + np.random.default_rng(seed).normal(0, 0.12, (len(topics), DIMENSIONS))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def drawn(seed: int, n: int, known: int = 19) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, known, n)


def purity(moves: Moves, number: int, topics: np.ndarray, topic: int) -> float:
    return float((topics[moves.current == number] == topic).mean())


def test_a_small_new_topic_is_the_first_region() -> None:
    topics = drawn(1, 1000)
    topics[:40] = 19
    moves = find(texts(drawn(2, 1500), 3), texts(topics, 4), 0)
    assert purity(moves, 0, topics, 19) > 0.9
    first = moves.moves[0]
    assert (first.before, first.after) == (pytest.approx(0.0, abs=0.005), pytest.approx(0.04, abs=0.01))
    assert first.before_interval[0] <= first.before <= first.before_interval[1] < first.after_interval[0]
    assert moves.grown(moves.current)[:40].mean() > 0.9


def test_a_topic_that_gained_at_the_cost_of_all_others_is_named() -> None:
    topics = np.where(np.random.default_rng(5).random(1000) < 0.15, 7, drawn(6, 1000))
    moves = find(texts(drawn(7, 1500), 8), texts(topics, 9), 0)
    assert purity(moves, 0, topics, 7) > 0.9
    assert moves.moves[0].after > moves.moves[0].before


def test_two_samples_of_the_same_traffic_have_hardly_any_region_that_moved() -> None:
    named = sum(bool(find(texts(drawn(s, 800), s + 1), texts(drawn(s + 2, 300), s + 3), s).moves) for s in range(12))
    assert named <= 3  # the level is 0.05


def test_rows_of_another_time_are_placed_as_those_that_the_regions_were_found_on() -> None:
    topics = drawn(1, 1000)
    topics[:100] = 19
    moves = find(texts(drawn(2, 1500), 3), texts(topics, 4), 0)
    later = np.concatenate([np.full(50, 19), drawn(11, 450)])
    grown = moves.grown(moves.places(texts(later, 12)))
    assert grown[:50].mean() > 0.9
    assert grown[50:].mean() < 0.05


def test_equal_texts_and_nothing_but_equal_texts() -> None:
    constant = np.tile(TOPICS[:1].astype(np.float32), (100, 1))
    assert find(constant, constant[:40], 0).moves == ()
    moved = find(constant, np.tile(TOPICS[1:2].astype(np.float32), (40, 1)), 0)
    assert moved.grown(moved.current).all()
    assert not moved.grown(moved.reference).any()


def test_intervals_and_scores_are_those_of_the_books() -> None:
    # Wilson with z = 2, 10 of 100: centre (10 + 2) / 104, half 2 / 104 * sqrt(10 * 90 / 100 + 1)
    assert _wilson(10, 100, 2.0) == (
        pytest.approx(12 / 104 - 2 / 104 * 10**0.5),
        pytest.approx(12 / 104 + 2 / 104 * 10**0.5),
    )
    # 10 of 100 against 30 of 100: pooled 0.2, error sqrt(0.16 * 0.02), z = 0.2 / 0.0566
    found = _z(np.array([[10, 30]]), np.array([100.0, 100.0]))
    assert found[0] == pytest.approx(0.2 / (0.16 * 0.02) ** 0.5)
