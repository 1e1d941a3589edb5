"""What the database holds of a batch, and how to add to it: one signal's inserts and questions."""

from __future__ import annotations

import base64
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import orjson

from collector import metrics as m
from collector.batches import Batch, Message, fresh_token
from collector.database import Database, DatabaseError
from collector.faults import Fault
from collector.pieces import Key, Piece, bare, keys
from collector.segment import Signal


@dataclass(frozen=True, slots=True)
class Statements:
    """SQL and settings of the inserts.

    repairs: by derived table what derives, for one batch and the hashes of (TraceId, SpanId) from `low` to `high`, the
    rows that a view did not. drops: whether the content of a project is dropped.
    """

    insert: Mapping[Signal, str]
    settings: Mapping[Signal, Mapping[str, Any]]
    repairs: Mapping[Signal, Mapping[str, str]]
    queries: Mapping[str, str]
    redaction_key: bytes = field(default=b"", repr=False)
    drops: Callable[[str], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of dead_letters. kind: refused, or derivation (stored, but `derived` lacks the rows that it should bring)."""

    kind: str
    reason: str
    derived: str = ""


class Tables:
    """The tables of one signal. Every method raises DatabaseError. One thread at a time."""

    def __init__(self, signal: Signal, database: Database, statements: Statements, metrics: m.Metrics) -> None:
        self.signal = signal
        self.repairs = statements.repairs[signal]
        self._database = database
        self._statements = statements
        self._metrics = metrics

    def insert(self, token: str, messages: Sequence[Message], tolerant: bool = False) -> None:
        """Stores the messages. Repeated under the same token it adds nothing.

        tolerant: rows go to the raw table though a later view refuses what it is to derive from them.
        """
        started = time.perf_counter()
        settings = {**self._statements.settings[self.signal], "insert_deduplication_token": token}
        if tolerant:
            settings["materialized_views_ignore_errors"] = 1
        data = chain.from_iterable(message.encode(self._statements.redaction_key) for message in messages)
        self._database.insert(self._statements.insert[self.signal], data, settings)
        self._metrics.observe(m.INSERT_SECONDS, time.perf_counter() - started, signal=self.signal)

    def last_success(self) -> float:
        """When an insert of this signal last succeeded, monotonic seconds; -inf when none did."""
        return self._database.succeeded.get(self._statements.insert[self.signal], float("-inf"))

    def await_silence(self, token: str) -> None:
        """Raises DatabaseError (unavailable) while the database still runs an insert whose token begins so.

        An insert whose answer was lost may yet store its rows: until it has ended nobody can say what is missing.
        """
        ((running,),) = self._database.rows(self._statements.queries["running_inserts"], token=token)
        if int(running):
            raise DatabaseError(f"{running} insert(s) of {token} still run in the database", Fault.UNAVAILABLE)

    def ledger(self, batch: str) -> dict[str, int]:
        """Items stored by the inserts of the batches whose names begin so."""
        return {name: int(spans) for name, spans in self._query("ledger", batch)}

    def correct_ledger(self, batch: Batch, stored: int) -> None:
        """Puts a verified count in place of what the inserts of a batch wrote."""
        queries = self._statements.queries
        self._database.execute(queries["clear_ledger"], {}, batch=batch.name, signal=self.signal)
        row = {"batch": batch.name, "signal": self.signal, "project": batch.project, "spans": stored}
        self._database.insert(queries["insert_ledger"], orjson.dumps(row), {"async_insert": 0})

    def present(self, batch: Batch) -> Counter[Key]:
        """What the raw table holds of the batch."""
        rows = self._query(f"present_{self.signal}", batch.name)
        return Counter({(trace, span, int(at)): int(count) for trace, span, at, count in rows})

    def dead(self, batch: Batch) -> Counter[Key]:
        """What of the batch was refused for good."""
        rows = self._query("dead_letters_of_batch", batch.name)
        return sum((keys(self.signal, base64.b64decode(body), batch.received_ns) for (body,) in rows), Counter[Key]())

    def bury(self, batch: Batch, group: Sequence[Piece], letter: Letter) -> str:
        """Writes one dead letter that holds these pieces; its id. Writing it again adds nothing.

        Where content is dropped it holds ids, names and times alone, and the number of the error: its text may quote values.
        """
        identity = fresh_token(batch.name, group) + (f"/{letter.derived}" if letter.derived else "")
        body = b"".join(piece.body for piece in group)
        if self._statements.drops(batch.project):
            body, letter = bare(self.signal, body), replace(letter, reason=_unquoted(letter.reason))
        row = {
            "id": identity,
            "signal": self.signal,
            "kind": letter.kind,
            "derived": letter.derived,
            "batch": batch.name,
            "project": batch.project,
            "spans": len(group),
            "reason": letter.reason,
            "body": base64.b64encode(body).decode(),
        }
        settings = {"async_insert": 0, "insert_deduplication_token": identity}
        self._database.insert(self._statements.queries["insert_dead_letters"], orjson.dumps(row), settings)
        return identity

    def hashes(self, batch: Batch) -> dict[int, set[tuple[str, str]]]:
        """(TraceId, SpanId) of the batch's raw rows by their hash."""
        found: dict[int, set[tuple[str, str]]] = {}
        for number, trace, span in self._query(f"hashes_{self.signal}", batch.name):
            found.setdefault(int(number), set()).add((trace, span))
        return found

    def derive(self, batch: Batch, derived: str, low: int, high: int) -> None:
        """Adds to table `derived` what it lacks of the batch's items with hashes from low to high."""
        bounds = {"batch": batch.name, "low": str(low), "high": str(high)}
        self._database.execute(self.repairs[derived], {}, **bounds)

    def _query(self, name: str, batch: str) -> list[list[Any]]:
        parameters = {"batch": batch}
        if "{signal:" in self._statements.queries[name]:
            parameters["signal"] = self.signal
        return self._database.rows(self._statements.queries[name], **parameters)


def _unquoted(reason: str) -> str:
    """What is told of an error whose text may quote values: its number and name."""
    number = re.search(r"Code: ([0-9]+)", reason, re.IGNORECASE)
    name = re.search(r"\(([A-Z][A-Z_]{3,})\)", reason)
    told = " ".join(found.group(1) for found in (number, name) if found)
    return f"{f'error {told}' if told else 'an error'}; its text may quote content, which this project drops"
