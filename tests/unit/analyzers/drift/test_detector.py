from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analyzers.drift.detector import PermutationDetector
from analyzers.drift.mmd import mean_difference, median_distance
from analyzers.drift.neighbours import nearest
from leewatch.contracts import Vectors
from leewatch.errors import InputError


def texts_like(count: int, topics: int, rng: np.random.Generator, first: int = 0, spread: float = 0.6) -> Vectors:
    """Unit vectors float32 (count, 24) around `topics` fixed directions, numbered from `first`."""
    centers = np.stack([np.random.default_rng(first + n).standard_normal(24) for n in range(topics)])
    rows = centers[rng.integers(topics, size=count)] + spread * rng.standard_normal((count, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_p_values_are_uniform_on_exchangeable_data() -> None:
    detector = PermutationDetector(permutations=200)
    p_values = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        rows = texts_like(160, 6, rng)
        p_values.append(detector.test(rows[40:], rows[:40], 0.01, seed).p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_a_new_topic_of_a_tenth_is_found_at_the_level_of_a_monthly_budget() -> None:
    rng = np.random.default_rng(0)
    reference = texts_like(2000, 10, rng)
    current = np.concatenate([texts_like(270, 10, rng), texts_like(30, 1, rng, first=100)])
    result = PermutationDetector().test(reference, current, 1e-5, 0)
    assert result.drifted
    assert result.p_value <= result.threshold == 1e-5
    assert result.parameters["strongest"] == "neighbours"


def test_known_topics_that_change_weight_are_found() -> None:
    rng = np.random.default_rng(0)
    reference = texts_like(2000, 10, rng)
    current = np.concatenate([texts_like(350, 10, rng), texts_like(150, 2, rng)])
    assert PermutationDetector().test(reference, current, 1e-5, 0).drifted


def test_the_verdict_is_the_same_for_the_same_seed() -> None:
    rng = np.random.default_rng(0)
    reference, current = texts_like(200, 5, rng), texts_like(60, 5, rng)
    detector = PermutationDetector(300)
    assert detector.test(reference, current, 0.01, 7) == detector.test(reference, current, 0.01, 7)


def test_constant_text_has_not_drifted() -> None:
    same = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (100, 1))
    result = PermutationDetector().test(same, same[:40], 0.05, 0)
    assert not result.drifted
    assert result.p_value > 0.1


def test_templated_text_with_many_repeats_keeps_its_level() -> None:
    detector = PermutationDetector(permutations=200)
    templates = texts_like(5, 5, np.random.default_rng(0))
    p_values = []
    for seed in range(100):
        rows = templates[np.random.default_rng(seed).choice(5, 200, p=[0.6, 0.2, 0.1, 0.07, 0.03])]
        p_values.append(detector.test(rows[60:], rows[:60], 0.05, seed).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.1


@pytest.mark.parametrize(("reference", "current"), [(10, 100), (100, 10), (0, 100)])
def test_samples_that_are_too_small_are_refused_by_name(reference: int, current: int) -> None:
    rng = np.random.default_rng(0)
    name = "reference" if reference < 20 else "current"
    with pytest.raises(InputError, match=f"{name} has {min(reference, current)} rows"):
        PermutationDetector().test(texts_like(reference, 2, rng), texts_like(current, 2, rng), 0.01, 0)


def test_vectors_of_two_models_are_refused() -> None:
    rng = np.random.default_rng(0)
    rows = texts_like(50, 2, rng)
    with pytest.raises(InputError, match="embed both with one model"):
        PermutationDetector().test(rows, rows[:, :10], 0.01, 0)


def test_vectors_that_are_not_finite_are_refused() -> None:
    rows = texts_like(50, 2, np.random.default_rng(0))
    bad = rows.copy()
    bad[3, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        PermutationDetector().test(rows, bad, 0.01, 0)


def test_mean_difference_is_the_squared_distance_of_the_means() -> None:
    # means: current (1 + 3) / 2 = 2, reference (0 + 1 + 2) / 3 = 1; squared distance 1.
    features = np.array([[1.0], [3.0], [0.0], [1.0], [2.0]], dtype=np.float32)
    labels = np.array([[1.0], [1.0], [0.0], [0.0], [0.0]], dtype=np.float32)
    assert mean_difference(features, 2)(labels)[0] == pytest.approx(1.0)


def test_repeated_rows_do_not_make_the_bandwidth_vanish() -> None:
    rows = np.array([[1.0, 0.0]] * 90 + [[0.0, 1.0]] * 10, dtype=np.float32)
    assert median_distance(rows, np.random.default_rng(0)) == pytest.approx(2**0.5)
    assert median_distance(rows[:90], np.random.default_rng(0)) == 0.0


def test_equal_rows_are_neighbours_regardless_of_their_position() -> None:
    rows = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (400, 1))
    chosen = nearest(rows, 5, np.random.default_rng(0))
    assert (chosen != np.arange(400)[:, None]).all()
    assert np.mean(chosen < 200) == pytest.approx(0.5, abs=0.05)
