"""Topics as unit centres that move little from one fit to the next (pure).

Spherical k-means (Dhillon & Modha 2001, doi:10.1023/A:1007612920971). The first fit chooses the number of topics; every
later one starts from the centres that it finds, so that a topic stays where it is while its texts do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from analyzers.explanation.regions import find
from leewatch.contracts import Vectors

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26, 30, 35, 40, 50, 60)
"""Numbers of topics that a first fit tries."""
ROWS_PER_TOPIC = 25
"""Texts that a topic needs on average: with fewer, centres follow single texts."""
FITTED_ROWS = 6_000
"""Different texts that centres are fitted on."""
FEW_TEXTS = 50
SILHOUETTE_ROWS = 1_500
GOOD_ENOUGH = 0.95
"""Share of the best silhouette that fewer topics must reach to be preferred: on real prompts it rises slowly with every topic."""
ROOM = 0.75
"""Part of the most topics that a fit from scratch may take: the rest is for new ones."""
BETTER = 1.3
"""How much better the silhouette of a fit from scratch must be to replace the topics that are known."""
ROUNDS = 10
KEPT = 200.0
"""Texts that the place a centre had counts as: a topic of a hundred texts a day moves a third of the way to them."""
SPREADS = 2.5
"""Robust standard deviations below the median similarity of a topic's texts at which a text belongs to no topic."""
LEAST_FLOOR = 0.1
HIGHEST_FLOOR = 0.9
NEW_ROWS = 15
"""Texts that a new topic needs."""
NEW_SHARE = 0.004
"""Share of the newer texts that a new topic needs."""
GREW = 3.0
"""Times that a share has grown by, at least, before its texts are a new topic: less is an old topic asked more often."""
SAME_TOPIC = 0.8
"""Cosine of two centres above which they are one topic."""
MAD = 1.4826
"""Median absolute deviations to a standard deviation, for the normal law."""


@dataclass(frozen=True)
class Fit:
    """Centres of topics. centers float32 (k, d), unit vectors; floors float32 (k,): least cosine of a text that belongs."""

    centers: Floats
    floors: Floats

    def assign(self, vectors: Vectors) -> tuple[Codes, Floats]:
        """Topic of each row (n, d), -1 for none, int64 (n,); and the cosine to the nearest centre, float32 (n,)."""
        if not len(self.centers) or not len(vectors):
            return np.full(len(vectors), -1, dtype=np.int64), np.zeros(len(vectors), dtype=np.float32)
        similarity = vectors @ self.centers.T
        nearest = similarity.argmax(axis=1).astype(np.int64)
        best: Floats = similarity[np.arange(len(vectors)), nearest].astype(np.float32)
        return np.where(best >= self.floors[nearest], nearest, -1), best


@dataclass(frozen=True)
class Distinct:
    """Texts without repeats: rows float32 (n, d) and how much each counts, float64 (n,). total: texts with repeats.

    A repeat counts by the logarithm: a template that is sent all day long is one topic and must not take two.
    """

    rows: Floats
    weights: npt.NDArray[np.float64]
    total: int


def distinct(vectors: Vectors, rng: np.random.Generator, most: int = FITTED_ROWS) -> Distinct:
    """The different rows of (n, d), at most `most` of them."""
    _, places, counts = np.unique(vectors.round(3), axis=0, return_index=True, return_counts=True)
    order = np.argsort(places)
    if len(order) > most:
        order = np.sort(rng.choice(order, most, replace=False))
    return Distinct(vectors[places[order]].astype(np.float32), 1.0 + np.log(counts[order]), len(vectors))


def first_fit(vectors: Vectors, most: int, seed: int) -> Fit:
    """The topics of rows (n, d) of which nothing is known, with room left for new ones among at most `most`.

    One for all where all texts are the same.
    """
    rng = np.random.default_rng(seed)
    return _from_scratch(distinct(vectors, rng), most, rng, seed)[0]


def next_fit(known: Fit, older: Vectors, newer: Vectors, most: int, seed: int) -> Fit:
    """The topics of the rows, from those that are `known`, with new ones behind them where `newer` holds any.

    older, newer: rows before and since the last fit. A known topic without rows keeps its place. When a fit from scratch
    tells the texts apart much better, it is the result instead, in an order of its own.
    """
    rng = np.random.default_rng(seed)
    pool = np.concatenate([older, newer]) if len(older) else newer
    texts = distinct(pool, rng)
    found = _new_centers(known, older, newer, most, seed)
    centers = np.concatenate([known.centers, found]) if len(found) else known.centers
    warm = _moved(centers, texts, len(known.centers))
    scratch, quality = _from_scratch(texts, most, rng, seed)
    if quality > BETTER * max(_quality(warm, texts, rng), 0.01):
        return scratch
    return Fit(warm, _floors(warm, texts, known.floors))


