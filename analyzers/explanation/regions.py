"""Where in the embedding space a share moved: a few regions, found at several scales and in the sparse tails (pure).

k-means over all rows finds topics that gained or lost weight. A small new topic drowns in it, so the rows that lie farthest
from the reference are clustered by themselves: among them a new topic stands out (novelty by the distance to a near
neighbour: Ramaswamy, Rastogi & Shim 2000, doi:10.1145/335191.335437).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.cluster import KMeans

from leewatch.contracts import Vectors

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

NEIGHBOUR = 3
"""Novelty of a row is its distance to the third nearest row of the reference: one stray neighbour says little."""
TAILS = (0.3, 0.1, 0.03)
"""Shares of the reference that lie beyond the novelty of each tail."""
TAIL_CLUSTERS = (6, 12, 24)
WHOLE_CLUSTERS = 30
ROWS_PER_CLUSTER = 10
MOST_ROWS = 5_000
"""Rows of a sample that clusters are fitted on."""
ALPHA = 0.05
"""Level at which a region is named, Bonferroni over all regions looked at; of its intervals too."""
SHOWN = 5
SAME = 0.9999
"""Cosine above which two texts are the same: a repeated text is no neighbour of itself."""


@dataclass(frozen=True, slots=True)
class Region:
    """Part of the space: rows nearest to centre `index` of `centers` (k, d), among those of at least this novelty."""

    centers: Floats
    index: int
    novelty: float

    def holds(self, vectors: Vectors, novelty: Floats) -> Flags:
        """Which of the rows (n, d), with their novelty (n,), lie in it."""
        return np.asarray((_nearest(vectors, self.centers) == self.index) & (novelty >= self.novelty))


@dataclass(frozen=True, slots=True)
class Move:
    """A region whose share moved. before, after: its shares of reference and current rows, with their intervals, which
    hold for all regions looked at together (Wilson 1927, doi:10.1080/01621459.1927.10502953). z: in standard errors."""

    region: Region
    before: float
    after: float
    before_interval: tuple[float, float]
    after_interval: tuple[float, float]
    z: float


@dataclass(frozen=True, slots=True)
class Moves:
    """What moved between two samples, the largest z-score first; no row is counted in two regions.

    reference, current: index into `moves` of the region of each row, -1 for none; int64.
    """

    moves: tuple[Move, ...]
    reference: Codes
    current: Codes
    _halves: tuple[Vectors, Vectors]

    def grown(self, places: Codes) -> Flags:
        """Which rows, by the region they lie in, are of regions that grew; where none grew, those outside all that
        shrank."""
        rising = np.array([move.after > move.before for move in self.moves] + [False])
        return rising[places] if rising.any() else places < 0

    def places(self, vectors: Vectors) -> Codes:
        """Region of rows of any other time, int64 (n,), -1 for none."""
        found = np.full(len(vectors), -1, dtype=np.int64)
        if not self.moves or not len(vectors):
            return found
        far = _novelty(vectors, *self._halves)
        for number, move in reversed(list(enumerate(self.moves))):
            found[move.region.holds(vectors, far)] = number
        return found


def find(reference: Vectors, current: Vectors, seed: int) -> Moves:
    """The regions whose shares moved from `reference` (n, d) to `current` (m, d), unit vectors, both at least 20 rows."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(reference))
    half = len(order) // 2
    halves = (_thinned(reference[order[:half]], rng), _thinned(reference[order[half:]], rng))
    novelty_reference = np.empty(len(reference), dtype=np.float32)
    novelty_reference[order[:half]] = _distance(reference[order[:half]], halves[1])
    novelty_reference[order[half:]] = _distance(reference[order[half:]], halves[0])
    novelty_current = _novelty(current, *halves)
    pool = np.concatenate([current, reference]).astype(np.float32, copy=False)
    far = np.concatenate([novelty_current, novelty_reference])
    is_current = np.arange(len(pool)) < len(current)
    regions = list(_regions(pool, far, is_current, novelty_reference, rng, seed))
    moves, places = _chosen(regions, pool, far, is_current)
    return Moves(moves, places[len(current) :], places[: len(current)], halves)


def _regions(
    pool: Floats, far: Floats, is_current: Flags, novelty_reference: Floats, rng: np.random.Generator, seed: int
) -> Iterator[tuple[Region, Flags]]:
    """Every region that is looked at, with its rows."""
    floors: list[tuple[float, tuple[int, ...]]] = [(-np.inf, (WHOLE_CLUSTERS,))]
    floors += [(float(np.quantile(novelty_reference, 1 - share)), TAIL_CLUSTERS) for share in TAILS]
    for floor, sizes in floors:
        rows = np.flatnonzero(far >= floor)
        for size in sizes:
            centers = _centers(pool[rows], is_current[rows], size, rng, seed)
            nearest = np.full(len(pool), -1, dtype=np.int64)
            nearest[rows] = _nearest(pool[rows], centers)
            for index in range(len(centers)):
                yield Region(centers, index, floor), nearest == index


