"""The drift test of embeddings: three statistics, one calibrated p-value."""

from __future__ import annotations

import numpy as np

from analyzers.drift import hotelling, mmd, neighbours
from analyzers.drift.device import NUMPY
from analyzers.drift.permutation import permutation_test
from leewatch.contracts import Vectors
from leewatch.errors import InputError
from leewatch.schema import DriftResult

METHOD = "permutation[mmd,hotelling,neighbours]"
VERSION = "1"
SMALLEST_SAMPLE = 20
BATTERY = {"mmd": mmd.prepare, "hotelling": hotelling.prepare, "neighbours": neighbours.prepare}


class PermutationDetector:
    """Whether two samples of unit vectors come from one distribution.

    The three statistics look for different changes (shape, weight, new topics) and share one permutation test. The
    p-value is exact down to about 10 / permutations, and beyond that extrapolated (see `permutation.tail_probability`).
    `effect` is left at 0: it needs the topics, see `analyzers.clusters`.
    """

    def __init__(self, permutations: int = 2000, device: str = NUMPY) -> None:
        self.permutations = permutations
        self.device = device

    def test(self, reference: Vectors, current: Vectors, alpha: float, seed: int) -> DriftResult:
        """The verdict at level alpha, in (0, 1); deterministic for a seed.

        reference float32 (n, d), current float32 (m, d), n and m >= 20. `statistic` is the squared MMD; the other
        statistics stand in `parameters`. Raises InputError for samples that are too small or do not fit together.
        """
        _check(reference, current)
        rng = np.random.default_rng(seed)
        pool = np.concatenate([current, reference]).astype(np.float32, copy=False)
        statistics = {name: prepare(pool, len(current), rng, self.device) for name, prepare in BATTERY.items()}
        verdict = permutation_test(statistics, len(pool), len(current), self.permutations, rng)
        return DriftResult(
            drifted=verdict.p_value <= alpha,
            p_value=verdict.p_value,
            threshold=alpha,
            statistic=verdict.observed["mmd"],
            method=METHOD,
            version=VERSION,
            effect=0.0,
            n_reference=len(reference),
            n_current=len(current),
            parameters={
                "statistics": dict(verdict.observed),
                "surprise": {name: round(value, 3) for name, value in verdict.partial.items()},
                "strongest": verdict.strongest,
                "permutations": verdict.permutations,
                "extrapolated": verdict.extrapolated,
                "seed": seed,
            },
        )


def _check(reference: Vectors, current: Vectors) -> None:
    for name, rows in (("reference", reference), ("current", current)):
        if rows.ndim != 2 or len(rows) < SMALLEST_SAMPLE:
            count = len(rows) if rows.ndim == 2 else 0
            raise InputError(f"{name} has {count} rows; a drift test needs at least {SMALLEST_SAMPLE} in each sample")
        if not np.isfinite(rows).all():
            raise InputError(f"{name} has vectors with values that are not finite numbers")
    if reference.shape[1] != current.shape[1]:
        raise InputError(
            f"reference has vectors of length {reference.shape[1]}, current of {current.shape[1]}: "
            "embed both with one model"
        )
