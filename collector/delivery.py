"""A segment to the database exactly once: one insert, and what to do when that did not go cleanly."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from collector import metrics as m
from collector.database import Database, DatabaseError
from collector.pieces import PART_NS, Key, Piece, by_period, keys, missing, period_of, pieces
from collector.segment import Segment, Signal
from collector.spool import Spool
from leewatch.semconv.protobuf import EXTRA_FIELDS

log = logging.getLogger(__name__)

PROJECT = "default"
"""Every request belongs to it until senders authenticate with a project's key."""


@dataclass(frozen=True, slots=True)
class Statements:
    """SQL and settings of the inserts. repairs: what derives, for one batch, the rows that a view did not."""

    insert: Mapping[Signal, str]
    settings: Mapping[Signal, Mapping[str, Any]]
    repairs: Mapping[Signal, Sequence[str]]
    queries: Mapping[str, str]


class Delivery:
    """Delivers segments of one signal, one at a time."""

    def __init__(self, signal: Signal, spool: Spool, database: Database, statements: Statements, metrics: m.Metrics):
        self._signal = signal
        self._spool = spool
        self._database = database
        self._statements = statements
        self._metrics = metrics

    def deliver(self, segment: Segment, clean: bool) -> bool:
        """Stores the segment and settles it. May be called again after a failure, with `clean` False.

        clean: no insert of this segment can have reached the database before. Returns whether it went through without
        repair. Raises DatabaseError (not refused) when the database cannot do it now.
        """
        try:
            for token, bodies in parts(self._spool, segment):
                self._insert(segment, token, bodies)
        except DatabaseError as error:
            if not error.refused:
                raise
            self._metrics.add(m.INSERT_FAILURES, signal=self._signal, reason="refused")
            log.error("the database refused batch %s, looking for the culprit: %s", segment.batch, error)
            clean = False
        stored = self._ledger(segment) if clean else -1
        if stored == segment.accepted:
            self._spool.settle(segment, stored, 0)
            return True
        self._reconcile(segment)
        return False

    def _insert(self, segment: Segment, token: str, bodies: Iterable[bytes]) -> None:
        started = time.perf_counter()
        settings = {**self._statements.settings[self._signal], "insert_deduplication_token": token}
        data = chain(bodies, [trailer(segment.batch, received_ns(segment))])
        self._database.insert(self._statements.insert[self._signal], data, settings)
        self._metrics.observe(m.INSERT_SECONDS, time.perf_counter() - started, signal=self._signal)

    def _query(self, name: str, segment: Segment) -> list[list[Any]]:
        parameters = {"batch": segment.batch}
        if "{signal:" in self._statements.queries[name]:
            parameters["signal"] = self._signal
        return self._database.rows(self._statements.queries[name], **parameters)

    def _ledger(self, segment: Segment) -> int:
        return int(self._query("ledger", segment)[0][0])

    # -- after a crash, a lost answer or a refusal --------------------------------------------------------------------

    def _reconcile(self, segment: Segment) -> None:
        """Compares the batch with what the database holds of it, span by span; stores what is missing; settles."""
        body = b"".join(self._spool.payloads(segment))
        dead = self._dead(segment)
        there = self._present(segment) + dead
        if there != keys(self._signal, body, received_ns(segment)):
            lacking = missing(pieces(self._signal, body, received_ns(segment)), there)
            log.warning("batch %s lacks %d of %d, inserting them", segment.batch, len(lacking), segment.accepted)
            self._metrics.add(m.REPAIRED, len(lacking), signal=self._signal)
            for group in periods(self._signal, lacking, received_ns(segment)):
                self._insert_or_bury(segment, group)
            dead = self._dead(segment)
        for statement in self._statements.repairs[self._signal]:
            self._repair(segment, statement)
        stored = self._present(segment).total()
        if self._ledger(segment) != stored:
            self._correct_ledger(segment, stored)
        self._spool.settle(segment, stored, dead.total())

    def _present(self, segment: Segment) -> Counter[Key]:
        rows = self._query(f"present_{self._signal}", segment)
        return Counter({(trace, span, int(at)): int(count) for trace, span, at, count in rows})

    def _dead(self, segment: Segment) -> Counter[Key]:
        rows = self._query("dead_letters_of_batch", segment)
        received = received_ns(segment)
        return sum((keys(self._signal, base64.b64decode(body), received) for (body,) in rows), Counter[Key]())

    def _insert_or_bury(self, segment: Segment, group: Sequence[Piece]) -> None:
        """Inserts the pieces; on a refusal halves them until the culprits stand alone, and buries those."""
        try:
            self._insert(segment, fresh_token(segment.batch, group), [piece.body for piece in group])
            return
        except DatabaseError as error:
            if not error.refused:
                raise
            reason = str(error)
        # A refusal by a later view may leave the raw rows behind: those are stored and must not come again.
        lacking = missing(group, self._present(segment))
        if not lacking:
            return
        if len(lacking) == 1:
            self._bury(segment, lacking[0], reason)
            return
        middle = len(lacking) // 2
        self._insert_or_bury(segment, lacking[:middle])
        self._insert_or_bury(segment, lacking[middle:])

    def _bury(self, segment: Segment, piece: Piece, reason: str) -> None:
        identity = fresh_token(segment.batch, [piece])
        row = {
            "id": identity,
            "signal": self._signal,
            "batch": segment.batch,
            "spans": 1,
            "reason": reason,
            "body": base64.b64encode(piece.body).decode(),
        }
        log.error("refused by the database, kept in dead_letters as %s: %s", identity, reason)
        settings = {"async_insert": 0, "insert_deduplication_token": identity}
        self._database.insert(self._statements.queries["insert_dead_letters"], orjson.dumps(row), settings)

    def _repair(self, segment: Segment, statement: str) -> None:
        try:
            self._database.execute(statement, {}, batch=segment.batch)
        except DatabaseError as error:
            if not error.refused:
                raise
            # The raw rows are safe, and the segment must not hold up those behind it.
            self._metrics.add(m.INSERT_FAILURES, signal=self._signal, reason="repair_refused")
            log.error("batch %s is stored raw, deriving the rest failed: %s", segment.batch, error)

    def _correct_ledger(self, segment: Segment, stored: int) -> None:
        queries = self._statements.queries
        self._database.execute(queries["clear_ledger"], {}, batch=segment.batch, signal=self._signal)
        row = {"batch": segment.batch, "signal": self._signal, "spans": stored}
        self._database.insert(queries["insert_ledger"], orjson.dumps(row), {"async_insert": 0})


