from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings
from leewatch.semconv import sql
from leewatch.storage.client import connect
from leewatch.testing import otlp


class Ingest:
    """Inserts as a collector does, and reads back."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._batches = 0

    def send(self, *requests: Any, signal: str = "traces", batch: str = "", token: str = "", **options: Any) -> str:
        self._batches += 1
        batch = batch or f"batch-{self._batches}"
        settings: Mapping[str, Any] = {**sql.ingest_settings(signal), "insert_deduplication_token": token or batch}
        self.client.raw_insert(
            f"otlp_{signal}",
            insert_block=otlp.batch_body(requests, batch, **options),
            settings=dict(settings),
            fmt="ProtobufSingle",
        )
        return batch

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return list(self.client.query(query, parameters=parameters).named_results())

    def count(self, table: str) -> int:
        return int(self.client.command(f"SELECT count() FROM {table}"))

    def span(self, span_id: str) -> dict[str, Any]:
        """The row of llm_spans and the content of one span; JSON columns parsed."""
        rows = self.rows("SELECT * FROM llm_spans WHERE span_id = {id:String}", id=span_id)
        content = self.rows("SELECT * FROM span_content WHERE span_id = {id:String}", id=span_id)
        found = {**(content[0] if content else {}), **(rows[0] if rows else {"kind": "other"})}
        for column in ("input_messages", "output_messages", "context_documents"):
            found[column] = json.loads(found.get(column) or "[]")
        return found


@pytest.fixture
def ingest(database: Settings) -> Iterator[Ingest]:
    client = connect(database)
    yield Ingest(client)
    client.close()
