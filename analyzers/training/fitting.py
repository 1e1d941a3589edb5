"""Fits the models of the shipped scorers: features once per source, then fits on any choice of them (deterministic)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.evaluation import best_threshold
from analyzers.scorers.grounding import RISING, WORST
from analyzers.scorers.hallucination import ALIGNMENT, COLUMNS
from analyzers.scorers.text_head import calibrated, features
from analyzers.scorers.trees import Floats, Trees
from analyzers.training.examples import Examples, folds, part, sample_weights
from leewatch.contracts import Encoder

FOLDS = 4
PRIOR = 0.5
"""Share of label 1 at which the probabilities are calibrated: classes weigh the same in every file."""


@dataclass(frozen=True)
class Prepared:
    """A source with its features, one row per example: sparse for text heads, dense for groundedness."""

    examples: Examples
    matrix: Any

    def take(self, rows: npt.NDArray[np.bool_]) -> Prepared:
        """The rows for which `rows` is true."""
        return Prepared(part(self.examples, rows), self.matrix[np.flatnonzero(rows)])


@dataclass(frozen=True)
class Model:
    """A fitted model: the log odds it gives rows of features, and what the weight file has to hold."""

    decision: Callable[[Any], Floats]
    tensors: Mapping[str, npt.NDArray[Any]]
    settings: Mapping[str, Any]


Fit = Callable[[Sequence[Prepared], int], Model]


@dataclass(frozen=True)
class Recipe:
    """How one scorer is trained: features of a source's rows (None: all sources are prepared together), and the fit on
    prepared sources with a seed.

    false_alarms: share of harmless rows (of the benign sources, else of label 0) that the threshold may flag.
    """

    prepare: Callable[[Examples, Encoder], Prepared] | None
    fit: Fit
    false_alarms: float


def text_recipe(blocks: tuple[str, ...], strength: float) -> Recipe:
    """Logistic regression over n-gram blocks; `strength`: inverse of its L2 penalty."""

    def prepare(examples: Examples, encoder: Encoder) -> Prepared:
        return Prepared(examples, features(examples.judged, None, blocks))

    def fit(prepared: Sequence[Prepared], seed: int) -> Model:
        from scipy import sparse
        from sklearn.linear_model import LogisticRegression

        matrix = sparse.vstack([one.matrix for one in prepared]).tocsr()
        # The dual solver takes seconds where L-BFGS takes minutes: there are far fewer rows than columns.
        model = LogisticRegression(
            C=strength, solver="liblinear", dual=True, intercept_scaling=10.0, max_iter=2000, random_state=seed
        )
        model.fit(matrix, _labels(prepared), sample_weight=_weights(prepared))
        coefficients = model.coef_[0].astype(np.float16)
        intercept = float(model.intercept_[0])
        exact = coefficients.astype(np.float64)
        return Model(
            lambda rows: rows @ exact + intercept,
            {"coefficients": coefficients},
            {"blocks": list(blocks), "intercept": intercept},
        )

    return Recipe(prepare, fit, false_alarms=0.01)


OVERLAP = (
    "novel_share", "novel_words", "novel_grams", "novel_pairs", "uncovered", "run", "distance", "novel_numbers",
    "novel_names", "worst_novel_share", "worst_novel_grams", *ALIGNMENT,
)  # fmt: skip
"""Columns of the third forest: alone they carry over to unseen sources; all columns fit the known ones better."""


def grounding_recipe() -> Recipe:
    """Three boosted forests, two on all columns, one on OVERLAP, averaged in log odds, monotone in RISING columns."""
    names = COLUMNS

    def fit(prepared: Sequence[Prepared], seed: int) -> Model:
        columns = (names, names, OVERLAP)
        trees = _joined([_forest(prepared, seed + i, chosen, names) for i, chosen in enumerate(columns)])
        tensors = {key: getattr(trees, key).astype(np.int16) for key in ("feature", "left", "right")}
        tensors |= {"threshold": trees.threshold, "value": trees.value}
        settings = {"features": list(names), "baseline": trees.baseline, "depth": trees.depth}
        return Model(trees.decision, tensors, settings)

    return Recipe(None, fit, false_alarms=0.15)


def _forest(prepared: Sequence[Prepared], seed: int, columns: Sequence[str], names: Sequence[str]) -> Trees:
    from sklearn.ensemble import HistGradientBoostingClassifier

    chosen = [list(names).index(name) for name in columns]
    rising = {*RISING, *ALIGNMENT, *(f"worst_{name}" for name in WORST)}
    model = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=5.0,
        max_features=0.5, monotonic_cst=[int(name in rising) for name in columns], early_stopping=False,
        random_state=seed,
    )  # fmt: skip
    matrix = np.concatenate([one.matrix for one in prepared])[:, chosen]
    model.fit(matrix, _labels(prepared), sample_weight=_weights(prepared))
    return exported(model, np.array(chosen))


def exported(model: Any, chosen: npt.NDArray[np.int64]) -> Trees:
    """scikit-learn's trees as plain arrays: leaves point at themselves, unused places are leaves of value 0."""
    nodes = [stage[0].nodes for stage in model._predictors]
    shape = (len(nodes), max(map(len, nodes)))
    feature, left, right = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    threshold, value = np.zeros(shape), np.zeros(shape)
    left[:] = right[:] = np.arange(shape[1])
    for row, tree in enumerate(nodes):
        inner = np.flatnonzero(tree["is_leaf"] == 0)
        feature[row, inner] = chosen[tree["feature_idx"][inner].astype(np.int64)]
        threshold[row, inner] = tree["num_threshold"][inner]
        left[row, inner], right[row, inner] = tree["left"][inner], tree["right"][inner]
        value[row, : len(tree)] = np.where(tree["is_leaf"] == 1, tree["value"], 0.0)
    depth = int(max(tree["depth"].max() for tree in nodes))
    return Trees(feature, threshold, left, right, value, float(model._baseline_prediction.ravel()[0]), depth)


