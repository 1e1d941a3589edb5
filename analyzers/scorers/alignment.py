"""Lays each word piece of a claim beside its evidence and judges whether it is supported: a small attention model.

After the decomposable attention model (Parikh et al. 2016, arXiv:1606.01933, sec. 3) over states of the encoder, with word
vectors in which synonyms lie close and opposites apart (`analyzers.training.word_vectors`). Evaluated with numpy alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.scorers.english import STOPWORDS
from analyzers.scorers.grounding import Tokens, stem
from analyzers.scorers.token_states import States

EVIDENCE_PIECES = 160
"""Word pieces of context that a claim is laid beside: the most relevant sentences."""
CLAIM_PIECES = 64
REMEMBERED = 2_000
"""Sentences whose projections are remembered, 30 MB at most: the sentences of a context serve every claim."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Vocabulary:
    """What is known of each word piece by its number: stems as numbers, whether it is a stop word or has a digit, and
    its plain vector and the one in which synonyms lie close, float16 (pieces, d), zero for parts of words."""

    stems: Ints
    stop: npt.NDArray[np.bool_]
    digit: npt.NDArray[np.bool_]
    plain: npt.NDArray[np.float16]
    close: npt.NDArray[np.float16]


def vocabulary(pieces: Sequence[str], embeddings: Floats, tensors: Mapping[str, npt.NDArray[Any]]) -> Vocabulary:
    """The vocabulary of an encoder: its pieces in the order of their numbers, and their embeddings (pieces, d)."""
    numbered: dict[str, int] = {}
    stems = [numbered.setdefault(stem(piece.lstrip("#")), len(numbered)) for piece in pieces]
    numbers = tensors["words.numbers"].astype(np.int64)
    close = np.zeros((len(pieces), tensors["words.close"].shape[1]), dtype=np.float16)
    close[numbers] = tensors["words.close"]
    own = embeddings[numbers] - tensors["words.centre"].astype(np.float32)
    own = own @ tensors["words.basis"].astype(np.float32)
    plain = np.zeros_like(close)
    plain[numbers] = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9)
    stop = [piece in STOPWORDS or not any(sign.isalnum() for sign in piece) for piece in pieces]
    digit = [any(sign.isdigit() for sign in piece) for piece in pieces]
    return Vocabulary(np.array(stems), np.array(stop), np.array(digit), plain, close)


def evidence_for(claim: States, own: Tokens, parts: Sequence[States], tokens: Sequence[Tokens]) -> list[int]:
    """The context's sentences that a claim is laid beside, in order: the most relevant within EVIDENCE_PIECES.

    Relevance is the cosine of the vectors plus half the share of the claim's stems that the sentence has.
    """
    shared = np.array([len(own.stem_set & part.stem_set) for part in tokens]) / max(len(own.stem_set), 1)
    relevance = np.stack([part.vector for part in parts]) @ claim.vector + 0.5 * shared
    chosen: list[int] = []
    left = EVIDENCE_PIECES
    for i in np.argsort(-relevance, kind="stable").tolist():
        if not chosen or len(parts[i].pieces) <= left:
            chosen.append(i)
            left -= len(parts[i].pieces)
        if left < 6:
            break
    return sorted(chosen)


WORD_FEATURES = 12


def word_features(claim: Ints, evidence: Ints, known: Vocabulary) -> Floats:
    """What the words alone tell about each piece of the claim, float32 (n, WORD_FEATURES).

    Same piece, same stem, stop word, digit; best cosine to a word of the evidence, in close and in plain vectors; how
    much less close the best is than it is alike, and at most; closeness of the most alike word; known word; and whether
    the pieces before and after have their stems in the evidence.
    """
    found = np.zeros((len(claim), WORD_FEATURES), dtype=np.float32)
    content = evidence[~known.stop[evidence]]
    close, plain = (
        table[claim].astype(np.float32) @ table[content].astype(np.float32).T
        if len(content)
        else np.zeros((len(claim), 1), dtype=np.float32)
        for table in (known.close, known.plain)
    )
    same_stem = np.isin(known.stems[claim], known.stems[evidence]).astype(np.float32)
    found[:, 0] = np.isin(claim, evidence)
    found[:, 1] = same_stem
    found[:, 2] = known.stop[claim]
    found[:, 3] = known.digit[claim]
    found[:, 4] = close.max(1)
    found[:, 5] = plain.max(1)
    found[:, 6] = found[:, 5] - found[:, 4]
    found[:, 7] = (plain - close).max(1)
    found[:, 8] = close[np.arange(len(claim)), plain.argmax(1)]
    found[:, 9] = known.close[claim].any(1)
    found[:, 10] = np.concatenate([[1.0], same_stem[:-1]])
    found[:, 11] = np.concatenate([same_stem[1:], [1.0]])
    return found


