"""How much each project may send: token buckets of items and bytes, some arithmetic a request and nothing a span."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from collector import status
from collector.keyring import Keyring
from leewatch.projects import Limits

BURST_SECONDS = 5.0
"""What a project did not use for so long it may send at once."""
LONGEST_RETRY = 3
"""Seconds a refused sender waits at most: exporters give up after some tries, and a longer wait would cost them data."""


@dataclass(slots=True)
class Bucket:
    """Fills by `rate` a second up to BURST_SECONDS of it. What is taken may exceed what is there: the rest is owed.

    So a request of any size passes when nothing is owed, and the rate holds over time.
    """

    rate: float
    level: float
    at: float

    @classmethod
    def full(cls, rate: float, now: float) -> Bucket:
        return cls(rate, rate * BURST_SECONDS, now)

    def wait(self, now: float) -> float:
        """Seconds until nothing is owed any more; 0 when a request may pass. now: s, never decreasing."""
        self.level = min(self.level + (now - self.at) * self.rate, self.rate * BURST_SECONDS)
        self.at = now
        return 0.0 if self.level > 0 else (1.0 - self.level) / self.rate

    def take(self, amount: float) -> None:
        self.level -= amount


@dataclass(slots=True)
class _Buckets:
    limits: Limits
    items: Bucket | None
    bytes: Bucket | None


class Limiter:
    """Holds every project to its limits. Lives on one event loop."""

    def __init__(
        self,
        default: Limits,
        keyring: Callable[[], Keyring | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """default: for what a project's own limits in the keyring leave open."""
        self._default = default
        self._keyring = keyring
        self._clock = clock
        self._buckets: dict[str, _Buckets] = {}

    def admit(self, project: str) -> None:
        """Raises Refusal, with the time to come back after, while the project owes something."""
        buckets, now = self._of(project), self._clock()
        for bucket, unit in ((buckets.items, "spans"), (buckets.bytes, "bytes")):
            wait = bucket.wait(now) if bucket is not None else 0.0
            if wait and bucket is not None:
                raise status.throttled(
                    f"project {project} sends more than {bucket.rate:g} {unit} a second "
                    f"(collector.limits.{unit}_per_second, `leewatch projects limit {project}`)",
                    min(max(math.ceil(wait), 1), LONGEST_RETRY),
                )

    def charge(self, project: str, items: int = 0, size: int = 0) -> None:
        """Takes what a request brought: spans, log records or data points, and decompressed bytes."""
        buckets = self._of(project)
        if buckets.items is not None:
            buckets.items.take(items)
        if buckets.bytes is not None:
            buckets.bytes.take(size)

    def _of(self, project: str) -> _Buckets:
        keyring = self._keyring()
        own = keyring.limits.get(project) if keyring is not None else None
        limits = self._default if own is None else own
        found = self._buckets.get(project)
        if found is None or found.limits != limits:
            found = self._buckets[project] = self._filled(limits)
        return found

    def _filled(self, limits: Limits) -> _Buckets:
        now = self._clock()
        items = limits.spans_per_second or self._default.spans_per_second
        size = limits.bytes_per_second or self._default.bytes_per_second
        return _Buckets(
            limits,
            None if items is None else Bucket.full(items, now),
            None if size is None else Bucket.full(size, now),
        )
