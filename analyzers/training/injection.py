"""Trains the scorer of attacks on a model's instructions: a head for prompts, one for sentences, a forest for contexts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.evaluation import auroc
from analyzers.scorers.injection import CONTEXT, PROMPT, prompt_parts
from analyzers.scorers.oddity import oddity_features
from analyzers.scorers.text_head import calibrated, embed, features
from analyzers.scorers.trees import Floats, Trees
from analyzers.scorers.weight_files import fingerprint, save_weights
from analyzers.training.documents import Document, documents
from analyzers.training.examples import Examples, load_examples, part, sample_weights, stable_hash
from analyzers.training.fitting import FOLDS, PRIOR, exported
from analyzers.training.hidden import hidden_instructions
from analyzers.training.sources import INJECTION
from leewatch.contracts import Encoder, Vectors

BLOCKS = ("words",)
STRENGTH = 0.5
FALSE_ALARMS = 0.02
"""Share of harmless prompts, and of harmless contexts, that the thresholds may flag."""


@dataclass(frozen=True)
class Linear:
    """Coefficients as they are shipped, and the intercept."""

    coefficients: npt.NDArray[np.float16]
    intercept: float

    def decision(self, rows: Any) -> Floats:
        """Log odds of rows of features."""
        found: Floats = rows @ self.coefficients.astype(np.float64) + self.intercept
        return found


def fit_linear(rows: Any, labels: npt.NDArray[np.int64], weights: Floats, seed: int) -> Linear:
    """Logistic regression with an L2 penalty."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=STRENGTH, solver="liblinear", dual=True, intercept_scaling=10.0, max_iter=2000, random_state=seed
    )
    model.fit(rows, labels, sample_weight=weights)
    return Linear(model.coef_[0].astype(np.float16), float(model.intercept_[0]))


@dataclass(frozen=True)
class Prompts:
    """Prompts of all sources: one row of features per whole text, and one per part of it with its owner."""

    examples: tuple[Examples, ...]
    whole: Any
    parts: Any
    owner: npt.NDArray[np.int64]
    penalty: Floats
    labels: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    learnt: npt.NDArray[np.bool_]

    def highest(self, model: Linear) -> Floats:
        """The decision on every prompt: the highest of its parts, each less its penalty."""
        result = np.full(len(self.labels), -np.inf)
        np.maximum.at(result, self.owner, model.decision(self.parts) - self.penalty)
        return result


def prompts(data: Path, encoder: Encoder) -> Prompts:
    """The labelled and composed prompts of INJECTION with their features."""
    examples = tuple(load_examples(source, data) for source in INJECTION)
    texts = [text for one in examples for text in one.judged]
    labels = np.concatenate([one.labels for one in examples])
    split = [prompt_parts(text) for text in texts]
    # Which passage of an attack attacks is not known, so an attack is judged as a whole here.
    split = [(own[0][:1], own[1][:1]) if label else own for own, label in zip(split, labels, strict=True)]
    flat = [place.text for places, _ in split for place in places]
    rows = features(flat, embed(flat, encoder), BLOCKS)
    owner = np.repeat(np.arange(len(texts)), [len(places) for places, _ in split])
    return Prompts(
        examples,
        rows[np.flatnonzero(np.diff(owner, prepend=-1))],
        rows,
        owner,
        np.array([penalty for _, penalties in split for penalty in penalties]),
        labels,
        tuple(group for one in examples for group in one.groups),
        np.concatenate([~one.held_out for one in examples]),
    )


def prompt_weights(found: Prompts, rows: npt.NDArray[np.bool_]) -> Floats:
    """Weight per prompt, 0 outside `rows`: the classes weigh the same, a source by the root of its rows."""
    weights = np.zeros(len(found.labels))
    edges = np.cumsum([0, *(len(one.labels) for one in found.examples)])
    kept = [part(one, rows[a:b]) for one, a, b in zip(found.examples, edges, edges[1:], strict=False)]
    weights[rows] = sample_weights(kept)
    for label in (0, 1):
        chosen = rows & (found.labels == label)
        weights[chosen] *= rows.sum() / 2 / weights[chosen].sum()
    return weights


def fit_prompts(found: Prompts, rows: npt.NDArray[np.bool_], seed: int) -> Linear:
    """The model of whole prompts."""
    places = np.flatnonzero(rows)
    return fit_linear(found.whole[places], found.labels[places], prompt_weights(found, rows)[places], seed)


def unseen_prompts(found: Prompts, seed: int) -> Floats:
    """Decisions on the learnt prompts by models that had not seen their groups; -inf elsewhere."""
    fold = np.array([stable_hash("fold " + group) % FOLDS for group in found.groups])
    decision = np.full(len(fold), -np.inf)
    for number in range(FOLDS):
        held = found.learnt & (fold == number)
        decision[held] = found.highest(fit_prompts(found, found.learnt & ~held, seed))[held]
    return decision