SUMMARY = 8
"""Numbers that describe a claim as a whole, beside its pieces."""


@dataclass(frozen=True)
class Judgement:
    """log_odds: that the claim is not supported; worst: log odds of its worst piece."""

    log_odds: float
    worst: float


class Alignment:
    """The fitted model. `judge` is deterministic. Not to be shared between threads: it remembers sentences."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[Any]], known: Vocabulary) -> None:
        self._known = known
        self._weights = {
            name.removeprefix("align."): tensor.astype(np.float32)
            for name, tensor in tensors.items()
            if name.startswith("align.")
        }
        self._seen: OrderedDict[bytes, tuple[Floats, Floats]] = OrderedDict()

    def judge(self, claim: States, evidence: Sequence[States]) -> Judgement:
        """How far the evidence (at least one sentence) leaves the claim unsupported."""
        pieces, other = claim.pieces[:CLAIM_PIECES], np.concatenate([one.pieces for one in evidence])
        if not len(pieces) or not len(other):
            return Judgement(0.0, 0.0)
        words = word_features(pieces, other, self._known)
        same = (self._known.stems[pieces][:, None] == self._known.stems[other][None, :]).astype(np.float32)
        own, beside = self._projected(claim), [self._projected(one) for one in evidence]
        logits, similar = self._pieces(
            (own[0][: len(pieces)], own[1][: len(pieces)]),
            (np.concatenate([query for query, _ in beside]), np.concatenate([value for _, value in beside])),
            words,
            same,
        )
        summary = summarized(logits, similar, words)
        whole = float(np.logaddexp.reduce(logits))
        whole += float(summary @ self._weights["summary.weight"][0] + self._weights["summary.bias"][0])
        return Judgement(whole, float(logits.max()))

    def _projected(self, sentence: States) -> tuple[Floats, Floats]:
        """Unit queries and values of a sentence's pieces; a sentence is read alone, so equal pieces have equal states."""
        key = sentence.pieces.tobytes()
        found = self._seen.get(key)
        if found is None:
            states, weights = sentence.states.astype(np.float32), self._weights
            found = (
                _unit(states @ weights["query.weight"].T),
                states @ weights["value.weight"].T + weights["value.bias"],
            )
            self._seen[key] = found
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def _pieces(
        self, own: tuple[Floats, Floats], beside: tuple[Floats, Floats], words: Floats, same: Floats
    ) -> tuple[Floats, Floats]:
        """Log odds of each piece of the claim (n,), and its best cosine to a piece of the evidence (n,)."""
        weights = self._weights
        (one, value), (other, values) = own, beside
        similar = one @ other.T
        attention = similar * np.exp(weights["sharpness"]) + weights["stem_bonus"] * same
        attention = np.exp(attention - attention.max(1, keepdims=True))
        attention /= attention.sum(1, keepdims=True)
        met = attention @ values
        best = similar.max(1)
        joined = np.concatenate(
            [value, met, np.abs(value - met), value * met, words, best[:, None], (attention**2).sum(1)[:, None]], axis=1
        )
        hidden = _gelu(joined @ weights["hidden.weight"].T + weights["hidden.bias"])
        return hidden @ weights["out.weight"][0] + weights["out.bias"][0], best


def summarized(logits: Floats, similar: Floats, words: Floats) -> Floats:
    """The SUMMARY numbers of a claim from its pieces: length, share of new stems, similarity, worst pieces."""
    content = 1.0 - words[:, 2]
    many = max(float(content.sum()), 1.0)
    new = float(((1.0 - words[:, 1]) * content).sum())
    second = float(np.sort(logits)[-2]) / 4 if len(logits) > 1 else -5.0
    return np.array([
        np.log1p(len(logits)), new / many, float((similar * content).sum()) / many, similar.min(),
        float((1.0 / (1.0 + np.exp(-logits))).mean()), float((words[:, 6] * content).sum()) / many, min(new, 8.0) / 4,
        second,
    ], dtype=np.float32)  # fmt: skip


def _unit(rows: Floats) -> Floats:
    scaled: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return scaled


def _gelu(values: Floats) -> Floats:
    from scipy.special import erf

    activated: Floats = values * 0.5 * (1.0 + erf(values / np.sqrt(2.0).astype(np.float32)))
    return activated
