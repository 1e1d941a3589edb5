"""This release's schema in the database: numbered files once, generated objects when they change, retention."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from leewatch.config import Settings
from leewatch.errors import ConfigError, MigrationError
from leewatch.storage.lexer import quote, quote_name, statements

if TYPE_CHECKING:
    from leewatch.redaction.plan import Plan
    from leewatch.semconv.sql import SqlObject

log = logging.getLogger(__name__)

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_GENERATED = 0
_TABLE_EXISTS = 57
_LOCK_STALE_SECONDS = 120
_TTL_DAYS = re.compile(r"toIntervalDay\((\d+)\)|INTERVAL (\d+) DAY", re.IGNORECASE)
_TTL = re.compile(r"\bTTL (?P<expression>.+?)(?: SETTINGS |$)", re.DOTALL)
_SPAN_TABLES = {
    "llm_spans",
    "llm_content",
    "llm_span_facts",
    "embeddings",
    "scores",
    "sampling",
    "topics",
    "span_topics",
}
_RAW_PREFIX = "otel_"


class Rows(Protocol):
    """Result of a query: rows in order."""

    @property
    def result_rows(self) -> Sequence[Sequence[Any]]: ...


class Database(Protocol):
    """What migrating needs of a client. clickhouse-connect's client is one; the store brings one of its own engine.

    Both methods raise an exception with ClickHouse's number in `code` when the statement fails.
    """

    def command(self, cmd: str, parameters: dict[str, Any] | None = None) -> Any: ...

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Rows: ...


class GeneratedObject(Protocol):
    """A table or view whose SQL is generated, with the statement that removes it."""

    @property
    def name(self) -> str: ...

    @property
    def create(self) -> str: ...

    @property
    def drop(self) -> str: ...


@dataclass(frozen=True)
class Migration:
    """One numbered file. `checksum` is the sha256 of its text."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Applied:
    """A row of table `migrations`: `done` statements of the file were executed; `undo` removes generated objects."""

    number: int
    name: str
    checksum: str
    done: int
    undo: tuple[str, ...]


