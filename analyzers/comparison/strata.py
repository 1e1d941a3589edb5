"""Which prompts of two groups are comparable (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.cluster import MiniBatchKMeans

from analyzers.comparison.estimate import Codes, Flags, Rows
from leewatch.contracts import Vectors

PAIRED_SHARE = 0.8
"""Share of calls whose very prompt occurs in the other group, from which prompts are matched one by one."""
ROWS_PER_STRATUM = 20
MOST_STRATA = 50


def codes(values: Sequence[str]) -> Codes:
    """A number from 0 for each value, int64 (n,), the same for equal values."""
    return np.unique(np.array(values), return_inverse=True)[1].astype(np.int64)


def matched(in_b: Flags, prompts: Codes, vectors: Vectors | None, sessions: Codes, seed: int = 0) -> tuple[Rows, str]:
    """(rows with strata and blocks, how prompts were matched: `prompt`, `cluster` or `none`).

    in_b: bool (n,). prompts: int64 (n,), equal for equal prompts, negative where unknown. vectors: float32 (n, d) unit
    vectors of the prompts, zero rows where unknown; None when no prompt is known. sessions: int64 (n,), what belongs
    together. Equal prompts are pairs, and a pair is one observation; else clusters of similar prompts are compared,
    so that a different mix of questions does not pass for a different answer. Calls without a known prompt make a
    stratum of their own.
    """
    if _paired(in_b, prompts):
        pairs = np.unique(prompts, return_inverse=True)[1].astype(np.int64)
        return Rows(in_b, pairs, pairs), "prompt"
    if vectors is None or not vectors.any():
        return Rows(in_b, np.zeros(len(in_b), dtype=np.int64), sessions), "none"
    return Rows(in_b, clusters(in_b, vectors, seed), sessions), "cluster"


def _paired(in_b: Flags, prompts: Codes) -> bool:
    if not len(prompts) or (prompts < 0).any():
        return False
    both = np.intersect1d(prompts[in_b], prompts[~in_b])
    return float(np.isin(prompts, both).mean()) >= PAIRED_SHARE and len(both) > 1


def clusters(in_b: Flags, vectors: Vectors, seed: int) -> Codes:
    """Cluster of each row, int64 (n,), by k-means over both groups; the last one holds rows without a vector.

    One cluster per ROWS_PER_STRATUM rows of the smaller group, MOST_STRATA at most; never more than distinct rows.
    """
    known: npt.NDArray[np.bool_] = np.any(vectors != 0, axis=1)
    smaller = int(min((known & in_b).sum(), (known & ~in_b).sum()))
    distinct = len(np.unique(vectors[known].round(4), axis=0))
    k = max(1, min(MOST_STRATA, smaller // ROWS_PER_STRATUM, distinct))
    found = np.full(len(in_b), k, dtype=np.int64)
    model = MiniBatchKMeans(n_clusters=k, n_init=3, random_state=seed, batch_size=1024)
    found[known] = model.fit_predict(vectors[known])
    return found
