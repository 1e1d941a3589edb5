"""A topic as it is kept, and what becomes of a service's topics at a fit (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from analyzers.topics.fitting import Codes, Fit, Floats, first_fit, next_fit
from analyzers.topics.layout import lay_out
from analyzers.topics.matching import identify, match
from leewatch.contracts import Vectors

VERSION = "1"
NO_TOPIC = 0
QUIET = 0.15
"""Part of a topic's usual share below which it is retired: what is left are texts that happen to lie near it."""
EXPECTED = 20.0
"""Texts that must have been expected of a topic before few of them retire it: of 20, four or fewer come once in 60,000 times."""
LABEL_WORDS = 3
LABEL_KEPT = 2
"""Words of a label that must still be among the topic's telling words for the label to stay."""


@dataclass(frozen=True)
class Topic:
    """One topic of a service. centroid float32 (d,), empty when it takes no text any more; share: of the texts of a fit, in
    [0, 1], the last time it was not retired; place: on the map."""

    id: int
    label: str
    centroid: Floats
    floor: float
    place: tuple[float, float]
    rows: int
    share: float
    first_seen: datetime
    last_seen: datetime
    keywords: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    retired: bool = False


@dataclass(frozen=True)
class Topics:
    """All topics of a service under one encoder. without: share of the texts of the last fit that belong to none; rows: its
    texts; fitted_at: end of their span of event time; last_id: the highest id that was ever given."""

    topics: tuple[Topic, ...]
    without: float
    rows: int
    fitted_at: datetime
    last_id: int

    @property
    def placed(self) -> tuple[Topic, ...]:
        """Those that take texts, in the order of the fit's centres."""
        return tuple(topic for topic in self.topics if len(topic.centroid))

    @property
    def fit(self) -> Fit:
        placed = self.placed
        return Fit(
            np.array([topic.centroid for topic in placed], dtype=np.float32),
            np.array([topic.floor for topic in placed], dtype=np.float32),
        )

    @property
    def ids(self) -> Codes:
        """Id of each centre of the fit, and of no topic at the end: `ids[assigned]` for places from `fit.assign`."""
        return np.array([*(topic.id for topic in self.placed), NO_TOPIC], dtype=np.int64)


def found(vectors: Vectors, most: int, last_id: int, at: datetime, seed: int) -> Topics:
    """The topics of a service that had none; vectors (n, d), n > 0."""
    fit = first_fit(vectors, most, seed)
    ids = list(range(last_id + 1, last_id + 1 + len(fit.centers)))
    return _topics(fit, ids, {}, vectors, at, max([last_id, *ids]), timedelta(0), seed)


def refitted(
    known: Topics, older: Vectors, newer: Vectors, most: int, remember: timedelta, at: datetime, seed: int
) -> Topics:
    """The topics after a fit at `at`. older, newer: vectors before and since the last one; newer holds at least one.

    Those that a fit from scratch replaced take no text any more; the others keep their ids, however few texts they have,
    until nobody asked of them for `remember`.
    """
    old = known.fit
    retired = sum(topic.retired for topic in known.placed)  # they leave their room to new ones
    fit = next_fit(old, older, newer, most + retired, seed)
    pool = np.concatenate([older, newer]) if len(older) else newer
    before = known.placed
    ids = identify([topic.id for topic in before], match(old, fit, pool), known.last_id)
    here = {topic.id: topic for topic in before}
    after = _topics(fit, ids, here, newer, at, max([known.last_id, *ids]), remember, seed)
    kept = {topic.id for topic in after.topics}
    gone = [_closed(topic) for topic in known.topics if topic.id not in kept]
    return replace(after, topics=(*after.topics, *gone))


def _topics(
    fit: Fit,
    ids: Sequence[int],
    before: dict[int, Topic],
    newer: Vectors,
    at: datetime,
    last_id: int,
    remember: timedelta,
    seed: int,
) -> Topics:
    places = lay_out(fit.centers, [before[id_].place if id_ in before else None for id_ in ids], seed)
    assigned, _ = fit.assign(newer)
    counts = np.bincount(assigned + 1, minlength=len(ids) + 1)
    topics = []
    for number, id_ in enumerate(ids):
        place = (float(places[number, 0]), float(places[number, 1]))
        rows, share = int(counts[number + 1]), float(counts[number + 1]) / len(newer)
        topic = Topic(id_, f"topic {id_}", fit.centers[number], float(fit.floors[number]), place, rows, share, at, at)
        topics.append(_continued(topic, before[id_], len(newer), remember) if id_ in before else topic)
    return Topics(tuple(topics), float(counts[0]) / len(newer), len(newer), at, last_id)


def _continued(topic: Topic, before: Topic, texts: int, remember: timedelta) -> Topic:
    """The topic with the history of what it continues. Retired: what it has is little beside its usual share."""
    kept = replace(
        topic, label=before.label, keywords=before.keywords, examples=before.examples, first_seen=before.first_seen
    )
    expected = before.share * texts
    quiet = topic.rows <= QUIET * expected if expected >= EXPECTED else topic.rows == 0
    if not quiet:
        return replace(kept, share=_smoothed(before.share, topic.share))
    retired = replace(kept, rows=before.rows, share=before.share, last_seen=before.last_seen, retired=True)
    return _closed(retired) if topic.last_seen - before.last_seen > remember else retired


def _closed(topic: Topic) -> Topic:
    """The topic as it is remembered when it takes no text any more: without texts, which are not kept for ever."""
    return replace(topic, centroid=np.zeros(0, dtype=np.float32), examples=(), retired=True)


def _smoothed(before: float, now: float) -> float:
    """The usual share: half of it is the last fit's, so that one quiet day does not become the rule."""
    return (before + now) / 2


def labelled(topic: Topic, words: Sequence[str], examples: Sequence[str]) -> Topic:
    """The topic with its telling words, best first, and examples. Its label stays while most of its words still tell it."""
    if not words:
        return topic
    held = [word for word in topic.label.split(", ") if word in words]
    keep = len(held) >= min(LABEL_KEPT, len(topic.label.split(", ")))
    label = topic.label if keep else ", ".join(words[:LABEL_WORDS])
    return replace(topic, label=label, keywords=tuple(words), examples=tuple(examples) or topic.examples)
