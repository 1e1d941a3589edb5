"""Databases of their own in the session's store, migrated with a redaction policy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from leewatch.cli.migrate import bring_up_to_date
from leewatch.config import Settings, load
from leewatch.semconv import sql
from leewatch.storage.client import connect
from leewatch.testing import otlp

KEY = "0123456789abcdef"
_numbers = itertools.count(1)


class Redacting:
    """Inserts as a collector does into a database with a policy, and reads back."""

    def __init__(self, settings: Settings) -> None:
        bring_up_to_date(settings)
        self.settings = settings
        self.client = connect(settings)

    def send(self, request: Any, signal: str = "traces", project: str = "default", key: str = KEY) -> None:
        body = otlp.batch_body([request], f"batch-{next(_numbers)}", project=project, redaction_key=key)
        self.client.raw_insert(
            f"otlp_{signal}", insert_block=body, settings=sql.ingest_settings(signal), fmt="ProtobufSingle"
        )

    def rows(self, query: str) -> list[dict[str, Any]]:
        return list(self.client.query(query).named_results())

    def everything(self) -> str:
        """Every row of every table of the database, as text."""
        tables = self.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0")
        return "\n".join(
            self.client.raw_query(f"SELECT * FROM `{row['name']}` FORMAT JSONEachRow").decode() for row in tables
        )


@pytest.fixture(scope="session")
def redacting(store: object) -> Iterator[Callable[[Mapping[str, Any]], Redacting]]:
    """A database with this policy; the same one for the same policy."""
    made: dict[str, Redacting] = {}

    def make(policy: Mapping[str, Any]) -> Redacting:
        assert isinstance(store, Settings)
        name = repr(policy)
        if name not in made:
            overrides = {
                "store": {"port": store.store.port},
                "storage": {"database": f"redacting_{len(made)}"},
                "redaction": policy,
            }
            made[name] = Redacting(load(data=store.data, environment={}, overrides=overrides))
        return made[name]

    yield make
    for database in made.values():
        database.client.command(f"DROP DATABASE {database.settings.storage.database}")
        database.client.close()
