"""A collector as a process of its own, on the session's store, and that store as tests look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from collector.bench.processes import AT_ONCE, Installation
from leewatch.config import Settings
from leewatch.storage.client import address, connect

Rows = Callable[[str], list[tuple[Any, ...]]]
Constraint = Callable[[str, str], AbstractContextManager[None]]


@pytest.fixture
def dsn(database: Settings) -> str:
    """Where the session's store answers, as a server would; all tables are empty."""
    where = address(database)
    return f"http://{where.user}:{where.password}@{where.host}:{where.port}/{where.database}"


@pytest.fixture
def installation(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running collector that writes to the session's store; all tables are empty."""
    keys = {"STORAGE__DSN": dsn, **AT_ONCE}
    running = Installation(tmp_path_factory.mktemp("collector") / "data", keys)
    running.start("collector")
    yield running
    running.close()


@pytest.fixture
def rows(database: Settings) -> Iterator[Rows]:
    """Answers a query on the session's store."""
    client = connect(database)
    yield lambda query: [tuple(row) for row in client.query(query).result_rows]
    client.close()


@pytest.fixture
def constraint(database: Settings) -> Iterator[Constraint]:
    """Makes a table of the session's store refuse rows for which a condition does not hold, for as long as it is open."""
    client = connect(database)

    @contextmanager
    def refusing(table: str, condition: str) -> Iterator[None]:
        client.command(f"ALTER TABLE {table} ADD CONSTRAINT odd CHECK {condition}")
        try:
            yield
        finally:
            client.command(f"ALTER TABLE {table} DROP CONSTRAINT odd")

    yield refusing
    client.close()
