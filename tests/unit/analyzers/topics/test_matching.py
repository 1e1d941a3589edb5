"""Ids follow the texts, each to one topic at most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzers.topics.fitting import Fit
from analyzers.topics.matching import identify, match


def fit_of(*angles: float, floor: float = 0.9) -> Fit:
    """Centres in a plane, at angles in degrees."""
    turned = np.radians(angles)
    centers = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
    return Fit(centers, np.full(len(centers), floor, dtype=np.float32))


def rows_at(**counts: int) -> npt.NDArray[np.float32]:
    """Texts at angles: `rows_at(a30=5)` are five at 30 degrees."""
    return np.concatenate([np.repeat(fit_of(float(name[1:])).centers, count, axis=0) for name, count in counts.items()])


def test_the_order_of_a_fit_does_not_matter() -> None:
    rows = rows_at(a0=20, a45=20, a90=20)
    assert match(fit_of(0, 45, 90), fit_of(90, 2, 44), rows) == [2, 0, 1]


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    rows = rows_at(a0=20, a80=10, a95=30)
    assert match(fit_of(0, 90), fit_of(0, 80, 95), rows) == [0, -1, 1]
    assert identify([7, 8], [0, -1, 1], 12) == [7, 13, 8]


def test_the_larger_part_of_a_merger_keeps_the_id() -> None:
    rows = rows_at(a80=10, a95=30)
    assert match(fit_of(80, 95), fit_of(91), rows) == [1]


def test_a_topic_elsewhere_is_new() -> None:
    assert match(fit_of(0), fit_of(75), rows_at(a0=5, a75=5)) == [-1]


def test_without_rows_the_centres_decide() -> None:
    assert match(fit_of(0, 90), fit_of(85, 3), np.zeros((0, 2), dtype=np.float32)) == [1, 0]
    assert match(fit_of(), fit_of(85), np.zeros((0, 2), dtype=np.float32)) == [-1]
