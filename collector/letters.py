"""Dead letters again: what they hold, and storing them once what refused them is mended.

A letter is replayed straight into the database under a batch name of its own, `replay/ID`. So it is stored exactly once
however often, and by however many, it is replayed: the name is looked up before each insert and is its deduplication token.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from collector import metrics as m
from collector.batches import Batch, Message
from collector.database import Database, DatabaseError
from collector.faults import Fault
from collector.pieces import keys
from collector.reconcile import EVERY_HASH
from collector.segment import Signal
from collector.statements import statements
from collector.tables import Tables
from leewatch.config import Settings
from leewatch.errors import InputError, StoreUnavailableError
from leewatch.storage import queries

REPLAY = "replay/"
EVER = "1970-01-01 00:00:00"
TIMEOUT = httpx.Timeout(120.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row of dead_letters. action: what was done with it: replayed, dropped or nothing yet (empty). at: UTC."""

    id: str
    signal: Signal
    kind: str
    derived: str
    batch: str
    project: str
    at: str
    spans: int
    reason: str
    action: str

    @property
    def short(self) -> str:
        """What tells it apart at a glance; taken in place of the id where it is unambiguous."""
        return self.id.split("/", 1)[-1][:12]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters. Empty: any. since: UTC time as ClickHouse reads it. reason: text in it. done: also those done with."""

    signal: str = ""
    kind: str = ""
    project: str = ""
    since: str = EVER
    reason: str = ""
    done: bool = False


class Letters:
    """The dead letters of one installation. Leave it by `close`. Raises StoreUnavailableError when nothing answers."""

    def __init__(self, settings: Settings) -> None:
        self._client = httpx.Client(timeout=TIMEOUT, trust_env=False)
        self._database = Database(settings, self._client, lambda _: None)
        self._statements = statements()
        self._queries: Mapping[str, str] = queries.load("dead_letters")

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()

    def select(self, chosen: Selection, limit: int = 1_000_000) -> list[DeadLetter]:
        """The letters, newest first."""
        rows = self._rows(
            "list",
            signal=chosen.signal,
            kind=chosen.kind,
            project=chosen.project,
            since=chosen.since,
            reason=chosen.reason,
            done=str(int(chosen.done)),
            limit=str(limit),
        )
        return [_letter(row) for row in rows]

    def named(self, name: str) -> DeadLetter:
        """The letter with this id, or whose id or short name begins so. Raises InputError when there is none, or several."""
        found = [_letter(row) for row in self._rows("named", start=name)]
        exact = [letter for letter in found if letter.id == name]
        if len(exact or found) != 1:
            told = "no dead letter is" if not found else f"{len(found)} dead letters are"
            raise InputError(f"{told} named {name}: see `leewatch dead-letters list --all`")
        return (exact or found)[0]

    def body(self, letter: DeadLetter) -> bytes:
        """The OTLP request that it holds."""
        return base64.b64decode(self._rows("body", id=letter.id)[0][0])

    def drop(self, letters: Sequence[DeadLetter]) -> None:
        """Deletes them with their content."""
        for letter in letters:
            self._mark(letter, "dropped")
            self._run(self._queries["delete"], id=letter.id)

    def replay(self, letter: DeadLetter) -> str:
        """Stores what it holds: `replayed`, or `already stored`. Raises DatabaseError when that is refused again."""
        done = self._derive(letter) if letter.kind == "derivation" else self._store(letter)
        self._mark(letter, "replayed")
        return done

    def _store(self, letter: DeadLetter) -> str:
        body = self.body(letter)
        tables = Tables(letter.signal, self._database, self._statements, m.Metrics())
        batch = Batch(REPLAY + letter.id, letter.project, time.time_ns(), ())
        tables.await_silence(batch.name)
        if self._elsewhere(letter, body):
            return "already stored"
        known = tables.present(batch).total()
        if not known:
            tables.insert(batch.name, [Message.of(batch, [body])])
        for derived in tables.repairs:
            tables.derive(batch, derived, *EVERY_HASH)
        if tables.present(batch).total() != letter.spans:
            raise DatabaseError(f"the database took {letter.id} without an error but does not hold it", Fault.UNCLEAR)
        return "already stored" if known else "replayed"

    def _elsewhere(self, letter: DeadLetter, body: bytes) -> bool:
        """Whether the sender brought the same spans again since, and they were stored."""
        if letter.signal != "traces":
            return False
        ids = list(keys(letter.signal, body, 0))
        return all(
            int(self._rows("stored_span", trace=trace, span=span, batch=REPLAY + letter.id)[0][0])
            for trace, span, _ in ids
        )

    def _derive(self, letter: DeadLetter) -> str:
        tables = Tables(letter.signal, self._database, self._statements, m.Metrics())
        batch = Batch(letter.batch, letter.project, time.time_ns(), ())
        ids = {key[:2] for key in keys(letter.signal, self.body(letter), 0)}
        hashes = [number for number, there in tables.hashes(batch).items() if there & ids]
        if not hashes:
            raise DatabaseError(f"the raw rows of {letter.id} are gone (storage.raw_days)", Fault.REFUSED)
        for number in hashes:
            tables.derive(batch, letter.derived, number, number)
        return "replayed"

    def _mark(self, letter: DeadLetter, action: str) -> None:
        row = orjson.dumps({"id": letter.id, "action": action})
        try:
            self._database.insert(self._queries["insert_action"], row, {"async_insert": 0})
        except DatabaseError as error:
            raise _told(error) from None

    def _rows(self, name: str, **parameters: str) -> list[list[Any]]:
        try:
            return self._database.rows(self._queries[name], **parameters)
        except DatabaseError as error:
            raise _told(error) from None

    def _run(self, statement: str, **parameters: str) -> None:
        try:
            self._database.execute(statement, {}, **parameters)
        except DatabaseError as error:
            raise _told(error) from None


def _told(error: DatabaseError) -> Exception:
    return StoreUnavailableError(str(error)) if error.fault is Fault.UNAVAILABLE else InputError(str(error))


def _letter(row: Sequence[Any]) -> DeadLetter:
    identity, signal, kind, derived, batch, project, at, spans, reason, action = row
    return DeadLetter(identity, signal, kind, derived, batch, project, at, int(spans), reason, action)
