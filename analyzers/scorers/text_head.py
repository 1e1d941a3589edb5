"""A linear model over a text's embedding and its hashed word and letter sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analyzers.scorers.normalize import plain, spell_emoji, unmasked
from leewatch.contracts import Encoder, Vectors

BUCKETS = 2**17
OPENING_WORDS = 40
BODY_WORDS = 250


def _cut(limit: int) -> Callable[[str], str]:
    return lambda text: " ".join(plain(text).split()[:limit])


_WORDS = r"(?u)\b\w[\w']*\b"
_WORDS_AND_SIGNS = r"(?u)\b\w+\b|[^\w\s]"
LETTERS = "letters"
_BLOCKS: Mapping[str, Mapping[str, Any]] = {
    "words": {"token_pattern": _WORDS_AND_SIGNS, "ngram_range": (1, 2), "preprocessor": plain},
    LETTERS: {"analyzer": "char_wb", "ngram_range": (2, 5), "lowercase": False, "norm": None},
    "body": {"token_pattern": _WORDS, "ngram_range": (1, 3), "preprocessor": _cut(BODY_WORDS)},
    "opening": {"token_pattern": _WORDS, "ngram_range": (1, 3), "preprocessor": _cut(OPENING_WORDS)},
    "presence": {"token_pattern": _WORDS, "ngram_range": (1, 3), "preprocessor": plain, "norm": None, "binary": True},
}
_SCALE = {"presence": 0.05}
"""`presence` rows are not of unit length: scaled so that a text of 400 n-grams weighs as much as a unit row."""


@cache
def _vectorizer(block: str) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(**{"n_features": BUCKETS, "alternate_sign": False, "norm": "l2", **_BLOCKS[block]})


def features(texts: Sequence[str], vectors: Vectors | None, blocks: Sequence[str]) -> sparse.csr_matrix:
    """One row per text, float64 (n, D): the hashed n-grams of every block, then the embedding, if any, as the last
    columns."""
    parts = [
        _letters(texts) if block == LETTERS else _vectorizer(block).transform(texts) * _SCALE.get(block, 1.0)
        for block in blocks
    ]
    if vectors is not None:
        parts.append(sparse.csr_matrix(vectors, dtype=np.float64))
    return sparse.csr_matrix(sparse.hstack(parts))


def _letters(texts: Sequence[str]) -> sparse.csr_matrix:
    """Rows of unit length of the letter n-grams within words.

    The n-grams of a word are hashed once, however often it stands in the texts: in a batch most words come again.
    """
    numbers: dict[str, int] = {}
    found = [[numbers.setdefault(word, len(numbers)) for word in unmasked(text).split()] for text in texts]
    edges = np.cumsum([0, *map(len, found)])
    places = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(edges[-1]))
    counts = sparse.csr_matrix((np.ones(len(places)), places, edges), shape=(len(texts), len(numbers)))
    if not numbers:
        return sparse.csr_matrix((len(texts), BUCKETS))
    rows = sparse.csr_matrix(counts @ _vectorizer(LETTERS).transform(list(numbers)))
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1.0)) @ rows)


def embed(texts: Sequence[str], encoder: Encoder) -> Vectors:
    """Unit vectors of the texts, float32 (n, d), with emoji spelled out (the encoder's vocabulary has almost none)."""
    return encoder.encode([spell_emoji(text) for text in texts])


@dataclass(frozen=True, slots=True)
class TextHead:
    """A fitted model. `probability` is calibrated at the prior that the weights' settings state."""

    blocks: tuple[str, ...]
    coefficients: npt.NDArray[np.float64]
    intercept: float
    slope: float
    offset: float

    def decision(self, rows: Any) -> npt.NDArray[np.float64]:
        """Log odds before calibration of rows of `features`, float64 (n,)."""
        found: npt.NDArray[np.float64] = rows @ self.coefficients + self.intercept
        return found

    def probability(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probability of the flagged class per text by its n-grams alone, float64 (n,) in [0, 1]; (0,) for no text."""
        if not texts:
            return np.zeros(0)
        return calibrated(self.decision(features(texts, None, self.blocks)), self.slope, self.offset)


def calibrated(decision: npt.NDArray[np.float64], slope: float, offset: float) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-(slope * decision + offset))): Platt 1999, "Probabilistic outputs for support vector machines"."""
    scaled: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(slope * decision + offset, -30.0, 30.0)))
    return scaled


def text_head(tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any], part: str = "") -> TextHead:
    """The model that a weight file describes; `part`: which one, where the file holds several."""
    own = settings[part] if part else settings
    return TextHead(
        blocks=tuple(own["blocks"]),
        coefficients=tensors[f"{part}.coefficients" if part else "coefficients"].astype(np.float64),
        intercept=float(own["intercept"]),
        slope=float(own["slope"]),
        offset=float(own["offset"]),
    )
