"""Nearest-neighbour excess: sees small new topics that leave the overall mean almost where it was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analyzers.drift.device import NUMPY
from analyzers.drift.permutation import Evaluate, Labels, Values
from leewatch.contracts import Vectors

NEIGHBOURS = 10
BLOCK = 1024
"""Rows whose similarities are held at once: (1024, N) float32 is 41 MB at N = 10,000."""


def prepare(pool: Vectors, n_current: int, rng: np.random.Generator, device: str = NUMPY) -> Evaluate:
    """How far the labelled rows keep to themselves: cubic mean of the excess of labelled neighbours.

    The count of labelled rows among the nearest neighbours of labelled rows is the statistic of Schilling 1986 (JASA
    81(395), 799-806). Here each row's count enters by its excess over the expectation, cubed: a new topic is a group of
    rows whose neighbours are nearly all new, and a convex weight lets the few rows of a small topic stand out from the
    chance fluctuation of the many others. The root makes the null distribution nearly normal, so that its tail can be
    extrapolated. On CLINC prompts it has the most power of the three for new topics.
    """
    del device  # the neighbours' graph is sparse, and as quick on the CPU
    k = min(NEIGHBOURS, len(pool) - 1)
    adjacency = _adjacency(pool, k, rng)
    expected = np.float32(k * (n_current - 1) / (len(pool) - 1))

    def evaluate(labels: Labels) -> Values:
        excess = adjacency @ labels
        excess -= expected
        np.maximum(excess, 0, out=excess)
        sums: Values = np.einsum("ij,ij->j", excess * excess * excess, labels, dtype=np.float64)
        return np.cbrt(sums / n_current)

    return evaluate


def _adjacency(pool: Vectors, k: int, rng: np.random.Generator) -> sparse.csr_matrix:
    columns = nearest(pool, k, rng).ravel()
    starts = np.arange(0, len(columns) + 1, k)
    return sparse.csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts), shape=(len(pool), len(pool)))


def nearest(pool: Vectors, k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Row numbers int64 (N, k) of the k most similar other rows, in no order.

    Equal rows (repeated or templated texts) are chosen among at random, not by position: position tells the labels.
    """
    found = np.empty((len(pool), k), dtype=np.int64)
    for start in range(0, len(pool), BLOCK):
        rows = pool[start : start + BLOCK]
        similarity = rows @ pool.T
        similarity += rng.random(similarity.shape, dtype=np.float32) * np.float32(1e-5)
        similarity[np.arange(len(rows)), np.arange(start, start + len(rows))] = -np.inf
        found[start : start + BLOCK] = np.argpartition(similarity, -k, axis=1)[:, -k:]
    return found
