"""The map is the principal plane, and stays the same between reloads."""

from __future__ import annotations

import numpy as np
import pytest

from dashboard.projection import principal_components


def test_points_on_a_line_keep_their_distances_along_the_first_axis() -> None:
    # (0,0), (3,4), (6,8) lie on a line with steps of 5; the second axis has nothing left.
    points = principal_components(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    assert points[:, 0] == pytest.approx([-5, 0, 5])
    assert points[:, 1] == pytest.approx([0, 0, 0], abs=1e-9)


def test_the_order_of_rows_does_not_flip_the_map() -> None:
    vectors = np.random.default_rng(3).normal(size=(40, 8))
    assert principal_components(vectors[::-1])[::-1] == pytest.approx(principal_components(vectors))


@pytest.mark.parametrize("vectors", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((4, 3))])
def test_no_spread_gives_zeros(vectors: np.ndarray) -> None:
    assert principal_components(vectors) == pytest.approx(np.zeros((len(vectors), 2)))
