"""How far a text lies from everything known: conformal p-values of nearest-neighbour distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyzers.drift.device import NUMPY, Values, nearest_mean
from leewatch.contracts import Vectors

Folds = npt.NDArray[np.int64]
FOLDS = 5
NEIGHBOURS = 10
TIE = 1e-5
"""Difference of squared distances that is rounding: equal texts are equally far."""


def folds_of(keys: npt.NDArray[np.uint64]) -> Folds:
    """Fold of each row, from the hash of its block: all rows of a block are in one fold, today and next week."""
    return ((keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)).astype(np.int64) % FOLDS


def distances(rows: Vectors, folds: Folds, anchors: Vectors, anchor_folds: Folds, device: str = NUMPY) -> Values:
    """Mean squared distance of each row to its nearest anchors outside its own fold, float64 (n,).

    Leaving the own fold out treats the texts that the anchors were drawn from like texts that came later: neither has
    its own user or session among its neighbours, so that a reference and a window made of either are comparable
    (cross-fitting; Chernozhukov et al. 2018, Econometrics Journal 21(1)). The mean over k neighbours as a novelty score
    is that of Angiulli & Pizzuti 2002 (PKDD, LNCS 2431).
    """
    found = np.zeros(len(rows))
    for fold in np.unique(folds):
        others = anchors[anchor_folds != fold]
        mine = np.flatnonzero(folds == fold)
        if len(others):
            found[mine] = nearest_mean(rows[mine], others, min(NEIGHBOURS, len(others)), device)
    return found


def surprise(distance: Values, known: Values) -> Values:
    """Minus the logarithm of each row's conformal p-value, (1 + #{known >= distance}) / (1 + n), float64 (n,), >= 0.

    known: sorted distances of the reference's own rows, each from the other folds (Bates et al. 2023, Annals of
    Statistics 51(1), 149-178, equation 3). About exponential with mean 1 for rows that are nothing new.
    """
    larger = len(known) - np.searchsorted(known, distance - TIE, side="left")
    return np.asarray(-np.log((1.0 + larger) / (1.0 + len(known))))
