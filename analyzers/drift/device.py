"""The two heavy products of drift tests, on numpy or on a torch device, with the same results up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from leewatch.contracts import Vectors

Values = npt.NDArray[np.float64]
NUMPY = ""
"""The device of plain numpy on the CPU."""
MEMORY_BYTES = 256 * 1024 * 1024
"""Most memory of one block of distances on a torch device: no matrix of all rows against all rows is ever made."""
NUMPY_BLOCK = 2048
"""Rows whose distances numpy holds at once: (2048, 5000) float32 is 41 MB, which stays near the caches."""


def resolve(device: str) -> str:
    """The device of `analyzers.device` for drift tests: numpy for cpu, and for auto where torch sees no CUDA device."""
    if device == "cpu":
        return NUMPY
    if device in ("", "auto"):
        import torch

        return "cuda" if torch.cuda.is_available() else NUMPY
    return device


def nearest_mean(rows: Vectors, anchors: Vectors, k: int, device: str = NUMPY) -> Values:
    """Mean squared distance of each row float32 (n, q) to its k nearest anchors float32 (a, q), float64 (n,)."""
    if device == NUMPY:
        found = np.empty(len(rows))
        lengths = (anchors**2).sum(axis=1)
        for start in range(0, len(rows), NUMPY_BLOCK):
            part = rows[start : start + NUMPY_BLOCK]
            squared = part @ anchors.T
            squared *= -2
            squared += lengths
            nearest = np.partition(squared, k - 1, axis=1)[:, :k]
            found[start : start + NUMPY_BLOCK] = nearest.mean(axis=1) + (part**2).sum(axis=1)
        return np.asarray(np.maximum(found, 0.0))
    return _nearest_mean_torch(rows, anchors, k, device)


def _nearest_mean_torch(rows: Vectors, anchors: Vectors, k: int, device: str) -> Values:
    import torch

    block = max(MEMORY_BYTES // (4 * max(len(anchors), 1)), 1)
    there = torch.from_numpy(np.ascontiguousarray(anchors)).to(device)
    lengths = (there**2).sum(dim=1)
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), block):
            part = torch.from_numpy(np.ascontiguousarray(rows[start : start + block])).to(device)
            squared = torch.addmm(lengths, part, there.T, alpha=-2)
            nearest = torch.topk(squared, k, dim=1, largest=False).values
            found.append((nearest.mean(dim=1) + (part**2).sum(dim=1)).double().cpu().numpy())
    return np.asarray(np.maximum(np.concatenate(found), 0.0))


def squared_norms(
    features: Vectors, device: str = NUMPY
) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """A function of labels float32 (n, b): squared norm of features (n, d) transposed times each column, float64 (b,).

    The features are moved to the device once, for all permutations.
    """
    if device == NUMPY:
        transposed = np.ascontiguousarray(features.T)

        def on_numpy(labels: npt.NDArray[np.float32]) -> Values:
            sums = transposed @ labels
            return np.asarray(np.einsum("ij,ij->j", sums, sums, dtype=np.float64))

        return on_numpy
    import torch

    there: Any = torch.from_numpy(np.ascontiguousarray(features.T)).to(device)

    def on_torch(labels: npt.NDArray[np.float32]) -> Values:
        with torch.inference_mode():
            sums = there @ torch.from_numpy(np.ascontiguousarray(labels)).to(device)
            return np.asarray((sums.double() ** 2).sum(dim=0).cpu().numpy())

    return on_torch
