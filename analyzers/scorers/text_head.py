"""A linear model over a text's embedding and its hashed word and letter sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analyzers.scorers.normalize import plain, spell_emoji, unmasked
from analyzers.scorers.weight_files import WeightFile
from leewatch.contracts import Encoder, Vectors

BUCKETS = 2**17
OPENING_WORDS = 40
BODY_WORDS = 250


def _cut(limit: int) -> Callable[[str], str]:
    return lambda text: " ".join(plain(text).split()[:limit])


_WORDS = r"(?u)\b\w[\w']*\b"
_WORDS_AND_SIGNS = r"(?u)\b\w+\b|[^\w\s]"
_BLOCKS: Mapping[str, Mapping[str, Any]] = {
    "words": {"token_pattern": _WORDS_AND_SIGNS, "ngram_range": (1, 2), "preprocessor": plain},
    "letters": {"analyzer": "char_wb", "ngram_range": (2, 5), "preprocessor": unmasked},
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


def features(texts: Sequence[str], vectors: Vectors, blocks: Sequence[str]) -> sparse.csr_matrix:
    """One row per text, float64 (n, D): the hashed n-grams of every block, then the embedding as the last columns."""
    parts = [_vectorizer(block).transform(texts) * _SCALE.get(block, 1.0) for block in blocks]
    return sparse.csr_matrix(sparse.hstack([*parts, sparse.csr_matrix(vectors, dtype=np.float64)]))


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

    def probability(self, texts: Sequence[str], encoder: Encoder) -> npt.NDArray[np.float64]:
        """Probability of the flagged class per text, float64 (n,) in [0, 1]; (0,) for no text."""
        if not texts:
            return np.zeros(0)
        decision = features(texts, embed(texts, encoder), self.blocks) @ self.coefficients + self.intercept
        return calibrated(decision, self.slope, self.offset)


def calibrated(decision: npt.NDArray[np.float64], slope: float, offset: float) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-(slope * decision + offset))): Platt 1999, "Probabilistic outputs for support vector machines"."""
    scaled: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.clip(slope * decision + offset, -30.0, 30.0)))
    return scaled


def text_head(weights: WeightFile) -> TextHead:
    """The model that the weights describe."""
    return TextHead(
        blocks=tuple(weights.settings["blocks"]),
        coefficients=weights.tensors["coefficients"].astype(np.float64),
        intercept=float(weights.settings["intercept"]),
        slope=float(weights.settings["slope"]),
        offset=float(weights.settings["offset"]),
    )
