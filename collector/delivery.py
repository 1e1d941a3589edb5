"""A segment to the database exactly once: one insert, and a comparison when that did not go cleanly."""

from __future__ import annotations

import logging

from collector import metrics as m
from collector.batches import Batch, batches, inserts
from collector.database import Database, DatabaseError
from collector.reconcile import Reconciliation, lies_in_the_data, to_be_split
from collector.segment import Outcome, Segment, Signal
from collector.spool import Spool
from collector.tables import Statements, Tables

log = logging.getLogger(__name__)


class Delivery:
    """Delivers segments of one signal, one at a time."""

    def __init__(self, signal: Signal, spool: Spool, database: Database, statements: Statements, metrics: m.Metrics):
        self._signal = signal
        self._spool = spool
        self._metrics = metrics
        self._tables = Tables(signal, database, statements, metrics)
        self._reconciliation = Reconciliation(self._tables, metrics)

    def deliver(self, segment: Segment, clean: bool) -> bool:
        """Stores the segment and settles it. May be called again after a failure, with `clean` False.

        clean: no insert of this segment can have reached the database before. Returns whether it went through without
        repair. Raises DatabaseError when the database cannot do it now, or refused it for a reason that may pass.
        """
        clean = self._inserted(segment) and clean
        whole = batches(segment)
        ledger = self._tables.ledger(segment.token) if clean and whole else {}
        complete = clean and all(ledger.get(batch.name) == batch.accepted for batch in whole)
        self._spool.settle(
            segment,
            {
                batch.project: Outcome(batch.accepted) if complete else self._reconcile(segment, batch)
                for batch in whole
            },
        )
        return complete

    def _inserted(self, segment: Segment) -> bool:
        """Whether the database took the segment as a whole."""
        if to_be_split(segment):
            return False
        try:
            for token, messages in inserts(self._spool, segment):
                self._tables.insert(token, messages)
        except DatabaseError as error:
            if not lies_in_the_data(error, segment):
                raise
            self._metrics.add(m.INSERT_FAILURES, signal=self._signal, reason="refused")
            log.error("the database refused batch %s, looking for the culprit: %s", segment.token, error)
            return False
        return True

    def _reconcile(self, segment: Segment, batch: Batch) -> Outcome:
        body = b"".join(self._spool.payloads(segment, batch.records))
        return self._reconciliation.reconcile(segment, batch, body)
