"""Other drift tests on the same windows: Evidently's at their defaults, a permutation MMD, alibi-detect's where installed.

They judge one window at a time: a change is found by window w when any of the first w windows is called drifted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analyzers.drift import mmd
from analyzers.drift.permutation import permutation_test
from analyzers.windows import level
from bench.drift.pool import load, split
from bench.drift.power import REFERENCE, SEGMENTS, Deck
from leewatch.contracts import Vectors

ROWS = 500
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2)
WINDOWS = {0.0: 10, 0.02: 2, 0.05: 2, 0.1: 2, 0.2: 1}
"""Windows of each share that are judged in a run."""

Judge = Callable[[Vectors, Vectors], tuple[float, bool]]
"""(score, drifted at the method's defaults) of reference and current; a larger score is more different."""


def simulate(data: Path, cache: Path, runs: int, processes: int, seed: int) -> dict[str, Any]:
    """Share of windows called drifted: at the methods' defaults, and at the level of one false alarm a month."""
    with get_context("spawn").Pool(processes) as pool:
        found: list[dict[str, dict[str, list[tuple[float, bool]]]]] = []
        for run in pool.imap(partial(_run, data, cache, seed), range(runs)):
            found.append(run)
            print(f"run {len(found)}", flush=True)
    alpha = level(1.0, SEGMENTS, 3600)
    methods = {}
    for name in found[0]:
        scores = {share: [pair for run in found for pair in run[name][share]] for share in found[0][name]}
        threshold = _matched(np.array([score for score, _ in scores["0.0"]]), alpha)
        methods[name] = {
            "default": {share: round(float(np.mean([hit for _, hit in pairs])), 3) for share, pairs in scores.items()},
            "matched": {
                share: round(float(np.mean([score > threshold for score, _ in pairs])), 3)
                for share, pairs in scores.items()
            },
        }
    return {"runs": runs, "rows": ROWS, "reference": REFERENCE, "alpha": alpha, "called_drifted": methods}


def _matched(healthy: Any, alpha: float) -> float:
    """The score that healthy windows exceed with probability alpha, by a Pearson III law through their moments."""
    skewness = max(float(stats.skew(healthy)), 1e-3)
    return float(stats.pearson3(skewness, healthy.mean(), max(healthy.std(ddof=1), 1e-12)).isf(alpha))


def _run(data: Path, cache: Path, seed: int, number: int) -> dict[str, dict[str, list[tuple[float, bool]]]]:
    texts = load(data, cache)
    rng = np.random.default_rng([seed, number])
    domain = texts.named[number % len(texts.named)]
    pools = split(texts, domain, rng)
    fresh, deck = texts.of(domain), Deck(pools.stream, rng)
    reference = texts.vectors[pools.fitted[:REFERENCE]]
    found: dict[str, dict[str, list[tuple[float, bool]]]] = {name: {} for name in judges()}
    for share in SHARES:
        for _ in range(WINDOWS[share]):
            count = int(rng.binomial(ROWS, share))
            current = texts.vectors[np.concatenate([deck.deal(ROWS - count), rng.choice(fresh, count)])]
            for name, judge in judges().items():
                found[name].setdefault(str(share), []).append(judge(reference, current))
    return found


def judges() -> Mapping[str, Judge]:
    """The methods that can be run here."""
    from evidently.legacy.metrics.data_drift import embedding_drift_methods as evidently

    found: dict[str, Judge] = {
        "Evidently mmd": partial(_evidently, evidently.mmd()),
        "Evidently distance": partial(_evidently, evidently.distance()),
        "Evidently ratio": partial(_evidently, evidently.ratio()),
        "Evidently model": partial(_evidently, evidently.model()),
        "permutation MMD, p <= 0.01": _permuted,
    }
    try:
        from alibi_detect.cd.pytorch.mmd import MMDDriftTorch
    except ImportError:
        return found
    return {**found, "alibi-detect MMDDrift": partial(_alibi, MMDDriftTorch)}


def _evidently(method: Any, reference: Vectors, current: Vectors) -> tuple[float, bool]:
    score, drifted, _ = method(pd.DataFrame(current), pd.DataFrame(reference))
    return float(score), bool(drifted)


def _permuted(reference: Vectors, current: Vectors) -> tuple[float, bool]:
    rng = np.random.default_rng(0)
    pool = np.concatenate([current, reference])
    statistic = {"mmd": mmd.prepare(pool, len(current), rng)}
    verdict = permutation_test(statistic, len(pool), len(current), 500, rng)
    return verdict.partial["mmd"], verdict.p_value <= 0.01


def _alibi(detector: Any, reference: Vectors, current: Vectors) -> tuple[float, bool]:
    found = detector(reference, p_val=0.05, n_permutations=100).predict(current)["data"]
    return float(found["distance"]), bool(found["is_drift"])