def _new_centers(known: Fit, older: Vectors, newer: Vectors, most: int, seed: int) -> Floats:
    """Centres of texts that were next to nothing among the older rows, where the test of regions finds them."""
    none = np.zeros((0, known.centers.shape[1]), dtype=np.float32)
    if min(len(older), len(newer)) < 2 * NEW_ROWS:
        return none
    moves = find(older, newer, seed)
    centers: list[Floats] = []
    for number, move in enumerate(moves.moves):
        rows = newer[moves.current == number]
        if len(rows) < max(NEW_ROWS, NEW_SHARE * len(newer)) or move.after < GREW * move.before:
            continue
        center = _unit(rows.mean(axis=0, keepdims=True))
        others = np.concatenate([known.centers, *centers]) if centers else known.centers
        if float((others @ center[0]).max()) < SAME_TOPIC and len(others) < most:
            centers.append(center)
    return np.concatenate(centers) if centers else none


def _from_scratch(texts: Distinct, most: int, rng: np.random.Generator, seed: int) -> tuple[Fit, float]:
    """The smallest number of topics that tells the texts apart about as well as the best, and its silhouette."""
    highest = min(max(int(ROOM * most), 2), len(texts.rows), max(texts.total // ROWS_PER_TOPIC, 2))
    counts = [count for count in COUNTS if count <= highest]
    if not counts:
        centers = _unit(texts.rows.mean(axis=0, keepdims=True))
        return Fit(centers, _floors(centers, texts)), 0.0
    tried = [_fitted(texts, count, seed) for count in counts]
    judged = [_quality(centers, texts, np.random.default_rng(seed)) for centers in tried]
    best = max(judged)
    chosen = next(place for place, quality in enumerate(judged) if quality >= GOOD_ENOUGH * best or quality == best)
    return Fit(tried[chosen], _floors(tried[chosen], texts)), judged[chosen]


def _fitted(texts: Distinct, count: int, seed: int) -> Floats:
    model = KMeans(n_clusters=count, n_init=2, random_state=seed, max_iter=30)
    return _unit(model.fit(texts.rows, sample_weight=texts.weights).cluster_centers_)


def _moved(start: Floats, texts: Distinct, known: int) -> Floats:
    """Centres after some rounds of spherical k-means, the `known` first of them held where they were as if by KEPT texts."""
    held = np.where(np.arange(len(start)) < known, KEPT, 1.0)[:, None].astype(np.float32)
    centers = start
    for _ in range(ROUNDS):
        nearest = (texts.rows @ centers.T).argmax(axis=1)
        sums = held * start
        np.add.at(sums, nearest, texts.rows * texts.weights[:, None].astype(np.float32))
        moved = _unit(sums)
        if np.allclose(moved, centers, atol=1e-4):
            break
        centers = moved
    return centers


def _floors(centers: Floats, texts: Distinct, before: Floats | None = None) -> Floats:
    """Median less SPREADS robust deviations of the similarities of a centre's nearest texts; `before` where it has few.

    Robust, so that texts which belong to no topic do not widen the one that happens to be next to them.
    """
    similarity = texts.rows @ centers.T
    nearest = similarity.argmax(axis=1)
    floors = np.full(len(centers), LEAST_FLOOR, dtype=np.float32)
    for number in range(len(centers)):
        own = similarity[nearest == number, number]
        if len(own):
            middle = float(np.median(own))
            floors[number] = middle - SPREADS * MAD * float(np.median(np.abs(own - middle)))
        if before is not None and number < len(before):
            held = KEPT / (KEPT + len(own))
            floors[number] = held * before[number] + (1 - held) * floors[number]
    return np.clip(floors, LEAST_FLOOR, HIGHEST_FLOOR)


def _quality(centers: Floats, texts: Distinct, rng: np.random.Generator) -> float:
    """Mean silhouette by cosine (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7) of a sample of the texts, in [-1, 1].

    Where there are few different texts, repeats of one are a topic by themselves: they count twice.
    """
    few = len(texts.rows) < FEW_TEXTS
    rows = np.repeat(texts.rows, np.where(texts.weights > 1, 2, 1), axis=0) if few else texts.rows
    rows = rows if len(rows) <= SILHOUETTE_ROWS else rows[rng.choice(len(rows), SILHOUETTE_ROWS, replace=False)]
    nearest = (rows @ centers.T).argmax(axis=1)
    if not 1 < len(np.unique(nearest)) < len(rows):
        return 0.0
    return float(silhouette_score(rows, nearest, metric="cosine"))


def _unit(rows: npt.NDArray[np.floating]) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-9), dtype=np.float32)