def parts(spool: Spool, segment: Segment) -> Iterator[tuple[str, Iterable[bytes]]]:
    """(dedup token, requests) of each insert of a segment: one, unless its spans cover too many days."""
    first = min((record.first_ns for record in segment.requests), default=0)
    last = max((record.last_ns for record in segment.requests), default=0)
    if not segment.requests:
        return
    if last - first <= PART_NS:
        yield segment.batch, spool.payloads(segment)
        return
    grouped: dict[int, list[bytes]] = {}
    for record, payload in zip(segment.requests, spool.payloads(segment), strict=True):
        period = period_of(record.first_ns)
        whole = period == period_of(record.last_ns)
        for number, body in (
            {period: payload} if whole else by_period(segment.signal, payload, received_ns(segment))
        ).items():
            grouped.setdefault(number, []).append(body)
    for number in sorted(grouped):
        yield f"{segment.batch}/{number}", grouped[number]


def periods(signal: Signal, group: Sequence[Piece], received_ns: int) -> Iterator[list[Piece]]:
    """The pieces in groups that each fit one insert."""
    grouped: dict[int, list[Piece]] = {}
    for piece in group:
        grouped.setdefault(next(iter(by_period(signal, piece.body, received_ns))), []).append(piece)
    yield from grouped.values()


def fresh_token(batch: str, group: Sequence[Piece]) -> str:
    """A token for exactly these pieces, the same after every restart."""
    return f"{batch}/{hashlib.sha256(repr([piece.key for piece in group]).encode()).hexdigest()[:24]}"


def received_ns(segment: Segment) -> int:
    """When the first request of a segment came, ns since the epoch: the receive time of all of it."""
    return segment.records[0].at_ms * 1_000_000


def trailer(batch: str, received_ns: int) -> bytes:
    """Protobuf fields behind a concatenated request by which the views learn project, receive time and batch."""
    return b"".join(
        (
            _text_field(EXTRA_FIELDS["project"], PROJECT),
            _varint(EXTRA_FIELDS["received_at"] << 3) + _varint(received_ns),
            _text_field(EXTRA_FIELDS["batch"], batch),
        )
    )


def _text_field(number: int, text: str) -> bytes:
    data = text.encode()
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
