"""Job `corrections`: what only several rows together tell of a span, in whatever order they came.

- Log records say that a call failed, why its answer ended and what it used: the span is filled where it says nothing itself.
- Two spans report one answer of a provider, e.g. a client library's own span inside an instrumentation's: one stays the call.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from analyzers.store import AnalyzerStore, Progress
from leewatch.contracts import Clock

CORRECTIONS = "corrections"
OVERLAP = timedelta(minutes=2)
"""Ingestion time read again at each run: spans of one call, and inserts seen out of order, come so far apart at most."""
SLICE = timedelta(hours=6)
"""Most ingestion time of one statement."""
HISTORY = timedelta(days=1)
"""How far the first run of an installation looks back."""


class CorrectionsJob:
    """Corrects what came in since the last run. Used by one thread at a time."""

    def __init__(self, clock: Clock, stop: threading.Event) -> None:
        self._clock = clock
        self._stop = stop
        self._done: datetime | None = None

    def run(self, store: AnalyzerStore) -> None:
        """One round. What it does twice changes nothing, so a kill at any moment costs nothing."""
        if self._done is None:
            self._done = store.done_until(CORRECTIONS) or self._clock() - HISTORY
        while not self._stop.is_set():
            now = self._clock()
            until = min(self._done + SLICE, now)
            last = until == now
            # Rows whose clock is ahead of ours must not be left out for good.
            bounds = {"since": self._done - OVERLAP, "until": until + timedelta(days=1) if last else until}
            if int(store.rows("facts")[0]["rows"]):
                store.run("fill", **bounds)
            store.run("demote", **bounds)
            self._done = until
            store.write_progress([Progress(CORRECTIONS, until, 0, 0)])
            if last:
                return
