"""Boosted decision trees, evaluated with numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trees:
    """Every array is (trees, nodes). A leaf points at itself, so walking `depth` steps ends in one from anywhere."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    baseline: float
    depth: int

    def decision(self, rows: Floats) -> Floats:
        """Sum of the leaves that each row (n, features) falls into plus the baseline: log odds, float64 (n,)."""
        tree = np.arange(len(self.feature))[None, :]
        node = np.zeros((len(rows), len(self.feature)), dtype=np.int64)
        row = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            goes_left = rows[row, self.feature[tree, node]] <= self.threshold[tree, node]
            node = np.where(goes_left, self.left[tree, node], self.right[tree, node])
        summed: Floats = self.value[tree, node].sum(axis=1) + self.baseline
        return summed


def trees_from(tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> Trees:
    """The trees in a weight file."""
    return Trees(
        feature=tensors["feature"].astype(np.int64),
        threshold=tensors["threshold"].astype(np.float64),
        left=tensors["left"].astype(np.int64),
        right=tensors["right"].astype(np.int64),
        value=tensors["value"].astype(np.float64),
        baseline=float(settings["baseline"]),
        depth=int(settings["depth"]),
    )
