"""Real texts as vectors, embedded once and cached; pools of them that share no text."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from leewatch.contracts import Vectors

Rows = npt.NDArray[np.int64]
NO_DOMAIN = "oos"
"""CLINC's texts that belong to no intent."""
EMBEDDED_AT_ONCE = 256


@dataclass(frozen=True)
class Texts:
    """vectors float32 (n, d) and the domain of each; keys uint64 (n,) stand for the user, one for each text."""

    vectors: Vectors
    domains: npt.NDArray[np.str_]

    @property
    def keys(self) -> npt.NDArray[np.uint64]:
        return np.arange(1, len(self.vectors) + 1, dtype=np.uint64) * np.uint64(2654435761)

    def of(self, domain: str) -> Rows:
        """Rows of a domain."""
        return np.flatnonzero(self.domains == domain)

    @property
    def named(self) -> list[str]:
        """Domains that are topics."""
        return [str(domain) for domain in np.unique(self.domains) if domain != NO_DOMAIN]


@dataclass(frozen=True)
class Split:
    """Pools without a common text: what is known when the map is fitted, and what later traffic is drawn from."""

    fitted: Rows
    stream: Rows


def load(data: Path, cache: Path) -> Texts:
    """CLINC150 as vectors of the default encoder. data: directory with clinc150.jsonl.gz; cache: where vectors are kept."""
    kept = cache / "clinc150.npz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with gzip.open(data / "clinc150.jsonl.gz") as file:
            rows = [orjson.loads(line) for line in file]
        vectors = _encode([row["text"] for row in rows])
        np.savez(kept, x=vectors, domain=np.array([row["domain"] or NO_DOMAIN for row in rows]))
    with np.load(kept) as found:
        return Texts(found["x"].astype(np.float32), found["domain"])


def _encode(texts: list[str]) -> Vectors:
    from analyzers.encoder import create_encoder

    encoder = create_encoder()
    parts = [texts[start : start + EMBEDDED_AT_ONCE] for start in range(0, len(texts), EMBEDDED_AT_ONCE)]
    return np.concatenate([encoder.encode(part) for part in parts])


def split(texts: Texts, left_out: str, rng: np.random.Generator) -> Split:
    """All texts but those of one domain ("" for none), in two halves at random."""
    known = rng.permutation(np.flatnonzero(texts.domains != left_out))
    return Split(known[: len(known) // 2], known[len(known) // 2 :])
