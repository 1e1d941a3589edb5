"""Derives LLM spans and their content anew from the raw tables, day by day, while rows keep coming in.

A day is derived in a database of its own that has the generated tables and views of this release and configuration between
an `otel_traces` that stores nothing and empty targets. Then its partition takes the place of the old one in one step
(`REPLACE PARTITION`), so no row of the old mapping survives and no reader sees half a day.

Rows that arrive meanwhile: they are in the raw tables, so whatever the swap took away is found by comparing keys afterwards and
derived again. A day of which raw rows have expired is left as it is. Everything here follows from the raw tables, so after a
crash the same command simply begins again.
"""

# ruff: noqa: E501, S608 - names are checked or quoted, days are dates

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from leewatch.config import Settings
from leewatch.errors import MigrationError
from leewatch.storage import migrate
from leewatch.storage.lexer import quote_name
from leewatch.storage.migrate import Database

log = logging.getLogger(__name__)

SLICE_ROWS = 200_000
"""Raw rows of one insert: enough that its fixed cost does not matter, few enough for a progress bar and for memory."""
LATE = timedelta(minutes=10)
"""Rows inserted so long before a day's work began are derived again after the swap: their insert may still have been under way."""
LOG_DAYS = 2
"""Log records join a span of at most so many days before or after them."""
_DERIVED = ("llm_spans", "llm_content")
"""What is derived anew. The other tables of the database beside store nothing: scores and embeddings are not touched."""
_KEYS = "project, trace_id, span_id"


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is to be derived. rows: in the raw table. expired: LLM spans whose raw rows are gone."""

    day: date
    rows: int
    expired: int


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a day: LLM spans before and after, spans whose content changed, rows that came in meanwhile."""

    day: date
    before: int
    after: int
    content: int
    late: int


