"""A batch whose insert did not go cleanly: what is missing is stored, and what cannot be stored is found and kept aside.

Everything here may be interrupted at any point and begun again: what was done is read from the database, never remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from collector import metrics as m
from collector.batches import Batch, Message, fresh_token, periods
from collector.database import DatabaseError
from collector.faults import Fault
from collector.pieces import Piece, keys, missing, pieces
from collector.segment import Outcome, Segment
from collector.tables import Letter, Tables

log = logging.getLogger(__name__)

UNCLEAR_TRIES = 5
"""Failures for an unclear reason after which it is taken to lie in the data; with the writer's backoff, some seconds."""
SUSPECT_TRIES = 3
"""So often one span alone must fail for an unclear reason before it is given up; in between the writer waits longer each time."""
EVERY_HASH = (0, (1 << 64) - 1)


class Reconciliation:
    """Compares batches with what the database holds of them, span by span."""

    def __init__(self, tables: Tables, metrics: m.Metrics) -> None:
        self._tables = tables
        self._metrics = metrics

    def reconcile(self, segment: Segment, batch: Batch, body: bytes) -> Outcome:
        """Stores what is missing of the batch, derives what is missing from it, puts the ledger right.

        body: all requests of the batch. Raises DatabaseError: call it again, later.
        """
        tables, signal = self._tables, self._tables.signal
        tables.await_silence(segment.token)
        there = tables.present(batch) + tables.dead(batch)
        if there != keys(signal, body, batch.received_ns):
            lacking = missing(pieces(signal, body, batch.received_ns), there)
            log.warning("batch %s lacks %d of %d, inserting them", batch.name, len(lacking), batch.accepted)
            self._metrics.add(m.REPAIRED, len(lacking), signal=signal)
            self._each(segment, batch, list(periods(signal, lacking, batch.received_ns)))
        for derived in tables.repairs:
            self._derive(segment, batch, body, derived)
        stored, dead = tables.present(batch).total(), tables.dead(batch).total()
        if stored + dead < batch.accepted:
            raise DatabaseError(f"{batch.accepted - stored - dead} of batch {batch.name} vanished", Fault.UNCLEAR)
        if stored + dead > batch.accepted:
            log.error("batch %s: %d stored, of %d accepted", batch.name, stored, batch.accepted)
        if tables.ledger(batch.name).get(batch.name, 0) != stored:
            tables.correct_ledger(batch, stored)
        return Outcome(stored, dead)

    # -- raw rows -----------------------------------------------------------------------------------------------------

    def _each(self, segment: Segment, batch: Batch, groups: Sequence[Sequence[Piece]]) -> None:
        """Stores every group; those that stay unclear are left for later, but hold up no other."""
        undecided: list[DatabaseError] = []
        for group in groups:
            try:
                self._store(segment, batch, group)
            except DatabaseError as error:
                if error.fault is Fault.UNAVAILABLE:
                    raise
                undecided.append(error)
        if undecided:
            raise undecided[0]

    def _store(self, segment: Segment, batch: Batch, group: Sequence[Piece]) -> None:
        """Inserts the pieces; on a failure halves them until the culprits stand alone, and buries those."""
        token = fresh_token(batch.name, group)
        failure = _known(segment, token) if len(group) > 1 else None
        if failure is None:
            try:
                self._tables.insert(token, [Message.of(batch, [piece.body for piece in group])])
                return
            except DatabaseError as error:
                note(segment, token, error)
                failure = error
        # A refusal by a later view may leave the raw rows behind: those are stored and must not come again.
        lacking = missing(group, self._tables.present(batch))
        if len(group) > 1:
            middle = len(lacking) // 2
            self._each(segment, batch, [half for half in (lacking[:middle], lacking[middle:]) if half])
        elif lacking:
            self._alone(segment, batch, lacking[0], failure)

    def _alone(self, segment: Segment, batch: Batch, piece: Piece, failure: DatabaseError) -> None:
        token = fresh_token(batch.name, [piece])
        if failure.code and not _known(segment, token + "/raw"):
            try:
                self._tables.insert(token + "/raw", [Message.of(batch, [piece.body])], tolerant=True)
            except DatabaseError as error:
                if error.fault is Fault.UNAVAILABLE:
                    raise
            if not missing([piece], self._tables.present(batch)):
                return  # only a derived table refuses it, which `_derive` is to find out
        if failure.fault is Fault.UNCLEAR and not self._proven(segment, token):
            raise failure
        identity = self._tables.bury(batch, [piece], Letter("refused", str(failure)))
        log.error("refused by the database, kept in dead_letters as %s: %s", identity, failure)

    def _proven(self, segment: Segment, token: str) -> bool:
        """Whether an unclear failure lies in the data: it came again and again, and other data went in meanwhile."""
        return segment.tried[token] >= SUSPECT_TRIES and self._tables.last_success() > segment.aside_since

    # -- derived rows -------------------------------------------------------------------------------------------------

    def _derive(self, segment: Segment, batch: Batch, body: bytes, derived: str) -> None:
        key = f"{batch.name}/{derived}/{EVERY_HASH[0]}-{EVERY_HASH[1]}"
        if not _known(segment, key):
            try:
                self._tables.derive(batch, derived, *EVERY_HASH)
                return
            except DatabaseError as error:
                note(segment, key, error)
                log.error(
                    "batch %s: %s cannot be derived whole, looking for the culprit: %s", batch.name, derived, error
                )
        hashes = self._tables.hashes(batch)
        self._derive_some(segment, batch, body, derived, hashes, sorted(hashes))

    def _derive_some(
        self,
        segment: Segment,
        batch: Batch,
        body: bytes,
        derived: str,
        ids: dict[int, set[tuple[str, str]]],
        hashes: Sequence[int],
    ) -> None:
        """Derives the rows of the items with these hashes, and halves those that fail until the culprit stands alone."""
        if not hashes:
            return
        key = f"{batch.name}/{derived}/{hashes[0]}-{hashes[-1]}"
        failure = _known(segment, key) if len(hashes) > 1 else None
        if failure is None:
            try:
                self._tables.derive(batch, derived, hashes[0], hashes[-1])
                return
            except DatabaseError as error:
                note(segment, key, error)
                failure = error
        if len(hashes) > 1:
            middle = len(hashes) // 2
            for half in (hashes[:middle], hashes[middle:]):
                self._derive_some(segment, batch, body, derived, ids, half)
            return
        if failure.fault is Fault.UNCLEAR and segment.tried[key] < SUSPECT_TRIES:
            raise failure
        self._report(batch, body, derived, ids[hashes[0]], failure)

    def _report(
        self, batch: Batch, body: bytes, derived: str, ids: set[tuple[str, str]], failure: DatabaseError
    ) -> None:
        culprits = [
            piece for piece in pieces(self._tables.signal, body, batch.received_ns) if tuple(piece.key[:2]) in ids
        ]
        identity = self._tables.bury(batch, culprits, Letter("derivation", str(failure), derived))
        self._metrics.add(m.UNDERIVED, len(culprits), signal=self._tables.signal, table=derived)
        log.error("stored raw, but lacks its rows in %s, see dead letter %s: %s", derived, identity, failure)


def lies_in_the_data(error: DatabaseError, segment: Segment) -> bool:
    """Whether the culprits of this failure are to be sought among the spans. An unclear reason becomes one in the end."""
    return error.fault is Fault.REFUSED or (error.fault is Fault.UNCLEAR and to_be_split(segment))


def to_be_split(segment: Segment) -> bool:
    """Whether this segment failed so often for an unclear reason that it is taken apart before it is tried again."""
    return segment.unclear >= UNCLEAR_TRIES


def note(segment: Segment, key: str, error: DatabaseError) -> None:
    """Remembers an unclear failure, or raises the error when there is nothing to seek among the spans.

    Data that kill the database would kill it again at each new beginning: what failed once is halved at once.
    """
    if not lies_in_the_data(error, segment):
        raise error
    if error.fault is Fault.UNCLEAR:
        segment.tried[key] += 1


def _known(segment: Segment, key: str) -> DatabaseError | None:
    return DatabaseError("failed before", Fault.UNCLEAR) if segment.tried[key] else None
