"""Time and memory of one hourly round of drift tests, the database left out."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

from analyzers.drift.blocks import summarize
from analyzers.drift.features import fit
from analyzers.drift.novelty import folds_of
from analyzers.drift.reference import join
from analyzers.drift.watch import weigh
from leewatch.contracts import Vectors

DIMENSION = 384
TOPICS = 60
FITTED = 5000
WINDOW = 500
"""Rows of each earlier window."""


def measure(rows: int, reference: int, series: int) -> dict[str, Any]:
    """Seconds and peak memory of judging one window of `rows` rows in each series against `reference` rows of history."""
    rng = np.random.default_rng(0)
    keys = np.arange(1, FITTED + 1, dtype=np.uint64)
    began = time.perf_counter()
    fitted = fit(_texts(FITTED, rng), folds_of(keys), keys)
    fitting = time.perf_counter() - began
    windows = [_texts(WINDOW, rng) for _ in range(min(reference // WINDOW, 20))]
    some = [summarize(fitted.transform(part, folds_of(keys[:WINDOW])), keys[:WINDOW], 0.5) for part in windows]
    past = join([some[number % len(some)] for number in range(reference // WINDOW)])
    past.hours[:] = np.arange(len(past)) + 0.5
    current = _texts(rows, rng)
    own = np.arange(1, rows + 1, dtype=np.uint64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    for _ in range(series):
        window = summarize(fitted.transform(current, folds_of(own)), own, len(past) + 0.5)
        weigh(fitted, past, np.ones(len(past), dtype=bool), window)
    return {
        "rows": rows,
        "reference": reference,
        "series": series,
        "round_seconds": round(time.perf_counter() - before[1], 1),
        "round_cpu_seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - before[0], 1),
        "fit_seconds_per_series": round(fitting, 2),
        "fitted_on": FITTED,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "map_megabytes_per_series": round(len(fitted.to_bytes()) / 1e6, 2),
    }


def _texts(count: int, rng: np.random.Generator) -> Vectors:
    """Unit vectors float32 (count, 384) around some directions."""
    centers = np.random.default_rng(1).standard_normal((TOPICS, DIMENSION))
    found = centers[rng.integers(TOPICS, size=count)] + 1.2 * rng.standard_normal((count, DIMENSION))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
