from __future__ import annotations

import numpy as np
import pytest

from analyzers.drift.novelty import distances, folds_of, surprise


def test_a_row_does_not_meet_its_own_fold() -> None:
    anchors = np.eye(4, dtype=np.float32)
    folds = np.array([0, 1, 2, 3])
    found = distances(anchors[:1], np.array([0]), anchors, folds)
    assert found[0] == pytest.approx(2.0), "the equal row is in its own fold; the others are sqrt(2) away"
    assert distances(anchors[:1], np.array([4]), anchors, folds)[0] == pytest.approx(1.5), "0, 2, 2 and 2"


def test_surprise_of_rows_like_the_reference_is_exponential() -> None:
    rng = np.random.default_rng(0)
    found = surprise(rng.random(20_000), np.sort(rng.random(50_000)))
    for level in (1.0, 2.0, 3.0):
        assert np.mean(found >= level) == pytest.approx(np.exp(-level), rel=0.1)


def test_surprise_of_ties_is_small() -> None:
    assert (surprise(np.zeros(3), np.zeros(100)) == 0).all()


def test_rows_of_one_block_are_in_one_fold_and_folds_are_even() -> None:
    keys = np.arange(50_000, dtype=np.uint64)
    folds = folds_of(keys)
    assert (folds == folds_of(keys)).all()
    assert np.bincount(folds) / len(keys) == pytest.approx(np.full(5, 0.2), abs=0.01)
