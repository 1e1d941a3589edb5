"""Near topics stand near, and nobody moves about without a reason."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.topics.layout import lay_out


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def test_near_topics_stand_nearer_than_far_ones() -> None:
    centers = unit(np.array([[1, 0.1, 0, 0], [1, -0.1, 0, 0], [0, 0, 1, 0.1], [0, 0, 1, -0.1]]))
    places = lay_out(centers, [None] * 4, 0)
    near = np.linalg.norm(places[0] - places[1]), np.linalg.norm(places[2] - places[3])
    assert max(near) < 0.5 * np.linalg.norm(places[0] - places[2])


def test_topics_stand_where_they_stood_when_one_is_added() -> None:
    centers = unit(np.random.default_rng(0).normal(size=(9, 30)))
    first = lay_out(centers[:8], [None] * 8, 0)
    held = [(float(x), float(y)) for x, y in first]
    again = lay_out(centers, [*held, None], 1)
    spread = np.linalg.norm(first - first.mean(axis=0), axis=1).mean()
    assert np.linalg.norm(again[:8] - first, axis=1).mean() < 0.35 * spread
    assert lay_out(centers[:8], held, 2) == pytest.approx(first, abs=0.1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_topics_have_a_place(count: int) -> None:
    places = lay_out(np.eye(count, 5, dtype=np.float32), [None] * count, 0)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
