"""What a claim shares with the text that should support it: the features of the groundedness model (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from analyzers.scorers.english import FIRST_PERSON, NEGATIONS, OPINION, PLEASANTRY, STOPWORDS
from analyzers.scorers.sentences import words
from leewatch.contracts import Vectors

Floats = npt.NDArray[np.float64]

_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "edly", "ied", "ies", "ed", "es", "ly", "s")


@lru_cache(maxsize=50_000)  # a few thousand words make most of any text
def stem(word: str) -> str:
    """The word in lower case without its commonest English endings: `Delivered`, `delivers` and `delivery` meet."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        word = word[:-1]
    return word.rstrip("ey") if len(word) > 4 else word


@dataclass(frozen=True)
class Tokens:
    """A text taken apart. raw: its words as written; stems: of content words, in order. Of a context's sentences little is
    asked for, so the rest is found when it is."""

    text: str
    raw: tuple[str, ...]
    stems: tuple[str, ...]

    @cached_property
    def all_words(self) -> tuple[str, ...]:
        """In lower case."""
        return tuple(map(_plain, self.raw))

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Where each of `all_words` stands among them."""
        found: dict[str, list[int]] = {}
        for i, word in enumerate(self.all_words):
            found.setdefault(word, []).append(i)
        return found

    @cached_property
    def stem_set(self) -> frozenset[str]:
        return frozenset(self.stems)

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset(pairwise(self.stems))

    @cached_property
    def numbers(self) -> frozenset[str]:
        return frozenset(
            word.replace(",", "")
            for word in self.all_words
            if not word.isalpha() and any(letter.isdigit() for letter in word)
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Capitalized words that do not open the text, as stems."""
        return frozenset(stem(word) for word in self.raw[1:] if word[0].isupper() and word.lower() not in STOPWORDS)

    @cached_property
    def grams(self) -> frozenset[str]:
        """Of four letters of the stems, shorter stems as they are."""
        return frozenset(word[i : i + 4] for word in self.stems for i in range(max(1, len(word) - 3)))

    @cached_property
    def negated(self) -> bool:
        return not NEGATIONS.isdisjoint(self.all_words)


def tokens(text: str) -> Tokens:
    """The text taken apart."""
    raw = tuple(words(text))
    return Tokens(text, raw, tuple(stem(word) for word in map(_plain, raw) if word not in STOPWORDS))


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")


CLAIM_FEATURES = (
    "length", "novel_share", "novel_count", "novel_words", "novel_numbers", "novel_names", "novel_pairs", "uncovered",
    "run", "distance", "distance_top3", "distance_mean", "negation", "first_person", "question", "opinion",
    "from_prompt", "pleasantry", "novel_grams",
)  # fmt: skip
"""Columns of `claim_features`, in order. Shares lie in [0, 1]; 0 = fully supported where a direction exists."""

RISING = frozenset({
    "novel_share", "novel_count", "novel_words", "novel_numbers", "novel_names", "novel_pairs", "uncovered", "run",
    "distance", "distance_top3", "distance_mean", "negation", "novel_grams",
})  # fmt: skip
"""Columns of which more never makes a claim better supported: the model is held to be monotone in them."""

WORST = (
    "novel_share", "novel_words", "novel_numbers", "novel_names", "uncovered", "distance", "negation", "run",
    "novel_grams", "novel_pairs",
)  # fmt: skip
WORST_FEATURES = (*(f"worst_{name}" for name in WORST), "sentences", "context_words", "context_stems", "content_share")
"""Columns that `response_features` adds: the worst sentence's value of each of WORST, then sizes (log(1 + count))."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The context, taken apart whole and by sentence. `vectors`: float32 (sentences, d), unit length."""

    whole: Tokens
    parts: tuple[Tokens, ...]
    vectors: Vectors


def claim_features(claim: Tokens, vector: Vectors, evidence: Evidence, prompt: Tokens) -> list[float]:
    """The columns CLAIM_FEATURES of one claim (a sentence or a whole response), from its unit vector and evidence."""
    whole = evidence.whole
    novel = [word for word in claim.stems if word not in whole.stem_set]
    n_content = max(len(claim.stems), 1)
    n_words = max(len(claim.all_words), 1)
    similarities = np.sort(evidence.vectors @ vector)[::-1]
    mean = evidence.vectors.mean(axis=0)
    mean_similarity = float(mean @ vector) / max(float(np.linalg.norm(mean)), 1e-9)
    best = evidence.parts[int(np.argmax(evidence.vectors @ vector))]
    coverage = max(len(claim.stem_set & part.stem_set) for part in evidence.parts) / max(len(claim.stem_set), 1)
    return [
        float(np.log1p(len(claim.all_words))),
        len(novel) / n_content,
        float(np.log1p(len(novel))),
        sum(word not in whole.places for word in claim.all_words) / n_words,
        float(min(len(claim.numbers - whole.numbers), 3)),
        len(claim.names - whole.stem_set) / max(len(claim.names), 2),
        len(claim.pairs - whole.pairs) / max(len(claim.pairs), 1),
        1.0 - coverage,
        1.0 - longest_run(claim.all_words, whole.places) / n_words,
        1.0 - float(similarities[0]),
        1.0 - float(similarities[:3].mean()),
        1.0 - mean_similarity,
        float(claim.negated != best.negated),
        sum(word in FIRST_PERSON for word in claim.all_words) / n_words,
        float("?" in claim.text),
        sum(word in OPINION for word in claim.all_words) / n_words,
        sum(word in prompt.stem_set for word in novel) / max(len(novel), 1),
        float(is_pleasantry(claim.text)),
        len(claim.grams - whole.grams) / max(len(claim.grams), 1),
    ]


def response_features(own: Floats, by_sentence: Floats, evidence: Evidence, claim: Tokens) -> Floats:
    """All columns of a response, float64 (D,): its own as a whole, the worst of its sentences', and the sizes."""
    worst = by_sentence[:, [CLAIM_FEATURES.index(name) for name in WORST]].max(axis=0)
    sizes = np.log1p([len(by_sentence), len(evidence.whole.all_words), len(evidence.whole.stem_set)])
    content = len(claim.stems) / max(len(claim.all_words), 1)
    return np.concatenate([own, worst, sizes, [content]])


def is_pleasantry(sentence: str) -> bool:
    """Whether a sentence greets, thanks or offers help, and so claims nothing."""
    return bool(PLEASANTRY.match(sentence))


def longest_run(claim: Sequence[str], places: Mapping[str, Sequence[int]]) -> int:
    """Words in the longest sequence of the claim that stands in the context. places: where each word of the context stands."""
    best = 0
    before: dict[int, int] = {}
    for word in claim:
        now = {i: before.get(i - 1, 0) + 1 for i in places.get(word, ())}
        best = max(best, max(now.values(), default=0))
        before = now
    return best
