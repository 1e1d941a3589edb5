"""Which slices of ingestion time are looked through, newest first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SLICE = timedelta(days=1)
SHORTEST = timedelta(seconds=20)
"""A slice that is halved is no shorter than this."""


@dataclass(frozen=True)
class Slice:
    """Half-open span of ingestion time [since, until)."""

    since: datetime
    until: datetime


class Slices:
    """The newest slice, which never ends, and older ones of a day each that are looked through once after a start.

    New spans are served first because alerts wait for them; no older slice is given up before it holds nothing undone.
    """

    def __init__(self, first: datetime | None, now: datetime, overlap: timedelta) -> None:
        self._overlap = overlap
        self._head = now
        self._older: list[Slice] = []
        until = now - overlap
        while first is not None and until > first:
            since = max(until - SLICE, first)
            self._older.append(Slice(since, until))
            until = since

    def head(self) -> Slice:
        """The newest slice, with the overlap for inserts that were committed out of order."""
        return Slice(self._head - self._overlap, self._head + timedelta(days=36_500))

    def advance(self, done_until: datetime) -> None:
        """Everything that came in before `done_until` is done. Never moves back."""
        self._head = max(self._head, done_until)

    def older(self) -> Slice | None:
        """The newest of the older slices that is not finished."""
        return self._older[0] if self._older else None

    def finish(self, slice_: Slice) -> None:
        self._older.remove(slice_)

    def defer(self, since: datetime, until: datetime) -> None:
        """What came in between is to be looked through when there is time: the newest of the older slices, or a part of it."""
        newest = self._older[0] if self._older else None
        if newest is not None and since <= newest.until and until - newest.since <= SLICE:
            self._older[0] = Slice(newest.since, max(until, newest.until))
        else:
            self._older.insert(0, Slice(since, until))

    def split(self, slice_: Slice) -> bool:
        """Halves a slice that holds more than can be done at once; False when it is too short for that."""
        if slice_.until - slice_.since < SHORTEST:
            return False
        place = self._older.index(slice_)
        middle = slice_.since + (slice_.until - slice_.since) / 2
        self._older[place : place + 1] = [Slice(middle, slice_.until), Slice(slice_.since, middle)]
        return True

    @property
    def unverified_since(self) -> datetime | None:
        """Start of the oldest slice not yet finished; None when all are."""
        return min((slice_.since for slice_ in self._older), default=None)
