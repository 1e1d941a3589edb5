"""The features that drift is sought in: fitted once on a reference, cheap to compute for every window after it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np

from analyzers.drift.blocks import Keys, block_sums
from analyzers.drift.device import NUMPY
from analyzers.drift.novelty import Folds, distances, surprise
from analyzers.drift.reference import Values
from analyzers.drift.scan import Group
from leewatch.contracts import Vectors

VERSION = "1"
ANCHORS = 4000
"""Reference texts that novelty is measured against; more cost time for every window and add little."""
SPACE = 128
"""Principal components that distances are taken in."""
TOPICS = 192
"""Uncorrelated directions of the plain embedding that are tested."""
NOVEL = 128
"""The same of the texts that are like nothing known."""
ROWS_PER_DIRECTION = 10
"""Reference rows that each direction needs, so that its variance outside the reference is about that within."""
RIDGE = 1.0
"""In units of the mean variance of the directions. On CLINC prompts 1.0 has more power than 0.1 and than none."""
NOVEL_FROM = float(np.log(5.0))
"""Surprise from which a row counts as novel: a fifth of the reference's own rows. On CLINC prompts the sum over these rows
has twice the power of the sum over all rows for a new topic; a tenth, and weights that grow with surprise, have less."""
NO_VARIANCE = 1e-9
"""Variance of unit vectors below which a direction is rounding: the texts are all the same."""
LEAST_SPREAD = 0.25
"""Least variance of a feature that had variance 1 in the reference."""
TAILS = (1.0, 2.0)
"""Levels of surprise whose exceedances are counted: about 37 % and 14 % of healthy rows."""
NOVEL_SAFETY = 1.4
"""Few rows are novel and some of them are nearly alike: at 1.25, five simulated months had 1.4 false alarms at a budget of 1."""
TAIL_SAFETY = 1.5
"""Counts of rare rows are skewed: their far tail is longer than that of the normal law."""


@dataclass(frozen=True)
class Layer:
    """Uncorrelated coordinates of unit variance. center (k,), directions (k, p), weights (p,) of their squares."""

    center: Vectors
    directions: Vectors
    weights: Values

    def apply(self, rows: Vectors) -> Vectors:
        """Coordinates float32 (n, p)."""
        return np.asarray((rows - self.center) @ self.directions, dtype=np.float32)


@dataclass(frozen=True)
class FeatureMap:
    """Turns vectors into features. Immutable; its id is the hash of its arrays.

    space: principal components for distances. anchors float32 (a, q) and their folds. known float64 (m,): sorted
    distances of the reference's rows. rows: reference rows it was fitted on.
    """

    space: Layer
    anchors: Vectors
    anchor_folds: Folds
    known: Values
    topics: Layer
    novel: Layer
    rows: int

    @property
    def groups(self) -> list[Group]:
        """The groups of features, as `scan` takes them."""
        topics, novel = self.topics.weights, self.novel.weights
        first, second = len(topics), len(topics) + len(novel)
        groups = [Group("topics", slice(0, first), topics), Group("novel", slice(first, second), novel, NOVEL_SAFETY)]
        tails = slice(second, second + len(TAILS))
        return [
            group for group in [*groups, Group("tail", tails, np.ones(len(TAILS)), TAIL_SAFETY)] if len(group.weights)
        ]

    @property
    def width(self) -> int:
        """Features of a row."""
        return len(self.topics.weights) + len(self.novel.weights) + len(TAILS)

    @property
    def floor(self) -> Values:
        """Least variance per row of each feature: few rows may show none where there is some."""
        shares = np.exp(-np.array(TAILS))
        return np.concatenate([np.full(self.width - len(TAILS), LEAST_SPREAD), shares * (1 - shares)])

    def transform(self, vectors: Vectors, folds: Folds, device: str = NUMPY) -> Vectors:
        """Features float32 (n, k) of vectors float32 (n, d); their mean over the reference is about 0."""
        low = located(vectors, self.space)
        return self._features(
            vectors, surprise(distances(low, folds, self.anchors, self.anchor_folds, device), self.known)
        )

    def _features(self, vectors: Vectors, novelty: Values) -> Vectors:
        plain = self.topics.apply(vectors)
        tails = (novelty[:, None] >= np.array(TAILS)).astype(np.float32) - np.exp(-np.array(TAILS, np.float32))
        return np.concatenate([plain, self.novel.apply(weighted(plain, novelty)), tails], axis=1)

    def to_bytes(self) -> bytes:
        """The map's arrays, to be read by `from_bytes`."""
        buffer = io.BytesIO()
        arrays = {"anchors": self.anchors.astype(np.float16), "anchor_folds": self.anchor_folds, "known": self.known}
        for name in ("space", "topics", "novel"):
            layer: Layer = getattr(self, name)
            arrays |= {f"{name}_center": layer.center, f"{name}_directions": layer.directions}
            arrays |= {f"{name}_weights": layer.weights}
        np.savez(buffer, rows=np.array(self.rows), **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> FeatureMap:
        with np.load(io.BytesIO(content), allow_pickle=False) as data:
            layers = {
                name: Layer(data[f"{name}_center"], data[f"{name}_directions"], data[f"{name}_weights"])
                for name in ("space", "topics", "novel")
            }
            anchors = data["anchors"].astype(np.float32)
            return cls(
                layers["space"], anchors, data["anchor_folds"], data["known"], layers["topics"], layers["novel"],
                int(data["rows"]),
            )  # fmt: skip

    @property
    def id(self) -> str:
        """The same arrays give the same id."""
        return hashlib.blake2b(VERSION.encode() + self.to_bytes(), digest_size=8).hexdigest()


def fit(vectors: Vectors, folds: Folds, keys: Keys, device: str = NUMPY) -> FeatureMap:
    """The map for a reference float32 (n, d), n >= 2, whose rows have these folds and blocks. Deterministic.

    Directions are made uncorrelated over blocks, not rows: the calls of a session share a topic, so that sums vary more
    along differences between topics than the rows themselves do.
    """
    most = max(len(vectors) // ROWS_PER_DIRECTION, 1)
    space = _principal(vectors, min(SPACE, most))
    low = located(vectors, space)
    anchors, anchor_folds = low[:ANCHORS].astype(np.float16).astype(np.float32), folds[:ANCHORS]
    far = distances(low, folds, anchors, anchor_folds, device)
    known = np.sort(far)
    topics = _whitening(vectors, keys, min(TOPICS, most))
    novel = _whitening(weighted(topics.apply(vectors), surprise(far, known)), keys, min(NOVEL, most // 5))
    return FeatureMap(space, anchors, anchor_folds, known, topics, novel, len(vectors))


def located(vectors: Vectors, space: Layer) -> Vectors:
    """Where each row lies for distances, float32 (n, q + 1): its principal components, and its distance from them.

    The last tells a text that is unlike all of the reference's directions, when those are few (templated texts).
    """
    inside = space.apply(vectors)
    rest = ((vectors - space.center) ** 2).sum(axis=1) - (inside**2).sum(axis=1)
    return np.concatenate([inside, np.sqrt(np.maximum(rest, 0.0))[:, None]], axis=1)


def weighted(plain: Vectors, novelty: Values) -> Vectors:
    """The coordinates of novel rows, 0 for all others: sums over them compare only what is like nothing known."""
    return np.asarray(plain * (novelty >= NOVEL_FROM)[:, None].astype(np.float32))


def _principal(rows: Vectors, most: int) -> Layer:
    """The `most` widest orthogonal directions, unscaled."""
    center, _, directions = _eigen(rows, None, most)
    return Layer(center, directions, np.ones(directions.shape[1]))


def _whitening(rows: Vectors, keys: Keys, most: int) -> Layer:
    """The `most` widest directions scaled to unit variance, with ridge weights (Chen et al. 2011, JASA 106(496))."""
    center, variances, directions = _eigen(rows, keys, most)
    if not len(variances):
        return Layer(center, directions, variances)
    weights = variances / (variances + RIDGE * float(variances.mean()))
    return Layer(center, (directions / np.sqrt(variances)).astype(np.float32), weights)


def _eigen(rows: Vectors, keys: Keys | None, most: int) -> tuple[Vectors, Values, Vectors]:
    center = rows.mean(axis=0, dtype=np.float64)
    centered = rows - center if keys is None else block_sums(rows - center, keys)
    variances, directions = np.linalg.eigh((centered.T @ centered) / len(rows))
    order = np.argsort(-variances)[:most]
    order = order[variances[order] > max(1e-6 * float(variances.max(initial=0.0)), NO_VARIANCE)]
    return center.astype(np.float32), variances[order], directions[:, order].astype(np.float32)
