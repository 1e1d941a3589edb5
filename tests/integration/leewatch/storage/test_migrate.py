"""Migrations on a live store: applied once, guarded, also when several processes start together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings, StorageSection, load
from leewatch.errors import MigrationError
from leewatch.semconv import sql
from leewatch.storage import migrate
from leewatch.storage.client import connect


@dataclass(frozen=True)
class View:
    name: str
    create: str
    drop: str


@pytest.fixture
def target(store: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, Settings]]:
    """A second database of the same store, with no generated objects."""
    client = connect(store)
    client.command("CREATE DATABASE migrated")
    overrides = {"store": {"port": store.store.port}, "storage": {"database": "migrated"}}
    settings = load(data=store.data, environment={}, overrides=overrides)
    client.close()
    inside = connect(settings)
    monkeypatch.setattr(sql, "objects", lambda *_: [])
    yield inside, settings
    inside.command("DROP DATABASE migrated")
    inside.close()


def _numbers(client: Client) -> list[int]:
    return [row[0] for row in client.query("SELECT number FROM migrations FINAL ORDER BY number").result_rows]


def test_two_processes_at_once_apply_each_migration_once(target: tuple[Client, Settings]) -> None:
    client, settings = target

    def start(_: int) -> None:
        mine = connect(settings)
        migrate.apply(mine, settings)
        mine.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, range(2)))
    assert _numbers(client) == [0, *(migration.number for migration in migrate.shipped())]
    assert client.command("EXISTS TABLE llm_spans") == 1
    assert client.command("EXISTS TABLE migrations_lock") == 0


def test_a_run_that_was_cut_off_is_finished(target: tuple[Client, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    client, settings = target
    text = "CREATE TABLE one (a Int8) ENGINE = Memory; CREATE TABLE two (a Int8) ENGINE = Memory"
    migration = migrate.Migration(1, "0001_two", text)
    monkeypatch.setattr(migrate, "shipped", lambda: [migration])
    migrate.apply(client, settings)
    # As after a crash between the second statement and its record.
    client.command(
        "INSERT INTO migrations (number, name, checksum, done) SELECT 1, '0001_two', {sum:String}, 1",
        parameters={"sum": migration.checksum},
    )
    migrate.apply(client, settings)
    assert client.command("SELECT done FROM migrations FINAL WHERE number = 1") == 2


def test_changed_and_unknown_migrations_are_refused(
    target: tuple[Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, settings = target
    monkeypatch.setattr(migrate, "shipped", lambda: [migrate.Migration(1, "0001_a", "SELECT 1")])
    migrate.apply(client, settings)
    monkeypatch.setattr(migrate, "shipped", lambda: [migrate.Migration(1, "0001_a", "SELECT 2")])
    with pytest.raises(MigrationError, match="0001_a"):
        migrate.apply(client, settings)
    monkeypatch.setattr(migrate, "shipped", list)
    with pytest.raises(MigrationError, match="does not know"):
        migrate.apply(client, settings)
    assert client.command("EXISTS TABLE migrations_lock") == 0


def test_generated_objects_are_replaced_when_their_text_changes(
    target: tuple[Client, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, settings = target
    monkeypatch.setattr(migrate, "shipped", list)
    first = [View(name, f"CREATE VIEW {name} AS SELECT 1 AS a", f"DROP VIEW IF EXISTS {name}") for name in ("v", "w")]
    monkeypatch.setattr(sql, "objects", lambda *_: first)
    migrate.apply(client, settings)
    monkeypatch.setattr(
        sql, "objects", lambda *_: [View("v", "CREATE VIEW v AS SELECT 2 AS a", "DROP VIEW IF EXISTS v")]
    )
    migrate.apply(client, settings)
    assert client.command("SELECT a FROM v") == 2
    assert client.command("EXISTS VIEW w") == 0


def test_retention_follows_the_configuration(target: tuple[Client, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    client, settings = target
    table = "CREATE TABLE {} (ts DateTime) ENGINE = MergeTree ORDER BY ts TTL ts + INTERVAL 400 DAY"
    text = ";".join(table.format(name) for name in ("otel_trial", "scores", "other"))
    monkeypatch.setattr(migrate, "shipped", lambda: [migrate.Migration(1, "0001_a", text)])
    shorter = StorageSection(database="migrated", raw_days=3, spans_days=50)
    changed = Settings(settings.data, {**settings.sections, "storage": shorter})
    migrate.apply(client, changed)
    for name, days in {"otel_trial": 3, "scores": 50, "other": 400}.items():
        assert f"toIntervalDay({days})" in str(client.command(f"SHOW CREATE TABLE {name}"))