@dataclass(frozen=True)
class Sentences:
    """Every sentence once: features, vectors, label, and the group that it stays in."""

    place: Mapping[str, int]
    rows: Any
    vectors: Vectors
    labels: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    learnt: npt.NDArray[np.bool_]
    weights: Floats


def sentences_of(found: Sequence[Document], encoder: Encoder) -> Sentences:
    """The sentences of the documents and the composed ones."""
    known: dict[str, tuple[int, str, bool, float]] = {}
    for one in found:
        for text, told in zip(one.texts, one.told, strict=True):
            group = ("attack " + one.attack) if told else ("carrier " + one.carrier)
            seen = one.learnt or (bool(told) and not one.labelled)
            before = known.get(text)
            known[text] = before if before and before[2] else (told, group, seen, 2.0 if told and one.labelled else 1.0)
    for made in hidden_instructions():
        known.setdefault(made.text, (made.label, "attack " + made.frame, True, 1.0))
    texts = list(known)
    vectors = embed(texts, encoder)
    labels, groups, learnt, weights = zip(*known.values(), strict=True)
    return Sentences(
        {text: i for i, text in enumerate(texts)},
        features(texts, vectors, BLOCKS),
        vectors,
        np.array(labels),
        groups,
        np.array(learnt),
        np.array(weights),
    )


def fit_sentences(found: Sentences, rows: npt.NDArray[np.bool_], seed: int) -> Linear:
    """The model of single sentences; the classes weigh the same."""
    places = np.flatnonzero(rows)
    labels, weights = found.labels[places], found.weights[places].copy()
    for label in (0, 1):
        weights[labels == label] *= len(labels) / 2 / weights[labels == label].sum()
    return fit_linear(found.rows[places], labels, weights, seed)


def unseen_sentences(found: Sentences, seed: int, learnt: npt.NDArray[np.bool_] | None = None) -> Floats:
    """Decisions on every sentence by models that had not seen its group; learnt: rows they may see at all."""
    learnt = found.learnt if learnt is None else learnt
    fold = np.array([stable_hash("fold " + group) % FOLDS for group in found.groups])
    decision = np.zeros(len(fold))
    for number in range(FOLDS):
        rows = np.flatnonzero(fold == number)
        decision[rows] = fit_sentences(found, learnt & (fold != number), seed).decision(found.rows[rows])
    return decision


Rows = Callable[[Document], Floats]


def rows_of(found: Sentences, command: Floats, attack: Floats) -> Rows:
    """Gives the features of a document's sentences from the decisions on all sentences."""

    def rows(one: Document) -> Floats:
        own = [found.place[text] for text in one.texts]
        return oddity_features(one.texts, found.vectors[own], command[own], attack[own])

    return rows


def fit_forest(found: Sequence[Document], rows: Rows, seed: int) -> Trees:
    """Boosted trees over the sentences of the documents; every document weighs the same in its class."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    matrix = np.concatenate([rows(one) for one in found])
    labels = np.concatenate([one.told for one in found])
    weights = np.concatenate(
        [np.where(np.array(one.told) == 1, 1 / max(sum(one.told), 1), 1 / len(one.told)) for one in found]
    )
    for label in (0, 1):
        weights[labels == label] *= len(labels) / 2 / weights[labels == label].sum()
    model = HistGradientBoostingClassifier(
        max_iter=120, learning_rate=0.06, max_leaf_nodes=8, min_samples_leaf=60, l2_regularization=5.0,
        monotonic_cst=[1, 1, *[0] * (matrix.shape[1] - 2)], early_stopping=False, random_state=seed,
    )  # fmt: skip
    model.fit(matrix, labels, sample_weight=weights)
    return exported(model, np.arange(matrix.shape[1]))


def unseen_documents(found: Sequence[Document], rows: Rows, seed: int) -> Floats:
    """The highest decision in each document by a forest that had not seen its carrier."""
    fold = np.array([stable_hash("fold carrier " + one.carrier) % FOLDS for one in found])
    decision = np.zeros(len(found))
    for number in range(FOLDS):
        trees = fit_forest([one for one, own in zip(found, fold, strict=True) if own != number], rows, seed)
        for i in np.flatnonzero(fold == number).tolist():
            decision[i] = trees.decision(rows(found[i])).max()
    return decision


def platt(decision: Floats, labels: npt.NDArray[np.int64], weights: Floats) -> tuple[float, float]:
    """Slope and offset that calibrate the decisions at equal classes."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(decision[:, None], labels, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def threshold_at(probability: Floats, weights: Floats) -> float:
    """The probability that FALSE_ALARMS of the (harmless, weighted) rows reach."""
    return round(float(np.quantile(probability, 1 - FALSE_ALARMS, method="inverted_cdf", weights=weights)) + 5e-4, 3)


