"""The map of a service's topics: near topics mean similar things, and a topic stays where it was (pure).

Distances between centres are laid out in the plane by metric multidimensional scaling (SMACOF: de Leeuw 1977; Borg &
Groenen 2005, chapter 8), started from where the topics stood and turned back onto it (orthogonal Procrustes: Schoenemann
1966, doi:10.1007/BF02289451), or from their principal plane the first time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import orthogonal_procrustes
from sklearn.manifold import smacof

from analyzers.topics.fitting import Floats

Points = npt.NDArray[np.float64]
ROUNDS = 200


def lay_out(centers: Floats, before: Sequence[tuple[float, float] | None], seed: int) -> Points:
    """Places of the centres (k, d) on the map, float64 (k, 2). before: where each stood, None for a new one."""
    count = len(centers)
    if count < 2:
        return np.array([place or (0.0, 0.0) for place in before], dtype=np.float64).reshape(count, 2)
    start = _principal_plane(centers)
    held = [number for number, place in enumerate(before) if place is not None]
    old = np.array([before[number] for number in held], dtype=np.float64).reshape(len(held), 2)
    if len(held) > 1:
        start = _onto(start, held, old)
    start[held] = old
    distances = np.sqrt(np.maximum(2.0 - 2.0 * centers.astype(np.float64) @ centers.T.astype(np.float64), 0.0))
    np.fill_diagonal(distances, 0.0)
    symmetric = (distances + distances.T) / 2
    found, _ = smacof(
        symmetric, n_components=2, init=start, n_init=1, max_iter=ROUNDS, random_state=seed, normalized_stress=False
    )
    places: Points = np.asarray(found, dtype=np.float64)
    return _onto(places, held, old) if len(held) > 1 else places - places.mean(axis=0)


def _principal_plane(centers: Floats) -> Points:
    """Coordinates on the first two principal components, each with its largest entry positive."""
    centred = centers.astype(np.float64) - centers.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(centers), 2))
    width = min(2, len(sizes))
    plane[:, :width] = left[:, :width] * sizes[:width]
    signs = np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    return plane * np.where(signs == 0, 1.0, signs)


def _onto(places: Points, held: Sequence[int], old: Points) -> Points:
    """All places, turned, mirrored and moved so that the held ones come as near as they can to where they stood."""
    middle, target = places[held].mean(axis=0), old.mean(axis=0)
    turn, _ = orthogonal_procrustes(places[held] - middle, old - target)
    turned: Points = (places - middle) @ turn + target
    return turned
