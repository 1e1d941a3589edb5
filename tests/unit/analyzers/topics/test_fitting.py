"""Topics are found, stay where they are, and make room for new ones."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.topics.fitting import Fit, distinct, first_fit, next_fit
from leewatch.contracts import Vectors


def around(axis: int, count: int, rng: np.random.Generator, spread: float = 0.12, dimension: int = 24) -> Vectors:
    """Unit vectors around an axis."""
    rows = rng.normal(0, spread, (count, dimension))
    rows[:, axis] += 1.0
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def several(axes: range, count: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    return np.concatenate([around(axis, count, rng) for axis in axes])


def test_separate_groups_are_the_topics() -> None:
    fit = first_fit(several(range(6), 100, 0), 40, 1)
    assert len(fit.centers) == 6
    assigned, similarity = fit.assign(several(range(6), 50, 2))
    assert {len(set(assigned[start : start + 50].tolist()) - {-1}) for start in range(0, 300, 50)} == {1}
    assert similarity.min() > 0.5
    assert np.mean(assigned >= 0) > 0.95


def test_the_same_rows_give_the_same_topics() -> None:
    rows = several(range(4), 100, 0)
    assert np.array_equal(first_fit(rows, 40, 1).centers, first_fit(rows, 40, 1).centers)


def test_a_text_far_from_every_topic_has_none() -> None:
    fit = first_fit(several(range(4), 100, 0), 40, 1)
    assigned, _ = fit.assign(around(20, 30, np.random.default_rng(3)))
    assert (assigned == -1).all()
    assert first_fit(several(range(4), 100, 0), 40, 1).assign(np.zeros((0, 24), dtype=np.float32))[0].shape == (0,)


def test_repeats_count_by_their_logarithm() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.repeat(around(9, 1, rng), 1000, axis=0), several(range(3), 60, 1)])
    texts = distinct(rows, rng)
    assert len(texts.rows) == 181
    assert texts.weights.max() == pytest.approx(1 + np.log(1000))
    assert 3 <= len(first_fit(rows, 40, 0).centers) <= 5


@pytest.mark.parametrize("texts", [1, 2, 3])
def test_a_few_templates_are_a_topic_each(texts: int) -> None:
    rows = np.repeat(np.eye(3, 8, dtype=np.float32)[:texts], 100, axis=0)
    fit = first_fit(rows, 40, 0)
    assert len(fit.centers) == texts
    assert len(set(fit.assign(rows)[0].tolist())) == texts


def test_topics_stay_where_nothing_changes() -> None:
    fit = first_fit(several(range(6), 100, 0), 40, 1)
    after = next_fit(fit, several(range(6), 100, 5), several(range(6), 60, 6), 40, 2)
    assert len(after.centers) == 6
    assert (np.sum(fit.centers * after.centers, axis=1) > 0.99).all()
    assert after.floors == pytest.approx(fit.floors, abs=0.05)


def test_a_new_group_is_added_behind_the_known_ones() -> None:
    fit = first_fit(several(range(6), 100, 0), 40, 1)
    newer = np.concatenate([several(range(6), 60, 6), around(12, 40, np.random.default_rng(7))])
    after = next_fit(fit, several(range(6), 100, 5), newer, 40, 2)
    assert len(after.centers) == 7
    assert after.centers[6, 12] > 0.9
    assert (np.sum(fit.centers * after.centers[:6], axis=1) > 0.98).all()


def test_a_first_fit_leaves_room_for_new_topics() -> None:
    fit = first_fit(several(range(8), 100, 0), 8, 1)
    assert len(fit.centers) == 6
    newer = np.concatenate([several(range(8), 60, 6), around(12, 40, np.random.default_rng(7))])
    after = next_fit(fit, several(range(8), 100, 5), newer, 8, 2)
    assert len(after.centers) == 7
    assert len(next_fit(fit, several(range(8), 100, 5), newer, 6, 2).centers) == 6


def test_a_group_without_texts_keeps_its_place() -> None:
    fit = first_fit(several(range(6), 100, 0), 40, 1)
    empty = int(np.argmax(fit.centers[:, 0]))
    after = next_fit(fit, several(range(1, 6), 100, 5), several(range(1, 6), 60, 6), 40, 2)
    assert after.centers[empty] == pytest.approx(fit.centers[empty], abs=0.05)
    assert after.floors[empty] == pytest.approx(fit.floors[empty], abs=0.1)


def test_topics_that_tell_little_apart_are_replaced() -> None:
    rows = several(range(8), 60, 0)
    poor = Fit(first_fit(rows, 2, 1).centers, np.full(2, 0.1, dtype=np.float32))
    assert len(next_fit(poor, rows[:0], rows, 40, 2).centers) == 8
