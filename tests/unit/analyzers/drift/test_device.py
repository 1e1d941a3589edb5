from __future__ import annotations

import numpy as np
import pytest

from analyzers.drift import device
from analyzers.drift.detector import PermutationDetector
from analyzers.drift.features import fit
from analyzers.drift.novelty import folds_of
from leewatch.contracts import Vectors


def unit(count: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, 24))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_torch_gives_the_features_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "MEMORY_BYTES", 4 * 400 * 7)  # seven rows at a time
    reference, keys = unit(400, 0), np.arange(400, dtype=np.uint64)
    here, there = fit(reference, folds_of(keys), keys), fit(reference, folds_of(keys), keys, "cpu")
    assert there.known == pytest.approx(here.known, abs=1e-5)
    rows, own = unit(50, 1), folds_of(np.arange(900, 950, dtype=np.uint64))
    assert here.transform(rows, own, "cpu") == pytest.approx(here.transform(rows, own), abs=1e-4)


def test_torch_gives_the_p_value_of_numpy() -> None:
    reference, current = unit(300, 2), unit(100, 3)
    current[:20, 0] += 1
    here = PermutationDetector(400).test(reference, current, 0.01, 0)
    there = PermutationDetector(400, "cpu").test(reference, current, 0.01, 0)
    assert there.p_value == pytest.approx(here.p_value, rel=1e-3)
    assert there.statistic == pytest.approx(here.statistic, rel=1e-4)


def test_the_cpu_is_numpy() -> None:
    assert device.resolve("cpu") == device.NUMPY
    assert device.resolve("cuda:1") == "cuda:1"
