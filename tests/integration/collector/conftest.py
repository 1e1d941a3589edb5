"""A collector as a process of its own, on the session's store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.storage.client import address


@pytest.fixture
def installation(database: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running collector that writes to the session's store; all tables are empty."""
    where = address(database)
    dsn = f"http://{where.user}:{where.password}@{where.host}:{where.port}/{where.database}"
    keys = {"STORAGE__DSN": dsn, "COLLECTOR__FLUSH_SECONDS": 0.05}
    running = Installation(tmp_path_factory.mktemp("collector") / "data", keys)
    running.start("collector")
    yield running
    running.close()
