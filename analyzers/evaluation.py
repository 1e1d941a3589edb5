"""How well scores match labels (pure). Labels are 0 or 1, scores any finite numbers, higher = more likely 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one scorer on one file. None where undefined: most need both classes.

    n, positives: rows, and rows with label 1. threshold: f1, precision, recall, balanced_accuracy and flagged (the
    share of rows at or above it) belong to it. corrected_error: the calibration error once the probabilities are shifted
    to the share of label 1 in the file; None when it is not known at which share they were calibrated.
    """

    n: int
    positives: int
    auroc: float | None
    average_precision: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    balanced_accuracy: float | None
    flagged: float
    calibration_error: float
    corrected_error: float | None
    threshold: float


def evaluate(labels: Labels, scores: Values, threshold: float, prior: float | None = None) -> Evaluation:
    """All figures. `scores` are probabilities in [0, 1], calibrated at a share `prior` of label 1, where that is known.

    Raises ValueError for no row at all.
    """
    if len(labels) == 0:
        raise ValueError("no row to evaluate")
    flagged = scores >= threshold
    hits = int((flagged & (labels == 1)).sum())
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    recall = hits / positives if positives else None
    specificity = int((~flagged & (labels == 0)).sum()) / negatives if negatives else None
    return Evaluation(
        n=len(labels),
        positives=positives,
        auroc=auroc(labels, scores),
        average_precision=average_precision(labels, scores),
        f1=2 * hits / (int(flagged.sum()) + positives) if positives else None,
        precision=hits / int(flagged.sum()) if flagged.any() else None,
        recall=recall,
        balanced_accuracy=None if recall is None or specificity is None else (recall + specificity) / 2,
        flagged=float(flagged.mean()),
        calibration_error=expected_calibration_error(labels, scores),
        corrected_error=_corrected_error(labels, scores, prior),
        threshold=threshold,
    )


def auroc(labels: Labels, scores: Values) -> float | None:
    """Probability that a random 1 scores above a random 0, ties counting half; None unless both classes occur.

    The Mann-Whitney U statistic over the number of pairs: Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(mean_ranks[inverse][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(labels: Labels, scores: Values) -> float | None:
    """Sum of precision times the step in recall over falling thresholds, without interpolation; None without a 1.

    Rows of equal score enter together. Zhu 2004, "Recall, precision and average precision", University of Waterloo.
    """
    positives = int((labels == 1).sum())
    if not positives:
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order] == 1)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    precision = hits[last] / (last + 1)
    steps = np.diff(np.concatenate([[0], hits[last]])) / positives
    return float((precision * steps).sum())


def expected_calibration_error(labels: Labels, probabilities: Values, bins: int = 10) -> float:
    """Mean over rows of |share of 1s - mean probability| in their bin of equal width; 0 = calibrated.

    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602, eq. 3 with equal-width bins. 0 for no row.
    """
    if len(labels) == 0:
        return 0.0
    place = np.clip((probabilities * bins).astype(np.int64), 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.abs(np.bincount(place, labels, bins) - np.bincount(place, probabilities, bins))
    return float(gaps[counts > 0].sum() / len(labels))


def _corrected_error(labels: Labels, scores: Values, prior: float | None) -> float | None:
    share = float(labels.mean())
    if prior is None or share in (0.0, 1.0):
        return None
    return expected_calibration_error(labels, shift_prior(scores, prior, share))


def best_threshold(labels: Labels, probabilities: Values, weights: Values) -> float:
    """The threshold with the highest weighted balanced accuracy; 0.5 unless both classes occur.

    Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3 (its J is twice that minus 1).
    """
    if len(np.unique(labels)) < 2:
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    gain = np.where(labels == 1, weights / weights[labels == 1].sum(), -weights / weights[labels == 0].sum())
    total = np.cumsum(gain[order])
    last = np.append(np.diff(probabilities[order]) != 0, True)
    return float(probabilities[order][int(np.argmax(np.where(last, total, -np.inf)))])


def shift_prior(probabilities: Values, trained: float, wanted: float) -> Values:
    """The probabilities for traffic with a share `wanted` of class 1, from those calibrated at a share `trained`.

    Bayes' rule with unchanged class densities: Saerens et al. 2002, doi:10.1162/089976602753284446, eq. 2.4.
    """
    up = probabilities * (wanted / trained)
    down = (1.0 - probabilities) * ((1.0 - wanted) / (1.0 - trained))
    shifted: Values = up / np.maximum(up + down, 1e-300)
    return shifted


def macro(figures: list[float | None]) -> float | None:
    """Mean of the figures that are defined; None when none is."""
    known = [figure for figure in figures if figure is not None]
    return float(np.mean(known)) if known else None


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """The figures by name, rounded to four places."""
    names = Evaluation.__slots__
    return {name: round(value, 4) if isinstance(value := getattr(evaluation, name), float) else value for name in names}
