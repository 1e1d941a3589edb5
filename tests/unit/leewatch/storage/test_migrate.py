from __future__ import annotations

import pytest

from leewatch.errors import MigrationError
from leewatch.storage.lexer import statements
from leewatch.storage.migrate import Applied, Migration, check, shipped, with_days


def test_shipped_migrations_have_numbers_of_their_own_and_hold_statements() -> None:
    migrations = shipped()
    numbers = [migration.number for migration in migrations]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    assert all(statements(migration.text) for migration in migrations)


def test_a_changed_file_and_an_unknown_migration_are_errors() -> None:
    ours = Migration(1, "0001_tables", "SELECT 1")
    check([ours], {1: Applied(1, ours.name, ours.checksum, 1, ())})
    with pytest.raises(MigrationError, match="other text"):
        check([ours], {1: Applied(1, ours.name, "0" * 64, 1, ())})
    with pytest.raises(MigrationError, match="0002_next"):
        check([ours], {2: Applied(2, "0002_next", "0" * 64, 1, ())})


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        ("Log ORDER BY a TTL toDateTime(ts) + toIntervalDay(400) SETTINGS x = 1", "toDateTime(ts) + toIntervalDay(7)"),
        ("MergeTree ORDER BY a TTL toDateTime(ts) + toIntervalDay(7) SETTINGS x = 1", None),
        ("MergeTree ORDER BY a TTL ts + toIntervalDay(1)", "ts + toIntervalDay(7)"),
        ("MergeTree ORDER BY a TTL ts + toIntervalHour(1)", None),
        ("MergeTree ORDER BY a", None),
    ],
)  # fmt: skip
def test_retention_changes_only_what_differs(engine: str, expected: str | None) -> None:
    assert with_days(engine, 7) == expected
