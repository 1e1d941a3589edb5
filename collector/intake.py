"""The path every request takes, whichever transport brought it: judge, recognize duplicates, make durable, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from collector import metrics as m
from collector import status
from collector.accounting import Accounts
from collector.disk import Free
from collector.heavy import Heavy
from collector.inflight import Hold, InFlight
from collector.limits import Limiter
from collector.segment import Kind, Record, Signal
from collector.spool import Spool, SpoolWriteError
from collector.validate import MalformedError, TooManyError, Verdict, check, digest
from leewatch.config import CollectorSection
from leewatch.projects import DEFAULT_PROJECT, Limits

INLINE_BYTES = 1 << 20
"""Larger requests are decoded in a process of their own: here they would hold up all other senders."""
RETRY_SECONDS = 2
"""What a refused sender is told to wait: about the time in which one segment is inserted and frees its space."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was taken. rejected: items refused alone; reason: why, for the sender."""

    rejected: int
    reason: str


class Intake:
    """Takes decompressed OTLP protobuf requests. Lives on one event loop."""

    def __init__(
        self,
        section: CollectorSection,
        spools: Mapping[Signal, Spool],
        metrics: m.Metrics,
        free: Free | None = None,
        wall: Callable[[], float] = time.time,
        limiter: Limiter | None = None,
    ) -> None:
        """free: space on the disk of the spools; None: not asked."""
        self.max_request_bytes = section.max_request_mb << 20
        self.in_flight = InFlight(section.max_inflight_mb << 20)
        self._max_value_bytes = section.max_value_mb << 20
        self._max_spool_bytes = section.max_spool_mb << 20
        self._min_free_bytes = section.min_free_mb << 20
        self._free = free
        self._spools = spools
        self._metrics = metrics
        self._wall = wall
        self._limiter = limiter or Limiter(Limits())
        self._known = {signal: set(spool.digests()) for signal, spool in spools.items()}
        self._under_way: dict[Signal, dict[bytes, asyncio.Future[None]]] = {signal: {} for signal in spools}
        self._heavy = Heavy(self.max_request_bytes)

    def close(self) -> None:
        """Ends what decodes large requests."""
        self._heavy.close()

    def hold(self) -> Hold:
        """Counts the memory of one request, from its first byte to its answer."""
        return Hold(self.in_flight)

    def admit(self, project: str) -> None:
        """Asked before a body is read. Raises Refusal, retryable, while the project has sent more than it may."""
        self._limiter.admit(project)

    async def take(
        self, signal: Signal, body: bytes, transport: str, project: str = DEFAULT_PROJECT, identity: bytes | None = None
    ) -> Accepted:
        """Acks one request of a project: when this returns, its accepted items survive a crash.

        identity: what tells the request from others; None: its bytes. Raises Refusal: malformed, or (retryable) the spool is
        full or cannot be written.
        """
        started = time.perf_counter()
        try:
            accepted = await self._take(signal, body, project, identity)
        except status.Refusal as refusal:
            self.count_refusal(signal, transport, refusal)
            raise
        self._metrics.add(m.REQUESTS, signal=signal, transport=transport, outcome="accepted")
        self._metrics.add(m.REQUEST_BYTES, len(body), signal=signal)
        self._metrics.observe(m.ACK_SECONDS, time.perf_counter() - started, signal=signal)
        return accepted

    async def _take(self, signal: Signal, body: bytes, project: str, identity: bytes | None) -> Accepted:
        self._limiter.charge(project, size=len(body))
        try:
            if len(body) <= INLINE_BYTES:
                verdict = check(signal, body, project, self._max_value_bytes)
            else:
                verdict = await self._heavy.run(check, signal, body, project, self._max_value_bytes)
        except TooManyError as error:
            raise status.too_large(str(error)) from None
        except MalformedError as error:
            raise status.malformed(str(error)) from None
        self._limiter.charge(project, items=verdict.received)
        if identity is not None:
            verdict = replace(verdict, digest=digest(identity, project))
        accepted = verdict.received - verdict.rejected
        if verdict.truncated:
            self._metrics.add(m.TRUNCATED, verdict.truncated, signal=signal)
        if verdict.received == 0:
            return Accepted(0, "")
        if not accepted or await self._is_duplicate(signal, verdict.digest):
            await _durable(self._append(signal, self._note(verdict, project, duplicate=accepted), b""))
        else:
            self._check_space(len(verdict.payload))
            append = self._append(signal, self._request(verdict, project), verdict.payload)
            self._remember(signal, verdict.digest, append)
            await _durable(append)
        return Accepted(verdict.rejected, verdict.reason)

    async def decoded(self, work: Callable[[Signal, bytes], bytes], signal: Signal, body: bytes) -> bytes:
        """What `work` makes of a body, away from the loop. Raises Refusal, and what `work` raises."""
        if len(body) <= INLINE_BYTES:
            return await asyncio.to_thread(work, signal, body)
        try:
            return await self._heavy.run(work, signal, body)
        except TooManyError as error:
            raise status.too_large(str(error)) from None

    async def _is_duplicate(self, signal: Signal, digest: bytes) -> bool:
        """Whether these bytes are durable here. A copy that is being written is waited for: it may yet fail."""
        under_way = self._under_way[signal]
        while digest in under_way:
            await asyncio.wait([under_way[digest]])
        return digest in self._known[signal]

    def _remember(self, signal: Signal, digest: bytes, append: asyncio.Future[None]) -> None:
        def settle(done: asyncio.Future[None]) -> None:
            del self._under_way[signal][digest]
            if done.exception() is None:
                self._known[signal].add(digest)

        self._under_way[signal][digest] = append
        append.add_done_callback(settle)

    def _request(self, verdict: Verdict, project: str) -> Record:
        return Record(
            Kind.REQUEST,
            verdict.received,
            verdict.rejected,
            0,
            verdict.first_ns,
            verdict.last_ns,
            int(self._wall() * 1000),
            verdict.digest,
            project=project,
        )

    def _note(self, verdict: Verdict, project: str, duplicate: int) -> Record:
        at_ms = int(self._wall() * 1000)
        return Record(Kind.NOTE, verdict.received, verdict.rejected, duplicate, at_ms=at_ms, project=project)

    def _append(self, signal: Signal, record: Record, payload: bytes) -> asyncio.Future[None]:
        return asyncio.wrap_future(self._spools[signal].append(record, payload))

    def _check_space(self, size: int) -> None:
        waiting = sum(spool.unsettled_bytes for spool in self._spools.values())
        if waiting + size > self._max_spool_bytes:
            raise status.unavailable(
                f"the spool is full: {waiting >> 20} MB wait for the database (collector.max_spool_mb "
                f"= {self._max_spool_bytes >> 20})",
                RETRY_SECONDS,
            )

        if self._free is not None and self._free.bytes < self._min_free_bytes + size:
            raise status.unavailable(
                f"the disk is full: {self._free.bytes >> 20} MB are left on it (collector.min_free_mb "
                f"= {self._min_free_bytes >> 20})",
                RETRY_SECONDS,
            )

    def count_refusal(self, signal: str, transport: str, refusal: status.Refusal) -> None:
        """Counts a request that a transport refused before it came here, or that `take` refused."""
        self._metrics.add(m.REQUESTS, signal=signal, transport=transport, outcome=f"refused_{refusal.http}")

    def forget(self, signal: Signal, digests: list[bytes]) -> None:
        """Drops digests of expired segments: the same bytes are a new request from now on."""
        self._known[signal].difference_update(digests)

    def accounts(self) -> dict[Signal, Accounts]:
        """The account of each signal by project."""
        return {signal: spool.accounts() for signal, spool in self._spools.items()}


async def _durable(append: asyncio.Future[None]) -> None:
    """Waits for the fsync. A sender that hangs up does not take its record back: the write goes on."""
    try:
        await asyncio.shield(append)
    except SpoolWriteError as error:
        raise status.unavailable(f"the spool cannot be written: {error.strerror or error}", RETRY_SECONDS) from None
