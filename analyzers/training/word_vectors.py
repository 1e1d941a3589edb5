"""Word vectors in which synonyms lie close and opposites and sister terms apart, made from the encoder's own (seeded).

Attract-repel (Mrkšić et al. 2017, doi:10.1162/tacl_a_00063) with margins on cosines, and distances to random words kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.training.corruptions import EXCHANGES, NUMERALS
from analyzers.training.lexicon import Lexicon, inflected

DIMENSION = 96
STEPS = 700
BATCH = 2048
CLOSE, APART = 0.75, 0.1
"""Cosines that synonyms should reach, and that opposites and sister terms should not."""
SISTERS = 12
"""Sister terms of a word that are used, the first in the alphabet of their hashes."""

_ENDINGS = {"n": ("", "s"), "v": ("", "s", "ed", "ing"), "a": ("",), "r": ("",)}
Halves = npt.NDArray[np.float16]
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Words:
    """Whole words of the vocabulary. numbers: their places in it; basis, centre: the encoder's embedding of a word less
    the centre, times the basis, is its plain vector; close: its vector after training, float16 (words, DIMENSION)."""

    numbers: npt.NDArray[np.int32]
    basis: Halves
    centre: Halves
    close: Halves


@dataclass
class Relations:
    """Pairs of word numbers. close: with a weight; apart."""

    close: dict[tuple[int, int], float] = field(default_factory=dict)
    apart: set[tuple[int, int]] = field(default_factory=set)


def train_words(pieces: Sequence[str], table: Floats32, lexicon: Lexicon, seed: int) -> Words:
    """The vectors of every whole word of an encoder: its word pieces in order, and their embeddings (pieces, d).

    Takes half a minute on one core.
    """
    import torch

    numbers = np.array([i for i, word in enumerate(pieces) if len(word) > 1 and word.isalpha() and word.isascii()])
    names, embeddings = [pieces[i] for i in numbers], table[numbers]
    centre = embeddings.mean(axis=0)
    basis = _principal(embeddings - centre, seed)
    plain = torch.nn.functional.normalize(torch.tensor((embeddings - centre) @ basis), dim=1)
    found = relations(lexicon, {name: i for i, name in enumerate(names)})
    pulled = _attract_repel(plain, found, seed)
    return Words(
        numbers.astype(np.int32), basis.astype(np.float16), centre.astype(np.float16), pulled.numpy().astype(np.float16)
    )


def relations(lexicon: Lexicon, place: Mapping[str, int]) -> Relations:
    """What the lexicon says about words that have a place. A pair that is both close and apart is close."""
    found = Relations()
    for (lemma, pos), offsets in lexicon.senses.items():
        if lemma in place or inflected(lemma, "s") in place:
            _relate(found, lexicon, place, lemma, pos, offsets)
    for group in (*EXCHANGES, NUMERALS):
        for word in group:
            _put(found.apart, place, word, group)
    found.apart -= found.close.keys()
    return found


def _relate(
    found: Relations, lexicon: Lexicon, place: Mapping[str, int], lemma: str, pos: str, offsets: tuple[int, ...]
) -> None:
    uses = lexicon.counts.get(lemma, {})
    total = sum(uses.values()) or 1
    # A rare sense would tie words that mostly mean something else.
    senses = [o for n, o in enumerate(offsets[:4]) if not n or uses.get((pos, n + 1), 0) / total >= 0.15]
    synonyms = {word for offset in senses for word in lexicon.words.get((pos, offset), ())}
    sisters = sorted(lexicon.sisters(lemma, pos), key=lambda word: word[::-1])[:SISTERS]
    for ending in _ENDINGS[pos]:
        form = inflected(lemma, ending)
        _pull(found, place, lemma, [form], 2.0)
        _pull(found, place, form, [inflected(word, ending) for word in synonyms], 1.0)
        if pos in "nv":
            _pull(found, place, form, [inflected(word, ending) for word in lexicon.broader(lemma, pos)], 0.4)
        others = [*lexicon.antonyms(lemma, pos), *sisters]
        _put(found.apart, place, form, [inflected(word, ending) for word in others])
    if pos == "a":
        _pull(found, place, lemma, lexicon.similar(lemma, pos), 0.5)


def _pull(found: Relations, place: Mapping[str, int], word: str, others: Iterable[str], weight: float) -> None:
    pairs: set[tuple[int, int]] = set()
    _put(pairs, place, word, others)
    for pair in pairs:
        found.close[pair] = max(found.close.get(pair, 0.0), weight)


def _put(pairs: set[tuple[int, int]], place: Mapping[str, int], word: str, others: Iterable[str]) -> None:
    if word in place:
        here = place[word]
        pairs.update(
            (min(here, there), max(here, there)) for other in others if (there := place.get(other, here)) != here
        )


def _principal(rows: Floats32, seed: int) -> Floats32:
    """The first DIMENSION principal axes as columns, from a sample of the rows."""
    sample = np.random.default_rng(seed).choice(len(rows), min(6000, len(rows)), replace=False)
    axes: Floats32 = np.linalg.svd(rows[sample], full_matrices=False)[2][:DIMENSION].T
    return axes


def _attract_repel(plain: Any, found: Relations, seed: int) -> Any:
    import torch

    close = torch.tensor(sorted(found.close))
    weight = torch.tensor([found.close[pair] for pair in sorted(found.close)])
    apart = torch.tensor(sorted(found.apart))
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.nn.Parameter(plain.clone())
    optimizer = torch.optim.Adam([vectors], lr=2e-3)

    def cosine(source: Any, pairs: Any) -> Any:
        one, other = (torch.nn.functional.normalize(source[pairs[:, side]], dim=1) for side in (0, 1))
        return (one * other).sum(1)

    for _ in range(STEPS):
        near = torch.randint(len(close), (BATCH,), generator=generator)
        far = torch.randint(len(apart), (BATCH,), generator=generator)
        rest = torch.randint(len(plain), (2 * BATCH, 2), generator=generator)
        pull = (weight[near] * torch.relu(CLOSE - cosine(vectors, close[near]))).mean()
        push = torch.relu(cosine(vectors, apart[far]) - APART).mean()
        keep = ((cosine(vectors, rest) - cosine(plain, rest).clamp(max=0.3)) ** 2).mean()
        loss = pull + push + 2 * keep + 0.02 * ((vectors - plain) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.nn.functional.normalize(vectors.detach(), dim=1)