def _centers(rows: Floats, is_current: Flags, size: int, rng: np.random.Generator, seed: int) -> Floats:
    """Centres of k-means in which both samples weigh the same: else a large reference takes all of them."""
    kept = np.concatenate([_some(np.flatnonzero(is_current), rng), _some(np.flatnonzero(~is_current), rng)])
    if not len(kept):
        return np.zeros((0, rows.shape[1]), dtype=np.float32)
    side = is_current[kept]
    weights = np.where(side, 1.0, max(side.sum(), 1) / max((~side).sum(), 1))
    distinct = len(np.unique(rows[kept].round(4), axis=0))
    smaller = int(min(side.sum(), (~side).sum())) or len(kept)
    k = max(1, min(size, max(smaller // ROWS_PER_CLUSTER, 2), distinct))
    model = KMeans(n_clusters=k, n_init=1, random_state=seed, max_iter=30).fit(rows[kept], sample_weight=weights)
    centers: Floats = model.cluster_centers_.astype(np.float32)
    return centers


def _chosen(
    regions: Sequence[tuple[Region, Flags]], pool: Floats, far: Floats, is_current: Flags
) -> tuple[tuple[Move, ...], Codes]:
    """The moves, strongest first, each among the rows that earlier ones left, and the region of each row."""
    places = np.full(len(pool), -1, dtype=np.int64)
    n = np.array([(~is_current).sum(), is_current.sum()], dtype=float)
    critical = float(stats.norm.isf(ALPHA / 2 / max(len(regions), 1)))
    moves: list[Move] = []
    inside = np.stack([rows for _, rows in regions]) if regions else np.zeros((0, len(pool)), dtype=bool)
    while len(moves) < SHOWN and len(regions):
        free = inside & (places < 0)
        counts = np.stack([(free & ~is_current).sum(axis=1), (free & is_current).sum(axis=1)], axis=1)
        z = _z(counts, n)
        best = int(np.argmax(np.abs(z)))
        if abs(z[best]) < critical:
            break
        places[free[best]] = len(moves)
        before, after = (counts[best] / n).tolist()
        intervals = [_wilson(float(counts[best][side]), float(n[side]), critical) for side in (0, 1)]
        moves.append(Move(regions[best][0], before, after, intervals[0], intervals[1], float(z[best])))
    return tuple(moves), places


def _z(counts: npt.NDArray[np.int64], n: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Standard errors between two proportions with the pooled share (Fleiss, Levin & Paik 2003, section 3.2)."""
    share = counts / n
    pooled = counts.sum(axis=1) / n.sum()
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / n[0] + 1 / n[1]))
    return np.asarray((share[:, 1] - share[:, 0]) / error)


def _wilson(hits: float, rows: float, z: float) -> tuple[float, float]:
    center = (hits + z * z / 2) / (rows + z * z)
    half = z / (rows + z * z) * np.sqrt(hits * (rows - hits) / rows + z * z / 4)
    return max(float(center - half), 0.0), min(float(center + half), 1.0)


def _novelty(vectors: Vectors, first: Vectors, second: Vectors) -> Floats:
    """Mean of the distances to both halves of the reference, so that it compares with a reference row's own."""
    return np.asarray((_distance(vectors, first) + _distance(vectors, second)) / 2, dtype=np.float32)


def _distance(vectors: Vectors, reference: Vectors) -> Floats:
    """1 - cosine to the NEIGHBOUR-th nearest other text of the reference, float32 (n,)."""
    similarity = vectors.astype(np.float32) @ reference.T
    similarity[similarity > SAME] = -1.0
    place = similarity.shape[1] - min(NEIGHBOUR, similarity.shape[1])
    return np.asarray(1.0 - np.partition(similarity, place, axis=1)[:, place], dtype=np.float32)


def _nearest(vectors: Vectors, centers: Floats) -> Codes:
    distance = (centers**2).sum(axis=1) - 2.0 * (vectors.astype(np.float32) @ centers.T)
    nearest: Codes = np.argmin(distance, axis=1).astype(np.int64)
    return nearest


def _thinned(rows: Vectors, rng: np.random.Generator) -> Vectors:
    return rows[_some(np.arange(len(rows)), rng)]


def _some(rows: Codes, rng: np.random.Generator) -> Codes:
    return rows if len(rows) <= MOST_ROWS else np.sort(rng.choice(rows, MOST_ROWS, replace=False))