def train_injection(data: Path, encoder: Encoder, seed: int, output: Path) -> None:
    """Fits on the training part and writes the weight file. Raises InputError when a file cannot be read."""
    asked = prompts(data, encoder)
    direct = fit_prompts(asked, asked.learnt, seed)
    decision, weights = unseen_prompts(asked, seed), prompt_weights(asked, asked.learnt)
    rows = asked.learnt
    slope, offset = platt(decision[rows], asked.labels[rows], weights[rows])
    harmless = rows & (asked.labels == 0)
    asked_threshold = threshold_at(calibrated(decision[harmless], slope, offset), weights[harmless])

    texts = documents(data, seed)
    learnt = [one for one in texts if one.learnt]
    known = sentences_of(texts, encoder)
    command = fit_sentences(known, known.learnt, seed)
    attack = direct.decision(known.rows)
    seen = rows_of(known, unseen_sentences(known, seed), attack)
    trees = fit_forest(learnt, seen, seed)
    highest = unseen_documents(learnt, seen, seed)
    labels = np.array([one.label for one in learnt])
    equal = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    told_slope, told_offset = platt(highest, labels, equal)
    told = calibrated(highest, told_slope, told_offset)
    told_threshold = threshold_at(told[labels == 0], equal[labels == 0])
    print(f"contexts, unseen folds: AUROC {auroc(labels, highest):.3f}", file=sys.stderr)

    spans = [text for one in asked.examples for text, held in zip(one.judged, one.held_out, strict=True) if not held]
    spans += [one.whole for one in texts if not one.measured]
    save_weights(
        output,
        {
            "direct.coefficients": direct.coefficients,
            "command.coefficients": command.coefficients,
            **{key: getattr(trees, key).astype(np.int16) for key in ("feature", "left", "right")},
            "threshold": trees.threshold,
            "value": trees.value,
            "trained": np.array(sorted({fingerprint(text) for text in spans}), dtype=np.int64),
        },
        {
            "name": "injection",
            "direct": {"blocks": list(BLOCKS), "intercept": direct.intercept, "slope": slope, "offset": offset},
            "command": {"blocks": list(BLOCKS), "intercept": command.intercept, "slope": 1.0, "offset": 0.0},
            "context": {"baseline": trees.baseline, "depth": trees.depth, "slope": told_slope, "offset": told_offset},
            "thresholds": {PROMPT: asked_threshold, CONTEXT: told_threshold},
            "prior": PRIOR,
            "seed": seed,
            "sources": {one.source.name: one.source.licence for one in asked.examples},
        },
    )


def leave_attacks_out(data: Path, encoder: Encoder, seed: int) -> dict[str, float]:
    """Recall at FALSE_ALARMS on attacks of a kind that training lacked, by the source that was left out.

    For prompts the threshold is set on harmless prompts of unseen groups; for contexts on held-out documents without an
    instruction, and every labelled document with one counts.
    """
    found = prompts(data, encoder)
    edges = np.cumsum([0, *(len(one.labels) for one in found.examples)])
    figures = {}
    for one, start, end in zip(found.examples, edges, edges[1:], strict=False):
        if one.labels.any():
            left = np.zeros(len(found.labels), dtype=np.bool_)
            left[start:end] = one.labels == 1
            decision = found.highest(fit_prompts(found, found.learnt & ~left, seed))
            harmless = ~found.learnt & (found.labels == 0)
            limit = np.quantile(decision[harmless], 1 - FALSE_ALARMS)
            figures[one.source.name] = float((decision[left] > limit).mean())
    return {**figures, "labelled contexts": _labelled_contexts_left_out(data, encoder, found, seed)}


def _labelled_contexts_left_out(data: Path, encoder: Encoder, found: Prompts, seed: int) -> float:
    every = documents(data, seed)
    attacked = {one.whole for one in every if one.labelled and one.label}
    kept = [one for one in every if one.whole not in attacked]
    known = sentences_of(every, encoder)
    own = {
        text for one in every if one.whole in attacked for text, told in zip(one.texts, one.told, strict=True) if told
    }
    seen = known.learnt & np.array([text not in own for text in known.place])
    command = fit_sentences(known, seen, seed).decision(known.rows)
    attack = fit_prompts(found, found.learnt, seed).decision(known.rows)
    rows = rows_of(known, command, attack)
    trees = fit_forest(
        [one for one in kept if one.learnt], rows_of(known, unseen_sentences(known, seed, seen), attack), seed
    )
    highest = {one.whole: trees.decision(rows(one)).max() for one in every if one.whole in attacked or one.measured}
    clean = [highest[one.whole] for one in kept if one.measured and one.labelled]
    return float((np.array([highest[whole] for whole in attacked]) > np.quantile(clean, 1 - FALSE_ALARMS)).mean())
