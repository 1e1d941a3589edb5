"""Hourly windows of a segment's traffic: a mix of topics with a daily cycle, in sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from analyzers.drift.reference import Summaries, Values
from leewatch.contracts import Vectors

SWING = 0.5
"""Largest daily swing of a topic's weight, on a logarithmic scale: from 0.6 to 1.65 times its mean."""
TIDE = 0.6
"""Daily swing of the number of rows around its mean."""
TURNS = 1.0
"""Mean number of further turns in a session; all turns of a session are of one topic."""


@dataclass(frozen=True)
class Segment:
    """Mix of topics over the day. weights float64 (t,), swings and phases of each topic, rows an hour on average."""

    weights: Values
    swings: Values
    phases: Values
    rows: int

    def mix(self, hour: float) -> Values:
        """Weight of each topic at an hour, float64 (t,), sum 1."""
        found = self.weights * np.exp(self.swings * np.cos(2 * np.pi * (hour - self.phases) / 24))
        return np.asarray(found / found.sum())

    def size(self, hour: float) -> int:
        """Rows in the window at this hour."""
        return round(float(self.rows * (1 + TIDE * np.cos(2 * np.pi * (hour - 14) / 24))))


def segment(topics: int, rows: int, rng: np.random.Generator) -> Segment:
    """A segment whose topics weigh differently, each with its own hour of the day."""
    return Segment(rng.dirichlet(np.full(topics, 2.0)), rng.uniform(0, SWING, topics), rng.uniform(0, 24, topics), rows)


class Source:
    """Draws sessions of a segment from a pool, with replacement. topics int64 (p,): topic of each of the pool's texts."""

    def __init__(self, topics: npt.NDArray[np.int64], one: Segment, rng: np.random.Generator) -> None:
        self._order = np.argsort(topics, kind="stable")
        self._sizes = np.bincount(topics, minlength=len(one.weights))
        self._first = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._segment, self._rng = one, rng

    def draw(self, hour: float, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(texts, their sessions) of about `count` rows at an hour; all turns of a session are of one topic."""
        turns = 1 + self._rng.poisson(TURNS, size=count)
        turns = turns[: int(np.searchsorted(np.cumsum(turns), count)) + 1]
        session = self._rng.choice(len(self._sizes), size=len(turns), p=self._segment.mix(hour))
        owner = np.repeat(np.arange(len(turns)), turns)
        topic = session[owner]
        places = (self._rng.random(len(topic)) * self._sizes[topic]).astype(np.int64)
        return self._order[self._first[topic] + places], owner


def windows(
    features: Vectors, topics: npt.NDArray[np.int64], one: Segment, hours: Values, rng: np.random.Generator
) -> Summaries:
    """Summaries of hourly windows drawn from a pool whose texts have these features float32 (p, k) and topics."""
    source = Source(topics, one, rng)
    sums, variances, rows = [], [], []
    for hour in hours:
        drawn, owner = source.draw(hour, one.size(hour))
        picks = sparse.csr_matrix(
            (np.ones(len(drawn), dtype=np.float32), (owner, drawn)), shape=(int(owner[-1]) + 1, len(features))
        )
        blocks = picks @ features
        sums.append(blocks.sum(axis=0, dtype=np.float64))
        variances.append((blocks**2).sum(axis=0, dtype=np.float64))
        rows.append(float(len(drawn)))
    return Summaries(hours, np.array(rows), np.stack(sums), np.stack(variances))