def _joined(forests: Sequence[Trees]) -> Trees:
    """One forest whose decision is the mean of theirs."""
    width = max(one.feature.shape[1] for one in forests)

    def padded(array: npt.NDArray[Any], self_pointing: bool) -> npt.NDArray[Any]:
        out = np.zeros((len(array), width), dtype=array.dtype)
        if self_pointing:
            out[:] = np.arange(width)
        out[:, : array.shape[1]] = array
        return out

    return Trees(
        feature=np.concatenate([padded(one.feature, False) for one in forests]),
        threshold=np.concatenate([padded(one.threshold, False) for one in forests]),
        left=np.concatenate([padded(one.left, True) for one in forests]),
        right=np.concatenate([padded(one.right, True) for one in forests]),
        value=np.concatenate([padded(one.value, False) for one in forests]) / len(forests),
        baseline=sum(one.baseline for one in forests) / len(forests),
        depth=max(one.depth for one in forests),
    )


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of the decision, and the threshold recommended for the calibrated probability."""

    slope: float
    offset: float
    threshold: float


def calibrate(prepared: Sequence[Prepared], recipe: Recipe, seed: int) -> Calibration:
    """Calibration from decisions on rows that the model had not seen: FOLDS folds of whole groups.

    The threshold is the one of best balanced accuracy, or a higher one that keeps to the recipe's false alarms.
    """
    from sklearn.linear_model import LogisticRegression

    decision, labels, weights = _unseen_decisions(prepared, recipe.fit, seed), _labels(prepared), _weights(prepared)
    platt = LogisticRegression(C=1e6).fit(decision[:, None], labels, sample_weight=weights)
    slope, offset = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    probability = calibrated(decision, slope, offset)
    benign = np.concatenate([np.full(len(one.examples.labels), one.examples.source.benign) for one in prepared])
    harmless = benign if benign.any() else labels == 0
    return Calibration(slope, offset, threshold_of(labels, probability, weights, harmless, recipe.false_alarms))


def threshold_of(
    labels: npt.NDArray[np.int64], probability: Floats, weights: Floats, harmless: npt.NDArray[np.bool_], alarms: float
) -> float:
    """The threshold of best balanced accuracy, or a higher one that at most `alarms` of the harmless rows reach."""
    limit = np.quantile(probability[harmless], 1 - alarms, method="inverted_cdf", weights=weights[harmless])
    return round(max(best_threshold(labels, probability, weights), float(limit)), 3)


def _unseen_decisions(prepared: Sequence[Prepared], fit: Fit, seed: int) -> Floats:

    fold = folds([one.examples for one in prepared], FOLDS)
    decision = np.zeros(len(fold))
    edges = np.cumsum([0, *(len(one.examples.labels) for one in prepared)])
    pieces = list(zip(prepared, edges, edges[1:], strict=False))
    for number in range(FOLDS):
        model = fit([one.take(fold[start:end] != number) for one, start, end in pieces], seed)
        for one, start, end in pieces:
            rows = np.flatnonzero(fold[start:end] == number)
            if len(rows):
                decision[start + rows] = model.decision(one.matrix[rows])
    return decision


def _labels(prepared: Sequence[Prepared]) -> npt.NDArray[np.int64]:
    return np.concatenate([one.examples.labels for one in prepared])


def _weights(prepared: Sequence[Prepared]) -> npt.NDArray[np.float64]:
    return sample_weights([one.examples for one in prepared])