def shipped() -> list[Migration]:
    """The migrations of this release, in order. Raises MigrationError when two share a number."""
    found: dict[int, Migration] = {}
    for entry in files("leewatch.storage").joinpath("migrations").iterdir():
        match = _FILE.fullmatch(entry.name)
        if not match:
            continue
        migration = Migration(int(match.group(1)), entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8"))
        if migration.number in found:
            raise MigrationError(f"migrations {found[migration.number].name} and {migration.name} share a number")
        found[migration.number] = migration
    return [found[number] for number in sorted(found)]


def apply(client: Database, settings: Settings, exclusive: bool = False) -> None:
    """Creates or updates the schema in the database `storage.database`. Running it again changes nothing.

    exclusive: no other process can reach this database (embedded store), so a lock left behind is ignored.
    Raises MigrationError when the database is newer than this release, an applied file was changed, a statement fails;
    ConfigError when the database cannot read a regular expression of the configuration.
    """
    database = settings.storage.database
    client.command(f"CREATE DATABASE IF NOT EXISTS {quote_name(database)}")
    run = _Run(client, database)
    with _Lock(client, database, exclusive):
        run.prepare()
        run.numbered(shipped())
        run.readable(_plan(settings).expressions)
        run.generated(generated_objects(settings))
        run.retention(settings.storage.raw_days, settings.storage.spans_days)


def generated_objects(settings: Settings) -> list[SqlObject]:
    """The tables and views that this release generates under this configuration, in the order in which they are created."""
    from leewatch.semconv.own_keys import MappingSection
    from leewatch.semconv.sql import objects

    return objects(_plan(settings), settings.section(MappingSection).own_keys())


def sources(settings: Settings) -> dict[str, str]:
    """Raw table -> the table whose rows are normalized: itself, unless it lacks content that is dropped."""
    from leewatch.redaction import intake
    from leewatch.semconv.sql import whole

    return {raw.table: whole(raw, _plan(settings)) for raw in (intake.TRACES, intake.LOGS)}


def is_current(client: Database, settings: Settings) -> bool:
    """Whether the generated objects in the database are those of this release and configuration."""
    run = _Run(client, settings.storage.database)
    run.read()
    return run.has(generated_objects(settings))


def _plan(settings: Settings) -> Plan:
    from leewatch.redaction.section import RedactionSection

    return settings.section(RedactionSection).plan()


class _Run:
    def __init__(self, client: Database, database: str) -> None:
        self._client = client
        self._database = database
        self._applied: dict[int, Applied] = {}

    def prepare(self) -> None:
        self._client.command(
            f"CREATE TABLE IF NOT EXISTS {quote_name(self._database)}.migrations ("
            "number UInt32 COMMENT '0: the generated objects', name String, checksum String COMMENT 'sha256', "
            "done UInt32 COMMENT 'statements executed', undo Array(String), "
            "at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')"
            ") ENGINE = ReplacingMergeTree(at) ORDER BY number"
        )
        self.read()

    def read(self) -> None:
        """What was applied so far."""
        rows = self._client.query(
            "SELECT number, name, checksum, done, undo FROM "  # noqa: S608  the name is quoted and checked by config
            f"{quote_name(self._database)}.migrations FINAL ORDER BY number"
        ).result_rows
        self._applied = {row[0]: Applied(row[0], row[1], row[2], row[3], tuple(row[4])) for row in rows}

    def numbered(self, migrations: Sequence[Migration]) -> None:
        check(migrations, self._applied)
        for migration in migrations:
            steps = statements(migration.text)
            begun = self._applied.get(migration.number)
            done = begun.done if begun else 0
            for index in range(done, len(steps)):
                # The statement in flight at a crash may have been executed without being recorded.
                self._execute(steps[index], migration.name, may_exist=begun is not None and index == done)
                self._record(migration.number, migration.name, migration.checksum, index + 1, ())
            if done < len(steps):
                log.info("migration %s applied", migration.name)

    def generated(self, objects: Sequence[GeneratedObject]) -> None:
        if self.has(objects):
            return
        before = self._applied.get(_GENERATED)
        drops = [item.drop for item in reversed(objects)]
        stale = [statement for statement in (before.undo if before else ()) if statement not in drops]
        for statement in [*stale, *drops]:
            self._execute(statement, "removal of generated objects")
        for item in objects:
            self._execute(item.create, f"generated object {item.name}")
        self._record(_GENERATED, "generated", _checksum(objects), len(objects), drops)
        log.info("%d generated tables and views created", len(objects))
        if before:
            log.info("what was derived before stays as it is until `leewatch normalize --since T` derives it anew")

    def has(self, objects: Sequence[GeneratedObject]) -> bool:
        """Whether these objects are the ones that the database has."""
        before = self._applied.get(_GENERATED)
        return before is not None and before.checksum == _checksum(objects)

    def readable(self, expressions: Mapping[str, str]) -> None:
        """Raises ConfigError when the database cannot read a regular expression of the user's: views would fail on data."""
        for expression, name in expressions.items():
            try:
                self._client.query(f"SELECT match(materialize('x'), {quote(expression)})")
            except Exception as error:
                raise ConfigError([f"redaction.patterns.{name}: the database cannot read it: {error}"]) from error

    def retention(self, raw_days: int, spans_days: int) -> None:
        rows = self._client.query(
            "SELECT name, engine_full FROM system.tables "
            "WHERE database = {database:String} AND engine_full LIKE '%TTL %'",
            parameters={"database": self._database},
        ).result_rows
        for name, engine in rows:
            days = raw_days if name.startswith(_RAW_PREFIX) else spans_days if name in _SPAN_TABLES else None
            expression = with_days(engine, days) if days else None
            if expression:
                self._execute(f"ALTER TABLE {quote_name(name)} MODIFY TTL {expression}", f"retention of {name}")
                log.info("%s is kept for %d days", name, days)

    def _record(self, number: int, name: str, checksum: str, done: int, undo: Sequence[str]) -> None:
        self._client.command(
            f"INSERT INTO {quote_name(self._database)}.migrations (number, name, checksum, done, undo) "
            "SELECT {number:UInt32}, {name:String}, {checksum:String}, {done:UInt32}, {undo:Array(String)}",
            parameters={"number": number, "name": name, "checksum": checksum, "done": done, "undo": list(undo)},
        )

    def _execute(self, statement: str, what: str, may_exist: bool = False) -> None:
        try:
            self._client.command(statement)
        except Exception as error:
            if may_exist and getattr(error, "code", None) == _TABLE_EXISTS:
                return
            head = " ".join(statement.split())[:80]
            raise MigrationError(f"{what} failed at `{head}...`: {error}") from error


def _checksum(objects: Sequence[GeneratedObject]) -> str:
    text = "\n".join(f"{item.name}\n{item.create}\n{item.drop}" for item in objects)
    return hashlib.sha256(text.encode()).hexdigest()


def check(migrations: Sequence[Migration], applied: dict[int, Applied]) -> None:
    """Raises MigrationError when the database knows a migration that this release lacks or has otherwise."""
    known = {migration.number: migration for migration in migrations}
    for row in applied.values():
        if row.number == _GENERATED:
            continue
        ours = known.get(row.number)
        if ours is None:
            raise MigrationError(
                f"the database has migration {row.name}, which this release does not know. "
                "Install the release that wrote it."
            )
        if ours.checksum != row.checksum:
            raise MigrationError(
                f"migration {row.name} was applied with other text (sha256 {row.checksum[:12]}, this release has "
                f"{ours.checksum[:12]}). Install the release that wrote it; never change an applied migration."
            )


def with_days(engine: str, days: int) -> str | None:
    """The TTL expression of a table's engine clause with this many days; None when it has them, or has no days."""
    found = _TTL.search(engine)
    if not found:
        return None
    expression = found.group("expression").strip()
    present = {int(first or second) for first, second in _TTL_DAYS.findall(expression)}
    if not present or present == {days}:
        return None
    return _TTL_DAYS.sub(f"toIntervalDay({days})", expression)


class _Lock:
    """One migrating process at a time: whoever creates the table `migrations_lock`; the others wait until it goes."""

    def __init__(
        self, client: Database, database: str, exclusive: bool, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._database = database
        self._exclusive = exclusive
        self._wait = wait
        self._table = f"{quote_name(database)}.migrations_lock"

    def __enter__(self) -> None:
        if self._exclusive:
            self._client.command(f"DROP TABLE IF EXISTS {self._table}")
        while not self._taken():
            self._drop_if_stale()
            self._wait(0.2)

    def _taken(self) -> bool:
        try:
            self._client.command(f"CREATE TABLE {self._table} (held UInt8) ENGINE = MergeTree ORDER BY held")
        except Exception as error:
            if getattr(error, "code", None) == _TABLE_EXISTS:
                return False
            raise
        return True

    def _drop_if_stale(self) -> None:
        rows = self._client.query(
            "SELECT dateDiff('second', metadata_modification_time, now()) FROM system.tables "
            "WHERE database = {database:String} AND name = 'migrations_lock'",
            parameters={"database": self._database},
        ).result_rows
        if rows and rows[0][0] > _LOCK_STALE_SECONDS:
            log.warning("a migration that began %d s ago was never finished; taking it over", rows[0][0])
            self._client.command(f"DROP TABLE IF EXISTS {self._table}")

    def __exit__(self, *_: object) -> None:
        self._client.command(f"DROP TABLE IF EXISTS {self._table}")
