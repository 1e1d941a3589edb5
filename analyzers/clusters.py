"""Topics that moved between two samples: shares before and after, a keyword label, examples."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import CountVectorizer

from analyzers.explanation.regions import Move, Moves, find
from leewatch.contracts import Vectors
from leewatch.redact import redact
from leewatch.schema import Cluster

EXAMPLES = 3
KEYWORDS = 3
EXAMPLE_LENGTH = 200
_REDACTED = re.compile(r"\[(?:EMAIL|PHONE|CARD|KEY)\]")
WORDS = r"(?u)\b[^\W\d_]{3,}\b"


@dataclass(frozen=True)
class Movement:
    """Topics that moved, what moved most surely first.

    before, after: share of the reference and of the current sample in the topics that grew (in those that shrank, when
    none grew). effect: share of the current sample that the reference does not explain, at least: `after - before`, in
    [0, 1]; 0 when none moved. moves: the regions themselves, None when nothing was looked for.
    """

    clusters: tuple[Cluster, ...]
    effect: float
    before: float = 0.0
    after: float = 0.0
    moves: Moves | None = None


def explain(
    reference: Vectors, current: Vectors, reference_texts: Sequence[str], current_texts: Sequence[str], seed: int
) -> Movement:
    """Which topics moved from `reference` (n, d) to `current` (m, d); texts in the order of the rows, '' where unknown.

    Examples of a topic that gained come from the current sample, of one that shrank from the reference; redacted.
    """
    moves = find(reference, current, seed)
    places = np.concatenate([moves.current, moves.reference])
    labels = _labels([*current_texts, *reference_texts], places)
    shown = [
        _cluster(number, move, labels, moves, (reference, current), (reference_texts, current_texts))
        for number, move in enumerate(moves.moves)
    ]
    if not shown:
        return Movement((), 0.0, moves=moves)
    rising = any(move.after > move.before for move in moves.moves)
    inside = [moves.grown(side) if rising else side >= 0 for side in (moves.reference, moves.current)]
    before, after = float(inside[0].mean()), float(inside[1].mean())
    return Movement(tuple(shown), round(abs(after - before), 4), before, after, moves)


def _labels(texts: Sequence[str], places: npt.NDArray[np.int64]) -> dict[int, str]:
    return keywords([without_secrets(text) for text in texts], places)


def without_secrets(text: str) -> str:
    """The text redacted, and without what stands for the redacted parts: those are no words of its topic."""
    return _REDACTED.sub(" ", redact(text))


def _cluster(
    number: int,
    move: Move,
    labels: Mapping[int, str],
    moves: Moves,
    vectors: tuple[Vectors, Vectors],
    texts: tuple[Sequence[str], Sequence[str]],
) -> Cluster:
    grew = int(move.after > move.before)
    rows = np.flatnonzero((moves.current if grew else moves.reference) == number)
    center = vectors[grew][rows].mean(axis=0) if len(rows) else np.zeros(vectors[0].shape[1], dtype=np.float32)
    return Cluster(
        labels.get(number, f"topic {number + 1}"),
        round(move.before, 4),
        round(move.after, 4),
        examples(rows, vectors[grew], center, texts[grew]),
        tuple(round(edge, 4) for edge in move.before_interval),
        tuple(round(edge, 4) for edge in move.after_interval),
    )


def keywords(texts: Sequence[str], topics: npt.NDArray[np.int64]) -> dict[int, str]:
    """The three words that tell each topic from the others, as `telling_words` finds them. Topics without one are left out."""
    return {topic: ", ".join(words) for topic, words in telling_words(texts, topics, KEYWORDS).items()}


def telling_words(texts: Sequence[str], topics: npt.NDArray[np.int64], count: int) -> dict[int, tuple[str, ...]]:
    """At most `count` words that tell each topic from the others, the most telling first, by class-based tf-idf.

    Weight of word t in class c: tf(t, c) * log(1 + A / f(t)), A = mean words per class, f = count over all classes
    (Grootendorst 2022, arXiv:2203.05794, equation 3). Topics without a word are left out.
    """
    known = sorted(set(topics.tolist()))
    joined = [" ".join(texts[int(row)] for row in np.flatnonzero(topics == topic)) for topic in known]
    vectorizer = CountVectorizer(stop_words="english", token_pattern=WORDS)
    try:
        counts = vectorizer.fit_transform(joined).toarray().astype(np.float64)
    except ValueError:  # no text holds a word that counts: constant or empty texts, only digits
        return {}
    names: Any = vectorizer.get_feature_names_out()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    weights = share * np.log1p(counts.sum() / len(known) / np.maximum(counts.sum(axis=0), 1))
    found = {}
    for position, topic in enumerate(known):
        best = [word for word in np.argsort(-weights[position], kind="stable")[:count] if weights[position, word] > 0]
        if best:
            found[topic] = tuple(str(names[word]) for word in best)
    return found


def examples(rows: npt.NDArray[np.int64], vectors: Vectors, center: Vectors, texts: Sequence[str]) -> tuple[str, ...]:
    """Up to three different texts nearest to the centre, redacted before they are cut: no half secret remains."""
    chosen: list[str] = []
    for row in rows[np.argsort(-(vectors[rows] @ center), kind="stable")]:
        text = " ".join(redact(texts[row]).split())
        text = text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
        if text and text not in chosen:
            chosen.append(text)
        if len(chosen) == EXAMPLES:
            break
    return tuple(chosen)


def describe(movement: Movement, noun: str) -> str:
    """The effect in words, e.g. `14 % of prompts now come from topics that made up 2 %`; '' when no topic moved."""
    if not movement.clusters:
        return ""
    return f"{percent(movement.after)} of {noun} now come from topics that made up {percent(movement.before)}"


def percent(share: float) -> str:
    """A share as a person reads it: `14 %`, `2.5 %`, `under 0.1 %`."""
    value = share * 100
    if 0 < value < 0.1:
        return "under 0.1 %"
    return f"{value:.0f} %" if value >= 10 or value == round(value) else f"{value:.1f} %"
