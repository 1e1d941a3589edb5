"""Which rows of a window move together, and what that does to the window's mean (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzers.drift.reference import Summaries, Values
from leewatch.contracts import Vectors

Keys = npt.NDArray[np.uint64]

FEWEST_BLOCKS = 20
"""Effective blocks below which a key says nothing: a service that sends one user id for everybody has one block."""


@dataclass(frozen=True)
class Keyed:
    """Rows of a span of time. hours float64 (n,): start of each row's window, hours since 1970. vectors float32 (n, d).

    users, sessions, traces uint64 (n,): hash of each key; 0 where the row has no user or session.
    """

    hours: Values
    users: Keys
    sessions: Keys
    traces: Keys
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def part(self, rows: slice) -> Keyed:
        """Some of the rows."""
        return Keyed(self.hours[rows], self.users[rows], self.sessions[rows], self.traces[rows], self.vectors[rows])


def blocks(users: Keys, sessions: Keys, traces: Keys) -> Keys:
    """Block of each row: its user, else its session, else its trace, as coarse as leaves FEWEST_BLOCKS blocks.

    A user's calls resemble one another, so that they are not independent observations.
    """
    session = np.where(sessions != 0, sessions, traces)
    for keys in (np.where(users != 0, users, session), session):
        if effective(keys) >= min(FEWEST_BLOCKS, len(keys) / 2):
            return keys
    return traces


def in_hours(keys: Keys, hours: Values) -> Keys:
    """Blocks of a long span as they are within one window: a user's calls of another hour are another block."""
    mixed = keys ^ (hours.astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.asarray(mixed, dtype=np.uint64)


def effective(keys: Keys) -> float:
    """Effective number of blocks, (sum of sizes)^2 / sum of squared sizes (Kish 1965, Survey Sampling, chapter 5)."""
    if not len(keys):
        return 0.0
    sizes = np.unique(keys, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def summarize(features: Vectors, keys: Keys, hour: float) -> Summaries:
    """One window's summary from its rows' features float32 (n, d) and their blocks.

    The variance of the sum is taken about the features' center in the reference, 0: the sum over blocks of each
    block's sum squared (Cochran 1977, Sampling Techniques, section 9A.2). Blocks are independent, rows within one need
    not be. Taken about the window's own mean it would miss a part of a block that is a large share of the window.
    """
    exact = block_sums(features.astype(np.float64), keys)
    return Summaries(
        np.array([hour]), np.array([float(len(features))]), exact.sum(axis=0)[None, :], (exact**2).sum(axis=0)[None, :]
    )


def block_sums(rows: Values, keys: Keys) -> Values:
    """Sum of the rows float64 (n, d) of each block, float64 (b, d)."""
    _, owner, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    if len(sizes) == len(rows):
        return rows
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.asarray(np.add.reduceat(rows[np.argsort(owner, kind="stable")], starts, axis=0))
