"""Topics that moved between two samples: shares before and after, a keyword label, examples."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import CountVectorizer

from leewatch.contracts import Vectors
from leewatch.redact import redact
from leewatch.schema import Cluster

ROWS_PER_CLUSTER = 10
MOST_CLUSTERS = 30
MOVED_Z = 3.0
"""Standard errors of a share difference beyond which a topic is called moved."""
SHOWN = 5
EXAMPLES = 3
KEYWORDS = 3
EXAMPLE_LENGTH = 200
_REDACTED = re.compile(r"\[(?:EMAIL|PHONE|CARD|KEY)\]")
WORDS = r"(?u)\b[^\W\d_]{3,}\b"


@dataclass(frozen=True)
class Movement:
    """Topics that moved, the most first, and the share of the current sample that the reference does not explain.

    effect: sum of the gains of the topics that gained, in [0, 1]; 0 when none moved.
    """

    clusters: tuple[Cluster, ...]
    effect: float


def assign(vectors: Vectors, n_current: int, seed: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """(topic of each row int64 (n,), centres float32 (k, d)) by k-means; the first n_current rows are current.

    One topic per 10 current rows, 30 at most, never more than there are distinct rows. Both samples weigh the same:
    with a reference ten times the window, plain k-means spends its centres on the reference and spreads a new topic
    over old ones (of a new CLINC domain of 20 %, it found 11 % and balanced weights 16 %).
    """
    distinct = len(np.unique(vectors.round(4), axis=0))
    k = max(1, min(MOST_CLUSTERS, max(n_current // ROWS_PER_CLUSTER, 2), distinct))
    weights = np.ones(len(vectors))
    weights[n_current:] = n_current / max(len(vectors) - n_current, 1)
    model = KMeans(n_clusters=k, n_init=3, random_state=seed, max_iter=50).fit(vectors, sample_weight=weights)
    return model.labels_.astype(np.int64), model.cluster_centers_.astype(np.float32)


def moved(topics: npt.NDArray[np.int64], n_current: int) -> list[tuple[int, float, float]]:
    """(topic, reference share, current share) of each topic whose share moved by more than MOVED_Z standard errors.

    topics int64 (n,): the first n_current rows are the current sample. Ordered by the size of the move. The standard
    error is that of two proportions with the pooled share (Fleiss, Levin & Paik 2003, section 3.2).
    """
    size = int(topics.max()) + 1
    current = np.bincount(topics[:n_current], minlength=size)
    reference = np.bincount(topics[n_current:], minlength=size)
    n_reference = len(topics) - n_current
    pooled = (current + reference) / len(topics)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n_current + 1 / n_reference))
    before, after = reference / n_reference, current / n_current
    gain = after - before
    found = [topic for topic in range(size) if abs(gain[topic]) > MOVED_Z * error[topic]]
    found.sort(key=lambda topic: -abs(gain[topic]))
    return [(topic, float(before[topic]), float(after[topic])) for topic in found]


def explain(
    reference: Vectors, current: Vectors, reference_texts: Sequence[str], current_texts: Sequence[str], seed: int
) -> Movement:
    """Which topics moved from `reference` (n, d) to `current` (m, d); texts in the order of the rows, '' where unknown.

    Examples of a topic that gained come from the current sample, of one that shrank from the reference; redacted.
    """
    vectors = np.concatenate([current, reference])
    texts = [*current_texts, *reference_texts]
    topics, centers = assign(vectors, len(current), seed)
    movements = moved(topics, len(current))
    labels = keywords([_REDACTED.sub(" ", redact(text)) for text in texts], topics)
    shown = []
    for topic, before, after in movements[:SHOWN]:
        rows = np.flatnonzero(topics == topic)
        rows = rows[rows < len(current)] if after > before else rows[rows >= len(current)]
        examples = _examples(rows, vectors, centers[topic], texts)
        shown.append(Cluster(labels.get(topic, f"topic {topic}"), round(before, 4), round(after, 4), examples))
    effect = sum(max(after - before, 0.0) for _, before, after in movements)
    return Movement(tuple(shown), round(min(effect, 1.0), 4))


def keywords(texts: Sequence[str], topics: npt.NDArray[np.int64]) -> dict[int, str]:
    """The three words that tell each topic from the others, by class-based tf-idf.

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
    labels = {}
    for position, topic in enumerate(known):
        best = [
            word for word in np.argsort(-weights[position], kind="stable")[:KEYWORDS] if weights[position, word] > 0
        ]
        if best:
            labels[topic] = ", ".join(str(names[word]) for word in best)
    return labels


def _examples(rows: npt.NDArray[np.int64], vectors: Vectors, center: Vectors, texts: Sequence[str]) -> tuple[str, ...]:
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
    gained = [cluster for cluster in movement.clusters if cluster.current_share > cluster.reference_share]
    lost = [cluster for cluster in movement.clusters if cluster.current_share < cluster.reference_share]
    moving = gained or lost
    if not moving:
        return ""
    before = sum(cluster.reference_share for cluster in moving)
    after = sum(cluster.current_share for cluster in moving)
    return f"{percent(after)} of {noun} now come from topics that made up {percent(before)}"


def percent(share: float) -> str:
    """A share as a person reads it: `14 %`, `2.5 %`, `under 0.1 %`."""
    value = share * 100
    if 0 < value < 0.1:
        return "under 0.1 %"
    return f"{value:.0f} %" if value >= 10 or value == round(value) else f"{value:.1f} %"