class Normalization:
    """Use as a context: the database beside is made on entry and dropped on exit. One at a time.

    connect: a client whose database is the named one.
    """

    def __init__(self, connect: Callable[[str], Database], settings: Settings) -> None:
        self._settings = settings
        self._connect = connect
        self._database = settings.storage.database
        self._main = quote_name(self._database)
        self._name = f"{self._database}_normalize"
        self._beside = quote_name(self._name)
        self._client = connect(self._database)
        self._targets = migrate.sources(settings)

    def __enter__(self) -> Normalization:
        """Raises MigrationError when the database has other generated objects than this release and configuration make."""
        if not migrate.is_current(self._client, self._settings):
            raise MigrationError(
                "the database was set up by another release, or with another `mapping` or `redaction` than the configuration "
                "here has. Restart `leewatch up` (on a server: run `leewatch migrate`), then derive anew."
            )
        self._client.command(f"DROP DATABASE IF EXISTS {self._beside}")
        self._client.command(f"CREATE DATABASE {self._beside}")
        stored = "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree'"
        for (table,) in self._rows(stored, database=self._database):
            engine = "" if table in _DERIVED else " ENGINE = Null"
            self._client.command(f"CREATE TABLE {self._beside}.{table} AS {self._main}.{table}{engine}")
        client = self._connect(self._name)
        for made in migrate.generated_objects(self._settings):
            client.command(made.create)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.command(f"DROP DATABASE IF EXISTS {self._beside}")

    def days(self, since: datetime, until: datetime) -> list[Day]:
        """Days (UTC) with raw spans that began in [since, until), whole, the oldest first."""
        rows = self._rows(
            "SELECT toDate(Timestamp, 'UTC') AS day, count() FROM otel_traces WHERE Timestamp >= {since:DateTime64(3, 'UTC')} "
            "AND Timestamp < {until:DateTime64(3, 'UTC')} GROUP BY day ORDER BY day",
            since=since, until=until,
        )  # fmt: skip
        return [
            Day(day, self._one(f"SELECT count() FROM otel_traces WHERE {_on(day)}"), self._expired(day))
            for day, _ in rows
        ]

    def _expired(self, day: date) -> int:
        return self._one(
            f"SELECT count() FROM (SELECT DISTINCT {_KEYS} FROM llm_spans WHERE {_on(day, 'ts')}) "
            f"WHERE (trace_id, span_id) NOT IN (SELECT TraceId, SpanId FROM otel_traces WHERE {_on(day)})"
        )

    def derive(self, day: Day, advance: Callable[[int], None]) -> Done:
        """Derives one day anew and puts it in the place of the old. advance: told of raw rows done."""
        began = datetime.now(UTC)
        before = self._spans(day.day)
        self._empty()
        self._feed(day, advance)
        self._keep_dropped(day.day)
        self._swap(day.day)
        content = self._replace_content(day.day)
        late = self.catch_up(day.day, began - LATE)
        return Done(day.day, before, self._spans(day.day), content, late)

    def catch_up(self, day: date, since: datetime) -> int:
        """Derives again what was inserted since then: the swap, or the deletion of content, may have taken it away.

        Returns how many LLM spans were missing. What is there already merges away.
        """
        self._empty()
        moment = f"toDateTime64('{since:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
        recent = f"(ReceivedAt >= {moment} OR Batch IN (SELECT batch FROM {self._main}.batches WHERE inserted_at >= {moment}))"
        self._insert("otel_traces", f"{_on(day)} AND {recent}")
        self._insert_logs(day, recent)
        there = f"SELECT {_KEYS} FROM {self._main}.llm_spans WHERE {_on(day, 'ts')}"
        lacking = f"FROM {self._beside}.llm_spans WHERE ({_KEYS}) NOT IN ({there})"
        late = self._one(f"SELECT uniqExact({_KEYS}) {lacking}")
        if late:
            self._client.command(f"INSERT INTO {self._main}.llm_spans SELECT * {lacking}")
        self._client.command(f"INSERT INTO {self._main}.llm_content SELECT * FROM {self._beside}.llm_content")
        return late

    def _empty(self) -> None:
        for table in _DERIVED:
            self._client.command(f"TRUNCATE TABLE {self._beside}.{table}")

    def _feed(self, day: Day, advance: Callable[[int], None]) -> None:
        slices = max(1, -(-day.rows // SLICE_ROWS))
        for number in range(slices):
            self._insert("otel_traces", f"{_on(day.day)} AND cityHash64(TraceId) % {slices} = {number}")
            advance(day.rows // slices)
        self._insert_logs(day.day)

    def _insert_logs(self, day: date, where: str = "true") -> None:
        """Log records of the day's spans."""
        first, end = day - timedelta(days=LOG_DAYS), day + timedelta(days=LOG_DAYS + 1)
        near = f"Timestamp >= toDateTime64('{first}', 9, 'UTC') AND Timestamp < toDateTime64('{end}', 9, 'UTC')"
        own = f"(TraceId, SpanId) IN (SELECT TraceId, SpanId FROM {self._main}.otel_traces WHERE {_on(day)})"
        self._insert("otel_logs", f"{near} AND {own} AND {where}")

    def _insert(self, table: str, where: str) -> None:
        names = ", ".join(
            f"`{name}`"
            for (name,) in self._rows(
                "SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} "
                "AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position",
                database=self._database, table=table,
            )
        )  # fmt: skip
        self._client.command(
            f"INSERT INTO {self._beside}.{self._targets[table]} ({names}) SELECT {names} FROM {self._main}.{table} WHERE {where} "
            "SETTINGS deduplicate_blocks_in_dependent_materialized_views = 0, insert_deduplicate = 0"
        )

    def _keep_dropped(self, day: date) -> None:
        """Spans whose content was dropped stay as they are: what their lengths and usage were derived from is gone."""
        self._client.command(
            f"INSERT INTO {self._beside}.llm_spans SELECT * REPLACE (now64(3, 'UTC') AS ingested_at) "
            f"FROM {self._main}.llm_spans FINAL WHERE {_on(day, 'ts')} AND content_dropped"
        )

    def _swap(self, day: date) -> None:
        """The day's partition in one step. An empty one cannot take a place: then the old one is dropped."""
        if self._one(f"SELECT count() FROM {self._beside}.llm_spans WHERE {_on(day, 'ts')}"):
            self._client.command(
                f"ALTER TABLE {self._main}.llm_spans REPLACE PARTITION '{day}' FROM {self._beside}.llm_spans"
            )
        else:
            self._client.command(f"ALTER TABLE {self._main}.llm_spans DROP PARTITION '{day}'")

    def _replace_content(self, day: date) -> int:
        """Content is not kept by day: rows that differ are deleted and written anew, the others stay untouched."""
        own = f"(trace_id, span_id) IN (SELECT TraceId, SpanId FROM {self._main}.otel_traces WHERE {_on(day)})"
        old, new = (
            f"SELECT {self._compared()} FROM {place}.llm_content FINAL WHERE {own}"
            for place in (self._main, self._beside)
        )
        changed = (
            f"SELECT DISTINCT {_KEYS} FROM (({old} EXCEPT DISTINCT {new}) UNION ALL ({new} EXCEPT DISTINCT {old}))"
        )
        self._client.command(f"DROP TABLE IF EXISTS {self._beside}.changed")
        self._client.command(f"CREATE TABLE {self._beside}.changed ENGINE = MergeTree ORDER BY ({_KEYS}) AS {changed}")
        keys = f"({_KEYS}) IN (SELECT {_KEYS} FROM {self._beside}.changed)"
        number = self._one(f"SELECT count() FROM {self._beside}.changed")
        if number:
            self._client.command(
                f"ALTER TABLE {self._main}.llm_content DELETE WHERE {keys} SETTINGS mutations_sync = 2"
            )
            self._client.command(
                f"INSERT INTO {self._main}.llm_content SELECT * FROM {self._beside}.llm_content FINAL WHERE {keys}"
            )
        return number

    def _compared(self) -> str:
        """Columns that make content what it is; the order of collected messages and the time of writing do not."""
        names = self._rows(
            "SELECT name FROM system.columns WHERE database = {database:String} AND table = 'llm_content' ORDER BY position",
            database=self._database,
        )
        shown = {"event_messages": "arraySort(event_messages) AS event_messages"}
        return ", ".join(shown.get(name, f"`{name}`") for (name,) in names if name not in ("ingested_at", "ts"))

    def _spans(self, day: date) -> int:
        return self._one(f"SELECT uniqExact({_KEYS}) FROM {self._main}.llm_spans WHERE {_on(day, 'ts')}")

    def _one(self, query: str) -> int:
        return int(self._rows(query)[0][0])

    def _rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._client.query(query, parameters=parameters).result_rows]


def _on(day: date, column: str = "Timestamp") -> str:
    """SQL: the column lies on this day, UTC; a range, so that partitions and indexes serve it."""
    return f"{column} >= toDateTime64('{day}', 9, 'UTC') AND {column} < toDateTime64('{day + timedelta(days=1)}', 9, 'UTC')"
