"""A segment to the database exactly once: one insert, and what to do when that did not go cleanly."""

from __future__ import annotations

import base64
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from collector import metrics as m
from collector.batches import Batch, Message, batches, fresh_token, inserts, periods
from collector.database import Database, DatabaseError
from collector.faults import Fault
from collector.pieces import Key, Piece, keys, missing, pieces
from collector.segment import Outcome, Segment, Signal
from collector.spool import Spool

log = logging.getLogger(__name__)


UNCLEAR_TRIES = 5
"""Failures for an unclear reason after which it is taken to lie in the data; with the writer's backoff, some seconds."""


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
        repair. Raises DatabaseError when the database cannot do it now, or refused it for a reason that may pass.
        """
        try:
            for token, messages in inserts(self._spool, segment):
                self._insert(token, messages)
        except DatabaseError as error:
            if not lies_in_the_data(error, segment):
                raise
            self._metrics.add(m.INSERT_FAILURES, signal=self._signal, reason="refused")
            log.error("the database refused batch %s, looking for the culprit: %s", segment.token, error)
            clean = False
        whole = batches(segment)
        ledger = self._ledger(segment.token) if clean and whole else {}
        complete = clean and all(ledger.get(batch.name) == batch.accepted for batch in whole)
        self._spool.settle(
            segment,
            {
                batch.project: Outcome(batch.accepted) if complete else self._reconcile(segment, batch)
                for batch in whole
            },
        )
        return complete

    def _insert(self, token: str, messages: Sequence[Message]) -> None:
        started = time.perf_counter()
        settings = {**self._statements.settings[self._signal], "insert_deduplication_token": token}
        data = chain.from_iterable(message.encode() for message in messages)
        self._database.insert(self._statements.insert[self._signal], data, settings)
        self._metrics.observe(m.INSERT_SECONDS, time.perf_counter() - started, signal=self._signal)

    def _query(self, name: str, batch: str) -> list[list[Any]]:
        parameters = {"batch": batch}
        if "{signal:" in self._statements.queries[name]:
            parameters["signal"] = self._signal
        return self._database.rows(self._statements.queries[name], **parameters)

    def _ledger(self, batch: str) -> dict[str, int]:
        """Spans stored by the inserts of the batches whose names begin so."""
        return {name: int(spans) for name, spans in self._query("ledger", batch)}

    # -- after a crash, a lost answer or a refusal --------------------------------------------------------------------

    def _reconcile(self, segment: Segment, batch: Batch) -> Outcome:
        """Compares the batch with what the database holds of it, span by span, and stores what is missing."""
        body = b"".join(self._spool.payloads(segment, batch.records))
        dead = self._dead(batch)
        there = self._present(batch) + dead
        if there != keys(self._signal, body, batch.received_ns):
            lacking = missing(pieces(self._signal, body, batch.received_ns), there)
            log.warning("batch %s lacks %d of %d, inserting them", batch.name, len(lacking), batch.accepted)
            self._metrics.add(m.REPAIRED, len(lacking), signal=self._signal)
            for group in periods(self._signal, lacking, batch.received_ns):
                self._insert_or_bury(segment, batch, group)
            dead = self._dead(batch)
        for statement in self._statements.repairs[self._signal]:
            self._repair(segment, batch, statement)
        stored = self._present(batch).total()
        if self._ledger(batch.name).get(batch.name, 0) != stored:
            self._correct_ledger(batch, stored)
        return Outcome(stored, dead.total())

    def _present(self, batch: Batch) -> Counter[Key]:
        rows = self._query(f"present_{self._signal}", batch.name)
        return Counter({(trace, span, int(at)): int(count) for trace, span, at, count in rows})

    def _dead(self, batch: Batch) -> Counter[Key]:
        rows = self._query("dead_letters_of_batch", batch.name)
        return sum((keys(self._signal, base64.b64decode(body), batch.received_ns) for (body,) in rows), Counter[Key]())

    def _insert_or_bury(self, segment: Segment, batch: Batch, group: Sequence[Piece]) -> None:
        """Inserts the pieces; on a refusal halves them until the culprits stand alone, and buries those."""
        try:
            self._insert(fresh_token(batch.name, group), [Message.of(batch, [piece.body for piece in group])])
            return
        except DatabaseError as error:
            if not lies_in_the_data(error, segment):
                raise
            reason = str(error)
        # A refusal by a later view may leave the raw rows behind: those are stored and must not come again.
        lacking = missing(group, self._present(batch))
        if not lacking:
            return
        if len(lacking) == 1:
            self._bury(batch, lacking[0], reason)
            return
        middle = len(lacking) // 2
        self._insert_or_bury(segment, batch, lacking[:middle])
        self._insert_or_bury(segment, batch, lacking[middle:])

    def _bury(self, batch: Batch, piece: Piece, reason: str) -> None:
        identity = fresh_token(batch.name, [piece])
        row = {
            "id": identity,
            "signal": self._signal,
            "batch": batch.name,
            "spans": 1,
            "reason": reason,
            "body": base64.b64encode(piece.body).decode(),
        }
        log.error("refused by the database, kept in dead_letters as %s: %s", identity, reason)
        settings = {"async_insert": 0, "insert_deduplication_token": identity}
        self._database.insert(self._statements.queries["insert_dead_letters"], orjson.dumps(row), settings)

    def _repair(self, segment: Segment, batch: Batch, statement: str) -> None:
        try:
            self._database.execute(statement, {}, batch=batch.name)
        except DatabaseError as error:
            if not lies_in_the_data(error, segment):
                raise
            # The raw rows are safe, and the segment must not hold up those behind it.
            self._metrics.add(m.INSERT_FAILURES, signal=self._signal, reason="repair_refused")
            log.error("batch %s is stored raw, deriving the rest failed: %s", batch.name, error)

    def _correct_ledger(self, batch: Batch, stored: int) -> None:
        queries = self._statements.queries
        self._database.execute(queries["clear_ledger"], {}, batch=batch.name, signal=self._signal)
        row = {"batch": batch.name, "signal": self._signal, "project": batch.project, "spans": stored}
        self._database.insert(queries["insert_ledger"], orjson.dumps(row), {"async_insert": 0})


def lies_in_the_data(error: DatabaseError, segment: Segment) -> bool:
    """Whether the culprits of this failure are to be sought among the spans. An unclear reason becomes one in the end."""
    return error.fault is Fault.REFUSED or (error.fault is Fault.UNCLEAR and segment.unclear >= UNCLEAR_TRIES)
