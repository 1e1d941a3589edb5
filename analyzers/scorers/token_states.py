"""Sentences to the states of their word pieces and their vectors, by the layers of all-MiniLM-L6-v2."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from analyzers.encoder import SentenceEncoder, behind, create_encoder
from analyzers.model_files import DEFAULT_MODEL
from analyzers.packed import Halves
from leewatch.contracts import Encoder, Vectors

MAX_PIECES = 100
"""Word pieces read of a sentence."""
LAYERS = (3,)
"""Layers whose states are read, beside the last."""
CACHE_PIECES = 100_000
"""Word pieces of recent sentences that are remembered, 150 MB at most: contexts come again."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class States:
    """A sentence. pieces: vocabulary numbers (n,); states: float16 (n, 768), after the last and a middle layer;
    vector: float32 (384,), unit length, the mean of the last layer."""

    pieces: Ints
    states: Halves
    vector: Vectors


class Reads(Protocol):
    """Whatever gives the states of sentences."""

    def read(self, texts: Sequence[str]) -> list[States]:
        """The states of each text, in order."""


def trunk(encoder: Encoder) -> SentenceEncoder:
    """all-MiniLM-L6-v2: the given encoder where it is that one, else another one on the same device.

    Raises ModelNotFoundError when the model is neither installed nor on the hub.
    """
    own = behind(encoder)
    if isinstance(own, SentenceEncoder) and own.model == DEFAULT_MODEL:
        return own
    made = create_encoder(device=str(getattr(own, "device", "cpu")))
    assert isinstance(made, SentenceEncoder)
    return made


class TokenEncoder:
    """Reads sentences. Not to be shared between threads."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self._encoder = encoder
        self._cache: OrderedDict[str, States] = OrderedDict()
        self._cached = 0

    def read(self, texts: Sequence[str]) -> list[States]:
        """The states of each text, in order."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._cache))
        fresh = dict(zip(missing, self._read(missing), strict=True))
        found = [fresh[text] if text in fresh else self._cache[text] for text in texts]
        for text, states in fresh.items():
            self._cache[text] = states
            self._cached += len(states.pieces)
        while self._cached > CACHE_PIECES:
            self._cached -= len(self._cache.popitem(last=False)[1].pieces)
        return found

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Where each word piece stands in the text, (start, end)."""
        return self._encoder.token_places(text)[:MAX_PIECES]

    def vocabulary(self) -> tuple[list[str], Vectors]:
        """All word pieces in the order of their numbers, and the embedding of each, float32 (pieces, d)."""
        return self._encoder.word_embeddings()

    def _read(self, texts: Sequence[str]) -> list[States]:
        """Their vectors are kept by the encoder too: other scorers ask for those of the same sentences."""
        if not texts:
            return []
        ids = self._encoder.token_ids(texts)
        cut = [one[:MAX_PIECES] for one in ids]
        found = [_states(one, states) for one, states in zip(cut, self._encoder.token_states(cut, LAYERS), strict=True)]
        whole = {
            text: one.vector for text, one, all_ids in zip(texts, found, ids, strict=True) if len(all_ids) <= MAX_PIECES
        }
        self._encoder.remember(whole)
        return found


def _states(pieces: Sequence[int], states: Halves) -> States:
    width = states.shape[1] // 2
    mean = states[:, width:].mean(axis=0, dtype=np.float32)
    vector = mean / np.float32(max(float(np.linalg.norm(mean)), 1e-12))
    swapped = np.concatenate([states[1:-1, width:], states[1:-1, :width]], axis=1)
    return States(np.array(pieces, dtype=np.int64), swapped, vector)


def mean_vector(sentences: Sequence[States]) -> Vectors:
    """Unit vector of some sentences together, by their length, float32 (d,)."""
    total: Vectors = np.sum([one.vector * max(len(one.pieces), 1) for one in sentences], axis=0, dtype=np.float32)
    return total / np.float32(max(float(np.linalg.norm(total)), 1e-12))
