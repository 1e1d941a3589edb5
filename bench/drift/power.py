"""In how many windows changes of several sizes are found, at the level of one false alarm a month."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from analyzers.drift.features import FeatureMap, fit
from analyzers.drift.novelty import folds_of
from analyzers.drift.reference import Summaries, join
from analyzers.drift.watch import weigh
from analyzers.windows import level
from bench.drift.pool import Rows, Split, Texts, load, split
from leewatch.contracts import Vectors

SEGMENTS = 20
WINDOWS = 24
REFERENCE = 5000
SHARES = (0.02, 0.05, 0.1, 0.2)
REWEIGHTED = 0.1
DISJOINT = "disjoint"
"""Reference of 5,000 texts; windows from other texts, none twice while the pool lasts."""
ACCUMULATED = (15_000, 72_000, 168_000)
"""Rows of past healthy windows. They and the new ones are drawn from one pool with replacement: independent draws from
one distribution, which two disjoint pools of 6,000 texts are not."""
BARS = {"new topic 0.2": (1, 0.95), "new topic 0.1": (2, 0.95), "new topic 0.05": (6, 0.9), "new topic 0.02": (24, 0.8),
        "re-weighted 0.1": (8, 0.9)}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """One split: pools, the injected topic's texts, and features of all texts under the map of the fitted pool."""

    pools: Split
    fresh: Rows
    grown: Rows
    fitted: FeatureMap
    features: Vectors


def simulate(data: Path, cache: Path, runs: int, sizes: list[int], processes: int, seed: int) -> dict[str, Any]:
    """Share of runs in which the change was found by each window, for each case."""
    with get_context("spawn").Pool(processes) as pool:
        found: list[dict[str, int]] = []
        for run in pool.imap(partial(_run, data, cache, sizes, seed), range(runs)):
            found.append(run)
            print(f"run {len(found)}", flush=True)
    cases = {}
    for case in found[0]:
        first = np.array([run[case] for run in found])
        curve = [round(float(np.mean((first > 0) & (first <= window))), 4) for window in range(1, WINDOWS + 1)]
        cases[case] = curve
    return {"runs": runs, "alpha": level(1.0, SEGMENTS, 3600), "windows": WINDOWS, "found_by_window": cases}


def _run(data: Path, cache: Path, sizes: list[int], seed: int, number: int) -> dict[str, int]:
    """Number of the window that found the change in each case, 0 if none did."""
    texts = load(data, cache)
    rng = np.random.default_rng([seed, number])
    scene = _scene(texts, texts.named[number % len(texts.named)], rng)
    found = {}
    for rows in sizes:
        for past in (DISJOINT, *ACCUMULATED):
            for share in SHARES:
                draw = partial(_with_topic, scene, share, rows)
                found[f"new topic {share} | {rows} rows | {past}"] = _first(scene, past, rows, draw, rng)
            draw = partial(_with_more, scene, REWEIGHTED, rows)
            found[f"re-weighted {REWEIGHTED} | {rows} rows | {past}"] = _first(scene, past, rows, draw, rng)
    return found


def _scene(texts: Texts, domain: str, rng: np.random.Generator) -> Scene:
    pools = split(texts, domain, rng)
    folds = folds_of(texts.keys)
    reference = pools.fitted[:REFERENCE]
    fitted = fit(texts.vectors[reference], folds[reference], texts.keys[reference])
    others = [one for one in texts.named if one != domain]
    grown = np.intersect1d(pools.stream, texts.of(str(rng.choice(others))))
    return Scene(pools, texts.of(domain), grown, fitted, fitted.transform(texts.vectors, folds))


class Deck:
    """Deals texts of a pool, none twice before all were dealt."""

    def __init__(self, pool: Rows, rng: np.random.Generator) -> None:
        self._pool, self._rng, self._left = pool, rng, rng.permutation(pool)

    def deal(self, count: int) -> Rows:
        while len(self._left) < count:
            self._left = np.concatenate([self._left, self._rng.permutation(self._pool)])
        dealt, self._left = self._left[:count], self._left[count:]
        return dealt


Draw = Callable[[Deck | None, np.random.Generator], Rows]


def _first(scene: Scene, past: str | int, rows: int, draw: Draw, rng: np.random.Generator) -> int:
    if past == DISJOINT:
        deck, chunks = Deck(scene.pools.stream, rng), scene.pools.fitted[:REFERENCE].reshape(-1, rows)
    else:
        deck, chunks = None, rng.choice(scene.pools.stream, (int(past) // rows, rows))
    known = join([_window(scene, chunk, hour) for hour, chunk in enumerate(chunks)])
    alpha = level(1.0, SEGMENTS, 3600)
    for number in range(1, WINDOWS + 1):
        current = _window(scene, draw(deck, rng), len(known))
        weighed = weigh(scene.fitted, known, np.ones(len(known), dtype=bool), current)
        if np.exp(weighed.log_p) <= alpha:
            return number
        known = join([known, current])
    return 0


def _window(scene: Scene, rows: Rows, hour: int) -> Summaries:
    features = scene.features[rows].astype(np.float64)
    return Summaries(
        np.array([hour + 0.5]),
        np.array([float(len(rows))]),
        features.sum(axis=0)[None],
        (features**2).sum(axis=0)[None],
    )


def _with_topic(scene: Scene, share: float, rows: int, deck: Deck | None, rng: np.random.Generator) -> Rows:
    count = int(rng.binomial(rows, share))
    return np.concatenate([_healthy(scene, rows - count, deck, rng), rng.choice(scene.fresh, count)])


def _with_more(scene: Scene, share: float, rows: int, deck: Deck | None, rng: np.random.Generator) -> Rows:
    known = len(scene.grown) / len(scene.pools.stream)
    count = int(rng.binomial(rows, share / (1 - known)))  # so that its share of the window rises by `share`
    return np.concatenate([_healthy(scene, rows - count, deck, rng), rng.choice(scene.grown, count)])


def _healthy(scene: Scene, count: int, deck: Deck | None, rng: np.random.Generator) -> Rows:
    return rng.choice(scene.pools.stream, count) if deck is None else deck.deal(count)
