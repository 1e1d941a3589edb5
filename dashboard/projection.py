"""Two-dimensional maps of vectors. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def principal_components(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Projection of vectors (n, d) on their first two principal components, (n, 2).

    The sign of a component is fixed (its entry of largest size is positive): the map does not flip between reloads.
    Fewer than two rows, or no spread, give zeros.
    """
    n = len(vectors)
    if n < 2:
        return np.zeros((n, 2))
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    axes = np.zeros((2, centred.shape[1]))
    for row, direction in enumerate(directions[:2]):
        axes[row] = direction * np.sign(direction[np.argmax(np.abs(direction))] or 1.0)
    projected: npt.NDArray[np.float64] = centred @ axes.T
    return projected
