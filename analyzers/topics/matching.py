"""Which topics of a new fit are which of the old ones: ids persist (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from analyzers.topics.fitting import Fit
from leewatch.contracts import Vectors

LEAST_COSINE = 0.5
"""Cosine of two centres below which they are never one topic."""
LEAST = 0.5
"""Agreement, in [0, 1], that makes two topics one: half of the rows are shared, or the centres are next to each other."""


def match(old: Fit, new: Fit, vectors: Vectors) -> list[int]:
    """For each topic of `new` the place of the topic of `old` that it continues, -1 for one that is new.

    Each old topic is continued at most once, by the part that shares most with it. Agreement is the mean of the share of
    common rows (Jaccard 1901, of the rows (n, d) as both fits assign them) and the cosine of the centres; the pairs are
    those of largest sum (Kuhn 1955, doi:10.1002/nav.3800020109). Topics without rows are judged by their centres.
    """
    if not len(old.centers) or not len(new.centers):
        return [-1] * len(new.centers)
    cosine = np.clip(new.centers @ old.centers.T, 0.0, 1.0)
    agreement = _agreement(_counts(old, new, vectors), cosine)
    agreement[cosine < LEAST_COSINE] = 0.0
    rows, columns = linear_sum_assignment(-agreement)
    found = {
        int(row): int(column) for row, column in zip(rows, columns, strict=True) if agreement[row, column] >= LEAST
    }
    return [found.get(number, -1) for number in range(len(new.centers))]


def identify(old: Sequence[int], matched: Sequence[int], last: int) -> list[int]:
    """Ids of the topics of a new fit: of the one it continues among `old`, else the next ones after `last`."""
    ids = []
    for place in matched:
        if place < 0:
            last += 1
        ids.append(old[place] if place >= 0 else last)
    return ids


def _counts(old: Fit, new: Fit, vectors: Vectors) -> npt.NDArray[np.float64]:
    """Rows in each pair of topics, (new + 1, old + 1); the last of each is none."""
    before, _ = old.assign(vectors)
    after, _ = new.assign(vectors)
    counts = np.zeros((len(new.centers) + 1, len(old.centers) + 1))
    np.add.at(counts, (after, before), 1)
    return counts


def _agreement(counts: npt.NDArray[np.float64], cosine: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    both = counts[:-1, :-1]
    either = counts.sum(axis=1)[:-1, None] + counts.sum(axis=0)[None, :-1] - both
    shared = np.divide(both, either, out=cosine.astype(np.float64).copy(), where=either > 0)
    return np.asarray((shared + cosine) / 2)
