"""Feature map, window summaries, reference and scan together, on vectors around made-up topics."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.drift.blocks import summarize
from analyzers.drift.features import FeatureMap, fit
from analyzers.drift.novelty import folds_of
from analyzers.drift.reference import Summaries, join, learn
from analyzers.drift.scan import Evidence, Scanner
from leewatch.contracts import Vectors

ROWS = 200
HISTORY = 72
KEYS = np.arange(1, 2001, dtype=np.uint64)


def texts(count: int, topics: int, rng: np.random.Generator, first: int = 0) -> Vectors:
    """Unit vectors float32 (count, 24) around `topics` fixed directions, numbered from `first`."""
    centers = np.stack([np.random.default_rng(first + n).standard_normal(24) for n in range(topics)])
    rows = centers[rng.integers(topics, size=count)] + 0.6 * rng.standard_normal((count, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def summary(fitted: FeatureMap, vectors: Vectors, hour: int, rng: np.random.Generator, block: int = 1) -> Summaries:
    keys = rng.integers(1, 2**62, size=len(vectors) // block + 1).astype(np.uint64).repeat(block)[: len(vectors)]
    return summarize(fitted.transform(vectors, folds_of(keys)), keys, hour + 0.5)


def fitted_map(rng: np.random.Generator) -> FeatureMap:
    return fit(texts(2000, 10, rng), folds_of(KEYS[:2000]), KEYS[:2000])


def windows(fitted: FeatureMap, samples: list[Vectors], rng: np.random.Generator) -> Summaries:
    return join([summary(fitted, sample, hour, rng) for hour, sample in enumerate(samples)])


def judged(fitted: FeatureMap, together: Summaries, first: int) -> list[list[Evidence]]:
    history = together.part(slice(0, HISTORY))
    return Scanner(learn(history, fitted.floor), history, fitted.groups).scan(
        together.part(slice(HISTORY, None)), first
    )


def smallest(found: list[Evidence]) -> float:
    return min(one.log_p for one in found)


def test_healthy_windows_stay_far_from_a_monthly_budget() -> None:
    rng = np.random.default_rng(0)
    fitted = fitted_map(rng)
    found = judged(fitted, windows(fitted, [texts(ROWS, 10, rng) for _ in range(HISTORY + 72)], rng), 24)
    assert all({one.length for one in evidence} == {1, 2, 3, 6, 12, 24} for evidence in found)
    assert min(smallest(evidence) for evidence in found) > np.log(1e-5)


def test_a_new_topic_too_small_for_a_window_is_found_by_waiting() -> None:
    rng = np.random.default_rng(1)
    fitted = fitted_map(rng)
    healthy = [texts(ROWS, 10, rng) for _ in range(HISTORY + 24)]
    drifting = [np.concatenate([texts(ROWS - 6, 10, rng), texts(6, 1, rng, first=100)]) for _ in range(24)]
    found = judged(fitted, windows(fitted, [*healthy, *drifting], rng), 24)
    assert smallest(found[0]) > np.log(1e-5), "3 % of one window do not show"
    strongest = min(found[-1], key=lambda one: one.log_p)
    assert strongest.log_p < np.log(1e-5)
    assert strongest.length >= 8
    assert strongest.group == "novel"


def test_topics_that_change_weight_are_found() -> None:
    rng = np.random.default_rng(2)
    fitted = fitted_map(rng)
    healthy = [texts(ROWS, 10, rng) for _ in range(HISTORY + 24)]
    moved = [np.concatenate([texts(ROWS - 30, 10, rng), texts(30, 1, rng)]) for _ in range(8)]
    found = judged(fitted, windows(fitted, [*healthy, *moved], rng), 24)
    assert smallest(found[-1]) < np.log(1e-5)


def test_evidence_ends_with_the_incident() -> None:
    rng = np.random.default_rng(3)
    fitted = fitted_map(rng)
    samples = [texts(ROWS, 10, rng) for _ in range(HISTORY + 24)]
    samples += [np.concatenate([texts(ROWS - 40, 10, rng), texts(40, 1, rng, first=100)]) for _ in range(4)]
    samples += [texts(ROWS, 10, rng) for _ in range(8)]
    found = judged(fitted, windows(fitted, samples, rng), 24)
    assert smallest(found[3]) < np.log(1e-5)
    assert smallest(found[-1]) > np.log(1e-5), "a day's evidence holds the incident, but the newest windows do not"
    lasting = {one.length for one in found[5] if one.log_p < np.log(1e-5)}
    assert 3 not in lasting, "three windows hold one of the incident, but the newest is healthy"


def test_a_burst_of_one_user_is_not_drift() -> None:
    rng = np.random.default_rng(4)
    fitted = fitted_map(rng)
    healthy = windows(fitted, [texts(ROWS, 10, rng) for _ in range(HISTORY + 24)], rng)
    favourite = texts(1, 1, rng).repeat(60, axis=0)
    vectors = np.concatenate([texts(ROWS - 60, 10, rng), favourite])
    keys = np.concatenate([np.arange(1, ROWS - 59), np.full(60, 999_999)]).astype(np.uint64)
    features = fitted.transform(vectors, folds_of(keys))
    burst = summarize(features, keys, HISTORY + 24.5)
    many = summarize(features, np.arange(1, ROWS + 1, dtype=np.uint64), HISTORY + 24.5)
    assert smallest(judged(fitted, join([healthy, burst]), 24)[-1]) > np.log(1e-5)
    assert smallest(judged(fitted, join([healthy, many]), 24)[-1]) < np.log(1e-5), "from sixty users it is"


def test_constant_text_has_not_drifted_and_a_new_text_has() -> None:
    rng = np.random.default_rng(5)
    same = np.tile(np.eye(1, 24, dtype=np.float32), (ROWS, 1))
    fitted = fit(np.tile(same, (5, 1)), folds_of(KEYS[:1000]), KEYS[:1000])
    healthy = [same] * (HISTORY + 24)
    other = same.copy()
    other[:40] = np.eye(1, 24, 3, dtype=np.float32)
    found = judged(fitted, windows(fitted, [*healthy, same, other], rng), 24)
    assert smallest(found[0]) > np.log(1e-2)
    assert smallest(found[1]) < np.log(1e-5)


def test_a_map_survives_storage() -> None:
    rng = np.random.default_rng(6)
    fitted = fitted_map(rng)
    again = FeatureMap.from_bytes(fitted.to_bytes())
    assert again.id == fitted.id
    rows, folds = texts(50, 10, rng), folds_of(np.arange(50, dtype=np.uint64))
    assert again.transform(rows, folds) == pytest.approx(fitted.transform(rows, folds))
