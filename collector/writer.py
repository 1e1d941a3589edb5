"""The thread that brings sealed segments to the database, in order, for as long as it takes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from collector import metrics as m
from collector.database import DatabaseError
from collector.delivery import Delivery
from collector.faults import Fault
from collector.segment import Segment, Signal
from collector.spool import Spool
from leewatch.telemetry.spans import ROLE, enabled, span

log = logging.getLogger(__name__)

MARK = ROLE.encode()
FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
LONGEST_ASIDE = 60.0
"""A segment that the database keeps failing on, for whatever reason, is tried at least so often, seconds."""
PACE = 3.0
"""While inserts are slow, a segment fills for PACE times as long as the last one took: an insert has a fixed cost, and
many small ones would eat the machine."""
LAST_ATTEMPTS = 3
"""Failures in a row after which a stopping writer leaves the rest to the next start."""
IDLE_SECONDS = 0.5


class Writer:
    """Takes segments of one spool and delivers them. `start` once, then `stop`."""

    def __init__(
        self,
        spool: Spool,
        delivery: Delivery,
        metrics: m.Metrics,
        flush_seconds: float,
        expire: Callable[[], None],
        rng: random.Random,
        max_flush_seconds: float = 5.0,
    ) -> None:
        """flush_seconds: age at which a segment is taken; inf: only full ones. max_flush_seconds: while inserts are slow.

        expire: called now and then, at most once per segment; deletes what is no longer needed.
        """
        self._spool = spool
        self._delivery = delivery
        self._metrics = metrics
        self._flush_seconds = flush_seconds
        self._max_flush_seconds = max_flush_seconds
        self._expire = expire
        self._rng = rng
        self._took_seconds = 0.0
        self._stopping = threading.Event()
        self._abandon = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"writer-{spool.signal}", daemon=True)

    @property
    def signal(self) -> Signal:
        return self._spool.signal

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Delivers what is spooled for at most so long, then ends; the rest waits in the spool. True when all went."""
        self._stopping.set()
        if self._thread.ident is None:
            return not self._spool.waiting_segments
        self._thread.join(seconds)
        self._abandon.set()
        # One that is between two inserts ends at once; one that waits for the database ends with the process.
        self._thread.join(0.2)
        return not self._thread.is_alive() and not self._spool.waiting_segments

    def _run(self) -> None:
        while not self._abandon.is_set():
            segment = self._spool.take(self._age(), 0.0 if self._stopping.is_set() else IDLE_SECONDS)
            if segment is not None:
                self._deliver(segment)
            elif self._stopping.is_set():
                return
            self._expire()

    def _age(self) -> float:
        return max(self._flush_seconds, min(PACE * self._took_seconds, self._max_flush_seconds))

    def _deliver(self, segment: Segment) -> None:
        clean = not segment.recovered and not segment.unclear
        failures = 0
        while not self._abandon.is_set():
            try:
                started = time.perf_counter()
                with self._told(segment):
                    self._delivery.deliver(segment, clean)
                self._took_seconds = time.perf_counter() - started
                if failures or segment.unclear:
                    log.info("batch %s stored after %d failures", segment.token, failures + segment.unclear)
                return
            except DatabaseError as error:
                clean = False
                if error.fault is not Fault.UNAVAILABLE:
                    self._set_aside(segment, error)
                    return
                failures += 1
                self._metrics.add(m.INSERT_FAILURES, signal=self.signal, reason="retryable")
                if failures == 1 or failures % 20 == 0:
                    log.warning("%s wait in the spool, attempt %d: %s", self.signal, failures, error)
                if self._stopping.is_set() and failures >= LAST_ATTEMPTS:
                    self._abandon.set()
                self._wait(backoff(failures, self._rng))
            except Exception as error:
                # The boundary of this thread: whatever it is, the segment stays in the spool and is tried again.
                log.exception("batch %s could not be delivered", segment.token)
                self._set_aside(segment, error)
                return

    def _told(self, segment: Segment) -> AbstractContextManager[object]:
        """A span around an insert, unless all that it inserts is what Leewatch tells about itself: that would never end."""
        if not enabled() or all(MARK in payload for payload in self._spool.payloads(segment)):
            return nullcontext()
        return span("insert batch", signal=self.signal, requests=len(segment.requests), bytes=segment.size)

    def _set_aside(self, segment: Segment, error: Exception) -> None:
        """Lets the segments behind it go first; a fault of this one segment holds up no other."""
        if not segment.unclear:
            segment.aside_since = time.monotonic()
        segment.unclear += 1
        seconds = backoff(segment.unclear, self._rng, LONGEST_ASIDE)
        reason = "unclear" if isinstance(error, DatabaseError) else "internal"
        self._metrics.add(m.INSERT_FAILURES, signal=self.signal, reason=reason)
        text = "batch %s set aside for %.1f s after attempt %d, others go on: %s"
        log.warning(text, segment.token, seconds, segment.unclear, error)
        self._spool.set_aside(segment, seconds)

    def _wait(self, seconds: float) -> None:
        if self._stopping.is_set():
            seconds = min(seconds, FIRST_BACKOFF)
        self._abandon.wait(seconds)


def backoff(failures: int, rng: random.Random, longest: float = LONGEST_BACKOFF) -> float:
    """Seconds to wait after that many failures in a row: doubling to `longest`, with full jitter above half."""
    return float(min(longest, FIRST_BACKOFF * 2 ** min(failures - 1, 10)) * rng.uniform(0.5, 1.0))
