"""Durable append with group commit: one fsync answers every request that waited for it.

A spool belongs to one signal. Any thread appends; one committer thread writes and syncs; writer threads take sealed
segments, insert them and settle them. A future that `append` returned resolves only after its record is on disk.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from collector.accounting import Accounts, Checkpoint, Totals, merged, of_segment, total
from collector.disk import Reserve
from collector.durable import boot_id, replace_file, sync_directory, write_all
from collector.quarantine import Quarantine
from collector.recovery import read_segment
from collector.segment import MAGIC, Kind, Outcome, Record, Segment, Settlement, Signal, encode, without_payloads

log = logging.getLogger(__name__)

SUFFIX = ".seg"
CHECKPOINT = "checkpoint.json"
RESERVE = "reserve"
FAULT_SECONDS = 0.1
"""After a failed write the disk is left alone for so long; requests that come meanwhile share the next try."""
_NAME = re.compile(r"\w+-(\d{12})-[0-9a-f]{8}\.seg")


@dataclass(frozen=True, slots=True)
class _Pending:
    record: Record
    payload: bytes
    done: Future[None]


class SpoolWriteError(OSError):
    """A record could not be made durable; nothing of it counts, and the sender may try again."""


class Spool:
    """The segments of one signal in one directory, which this process has locked."""

    def __init__(
        self,
        directory: Path,
        signal: Signal,
        flush_bytes: int,
        sync: Callable[[int], None] = os.fdatasync,
        wall: Callable[[], float] = time.time,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.signal = signal
        self._directory = directory
        self._flush_bytes = flush_bytes
        self._sync = sync
        self._wall = wall
        self._boot = boot_id()
        self._state = threading.Condition()
        self._pending: list[_Pending] = []
        self._closing = False
        self.writable = True
        self.starved = False
        self._writing = threading.Lock()
        self._open: Segment | None = None
        self._descriptor = -1
        self._waiting: deque[Segment] = deque()
        self._taken: set[int] = set()
        self._ageing = threading.Lock()
        self._settled: deque[Segment] = deque()
        self.quarantine = Quarantine(directory)
        self._reserve = Reserve(directory / RESERVE)
        self._checkpoint = self._saved_checkpoint()
        self._next = self._checkpoint.folded + 1
        self._recover()
        self._thread = threading.Thread(target=self._commit_forever, name=f"spool-{signal}", daemon=True)
        self._thread.start()

    # -- append -------------------------------------------------------------------------------------------------------

    def append(self, record: Record, payload: bytes = b"") -> Future[None]:
        """A future that resolves once the record is durable, or raises SpoolWriteError."""
        done: Future[None] = Future()
        with self._state:
            if self._closing:
                done.set_exception(SpoolWriteError("the collector is shutting down"))
                return done
            self._pending.append(_Pending(record, payload, done))
            self._state.notify_all()
        return done

    def _commit_forever(self) -> None:
        while True:
            with self._state:
                while not self._pending and not self._closing:
                    self._state.wait()
                group, self._pending = self._pending, []
                if not group:
                    return
            self._commit(group)

    def _commit(self, group: list[_Pending]) -> None:
        try:
            with self._writing:
                self._write(group)
        except OSError as error:
            log.error("spool %s cannot be written: %s", self._directory, error)
            self.writable = False
            self.starved = error.errno in {errno.ENOSPC, errno.EDQUOT}
            fault = SpoolWriteError(error.errno, error.strerror)
            for pending in group:
                pending.done.set_exception(fault)
            time.sleep(FAULT_SECONDS)
            return
        self.writable, self.starved = True, False
        with self._state:
            self._state.notify_all()
        for pending in group:
            pending.done.set_result(None)

    def _write(self, group: list[_Pending]) -> None:
        segment = self._opened()
        buffers: list[bytes] = []
        records: list[Record] = []
        position = segment.size
        for pending in group:
            header = encode(pending.record, pending.payload)
            position += len(header)
            records.append(replace(pending.record, length=len(pending.payload), offset=position))
            position += len(pending.payload)
            buffers += (header, pending.payload)
        try:
            write_all(self._descriptor, buffers)
            self._sync(self._descriptor)
        except OSError:
            self._abandon(segment)
            raise
        with self._state:
            segment.records += records
            segment.size = position
        if position >= self._flush_bytes:
            self._seal()

    def _abandon(self, segment: Segment) -> None:
        """Takes back what a failed group wrote. After a failed fsync the file is not trusted with further records."""
        try:
            if not segment.records:
                segment.path.unlink()
                os.close(self._descriptor)
                with self._state:
                    self._open, self._descriptor = None, -1
                return
            os.ftruncate(self._descriptor, segment.size)
        except OSError as error:
            log.error("spool segment %s could not be cut back: %s", segment.path, error)
        self._seal()

    def _opened(self) -> Segment:
        if self._open is None:
            path = self._directory / f"{self.signal}-{self._next:012d}-{secrets.token_hex(4)}{SUFFIX}"
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                write_all(self._descriptor, [MAGIC])
                sync_directory(self._directory)
            except OSError:
                os.close(self._descriptor)
                path.unlink(missing_ok=True)
                raise
            with self._state:
                self._open = Segment(path, self.signal, self._next, opened=time.monotonic())
            self._next += 1
        return self._open

    def _seal(self) -> None:
        """Closes the open segment and hands it to the writer. The caller holds `_writing`."""
        segment = self._open
        if segment is None:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        with self._state:
            self._open = None
            self._waiting.append(segment)
            self._state.notify_all()

    # -- what the writer does -----------------------------------------------------------------------------------------

    def take(self, max_age: float, timeout: float) -> Segment | None:
        """The oldest segment that is due and that nobody took: full, or its first record older than max_age seconds.

        It stays in the spool until `settle`, or `set_aside` gives it back. None when there is none within `timeout`
        seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._state:
                now = time.monotonic()
                free = [segment for segment in self._waiting if segment.number not in self._taken]
                for segment in free:
                    if segment.due <= now:
                        self._taken.add(segment.number)
                        return segment
                due = self._open.opened + max_age if self._open is not None else float("inf")
                if due > now:
                    if now >= deadline or (self._closing and self._open is None):
                        return None
                    self._state.wait(min(due, deadline, *(segment.due for segment in free)) - now)
                    continue
            with self._writing:
                self._seal()

    def set_aside(self, segment: Segment, seconds: float) -> None:
        """Gives a taken segment back, not to be taken again before so many seconds; those behind it go first."""
        with self._state:
            segment.due = time.monotonic() + seconds
            self._taken.discard(segment.number)
            self._state.notify_all()

    def payloads(self, segment: Segment, records: Sequence[Record] | None = None) -> Iterator[bytes]:
        """The bytes of each request, or of these; one is in memory at a time. Concatenated they are one OTLP request."""
        with segment.path.open("rb") as file:
            for record in segment.requests if records is None else records:
                file.seek(record.offset)
                yield file.read(record.length)

    def settle(self, segment: Segment, outcomes: Mapping[str, Outcome]) -> None:
        """Notes how the segment ended for each project; from now on its spans count as stored."""
        settlement = Settlement(outcomes, self._wall(), self._boot)
        try:
            self._trail(segment, settlement.encode())
        except OSError as error:
            # Without its trailer the segment is verified again after a restart, and found complete.
            log.error("spool segment %s could not be marked as stored: %s", segment.path, error)
        with self._state:
            segment.settlement = settlement
            self._waiting.remove(segment)
            self._taken.discard(segment.number)
            self._settled.append(segment)
            self._state.notify_all()

    def _trail(self, segment: Segment, payload: bytes) -> None:
        # No fsync: a killed process loses nothing, and after a machine crash (another boot id) every kept segment
        # counts as unverified, whatever its trailer says.
        header = encode(Record(Kind.SETTLED), payload)
        with segment.path.open("ab", buffering=0) as file:
            write_all(file.fileno(), [header, payload])
        segment.size += len(header) + len(payload)

    # -- ageing -------------------------------------------------------------------------------------------------------

    def expire(self, keep_seconds: float, max_bytes: int) -> list[bytes]:
        """Deletes segments settled longer ago than keep_seconds; returns the digests that are no longer known.

        While the spool is larger than max_bytes, payloads of the oldest settled segments are given up first; their
        counts and digests stay until keep_seconds have passed.
        """
        with self._ageing:
            expired = self._expired(keep_seconds)
            gone = self._reserve.spend_on(partial(self._fold, expired))
            self._reserve.fill()
            excess = self.disk_bytes - max_bytes
            for segment in list(self._settled):
                if excess <= 0:
                    break
                if segment.requests:
                    before = segment.size
                    self._reserve.spend_on(partial(self._drop_payloads, segment))
                    excess -= before - segment.size
            return gone

    def _expired(self, keep_seconds: float) -> list[Segment]:
        """Segments to be deleted, oldest first, up to the first that is not settled or not old enough.

        Segments may be settled out of order, and the checkpoint knows no gaps.
        """
        with self._state:
            ordered = sorted(self._segments(), key=lambda segment: segment.number)
        now = self._wall()
        due = now - keep_seconds
        for segment in list(self._settled):
            if segment.settlement is not None and segment.settlement.at > now:  # the clock was set back: count from now
                segment.settlement = replace(segment.settlement, at=now)
        return list(takewhile(lambda s: s.settlement is not None and s.settlement.at <= due, ordered))

    def _fold(self, segments: list[Segment]) -> list[bytes]:
        """Moves the totals of these (the oldest, in order) to the checkpoint, then deletes their files."""
        if not segments:
            return []
        accounts = merged([self._checkpoint.accounts, *(of_segment(segment) for segment in segments)])
        checkpoint = Checkpoint(segments[-1].number, accounts)
        checkpoint.save(self._directory / CHECKPOINT)
        with self._state:
            self._checkpoint = checkpoint
            for segment in segments:
                self._settled.remove(segment)
        for segment in segments:
            segment.path.unlink(missing_ok=True)
        return [record.digest for segment in segments for record in segment.records if record.accepted]

    def _drop_payloads(self, segment: Segment) -> None:
        kept, content = without_payloads(segment)
        replace_file(segment.path, content)
        with self._state:
            segment.records = kept
            segment.size = len(content)

    # -- recovery -----------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        for path in sorted(self._directory.glob(f"{self.signal}-*{SUFFIX}")):
            named = _NAME.fullmatch(path.name)
            if named is None:
                log.error("%s is no spool segment by its name, kept as %s", path.name, self.quarantine.take(path))
                continue
            number = int(named[1])
            if number <= self._checkpoint.folded:
                path.unlink()
                continue
            self._next = max(self._next, number + 1)
            segment = read_segment(path, self.signal, number, self._boot, self.quarantine)
            if segment is not None:
                (self._waiting if segment.settlement is None else self._settled).append(segment)
        (self._directory / (CHECKPOINT + ".new")).unlink(missing_ok=True)

    def _saved_checkpoint(self) -> Checkpoint:
        path = self._directory / CHECKPOINT
        try:
            return Checkpoint.load(path)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.error(
                "%s is DAMAGED (%s), kept as %s: the account begins anew with the segments that are left",
                *(path, error, self.quarantine.take(path)),
            )
            return Checkpoint()

    # -- state --------------------------------------------------------------------------------------------------------

    def _segments(self) -> list[Segment]:
        opened = [self._open] if self._open is not None else []
        return [*self._settled, *self._waiting, *opened]

    def totals(self) -> Totals:
        """The account of this signal at this moment."""
        return total(self.accounts())

    def accounts(self) -> Accounts:
        """The account of this signal by project."""
        with self._state:
            return merged([self._checkpoint.accounts, *(of_segment(segment) for segment in self._segments())])

    def digests(self) -> list[bytes]:
        """Digests of all requests that are still known."""
        with self._state:
            return [r.digest for segment in self._segments() for r in segment.records if r.accepted]

    @property
    def unsettled_bytes(self) -> int:
        """Bytes that wait for the database, those not yet written included."""
        with self._state:
            opened = self._open.size if self._open is not None else 0
            pending = sum(len(item.payload) for item in self._pending)
            return opened + pending + sum(segment.size for segment in self._waiting)

    @property
    def disk_bytes(self) -> int:
        """Bytes of all segments, kept ones included."""
        with self._state:
            return sum(segment.size for segment in self._segments())

    @property
    def segments_set_aside(self) -> int:
        """Segments whose insert failed for a reason that may lie in their data, and that wait to be tried again."""
        with self._state:
            return sum(segment.unclear > 0 for segment in self._waiting)

    @property
    def waiting_segments(self) -> int:
        with self._state:
            return len(self._waiting) + (self._open is not None)

    def close(self) -> None:
        """Writes what was appended, seals the open segment, ends the committer. Later appends are refused."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        self._thread.join()
        with self._writing:
            self._seal()
