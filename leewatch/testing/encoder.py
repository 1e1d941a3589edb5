"""An encoder without a model: texts that share words get similar vectors. For tests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from leewatch.contracts import Vectors


class HashingEncoder:
    """An `Encoder` that sums a fixed pseudo-random vector per word. The same text gives the same vector
    everywhere. `calls` counts the texts it was asked for.
    """

    def __init__(self, dimension: int = 384) -> None:
        self._dimension = dimension
        self._words: dict[str, Vectors] = {}
        self.calls = 0

    @property
    def model(self) -> str:
        return f"hashing-{self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 (n, dimension); a text without a word counts as one empty word."""
        self.calls += len(texts)
        result = np.zeros((len(texts), self._dimension), dtype=np.float32)
        for i, text in enumerate(texts):
            total = np.sum([self._vector(word) for word in re.findall(r"\w+", text.lower()) or [""]], axis=0)
            result[i] = total / max(float(np.linalg.norm(total)), 1e-12)
        return result

    def _vector(self, word: str) -> Vectors:
        if word not in self._words:
            seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "big")
            self._words[word] = np.random.default_rng(seed).standard_normal(self._dimension).astype(np.float32)
        return self._words[word]
