"""Spans in the database, and quick models in the place of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings
from leewatch.storage.client import connect

COLUMNS = (
    "project", "service", "ts", "end_ts", "duration_ms", "trace_id", "span_id", "kind", "provider", "model",
    "input_tokens", "output_tokens", "finish_reason", "status", "content_redacted", "ingested_at", "received_at",
)  # fmt: skip
AddSpans = Callable[..., list[str]]


@pytest.fixture
def client(database: Settings) -> Client:
    return connect(database)


@pytest.fixture
def add_spans(client: Client) -> AddSpans:
    """Writes spans with texts and returns their trace ids.

    texts: (prompt, response) of each; None leaves the content out, as if it came later by log records.
    """
    written = 0

    def add(
        texts: Sequence[tuple[str, str] | None],
        service: str = "bot",
        start: datetime | None = None,
        step_seconds: float = 0.01,
        kind: str = "llm",
        redacted: bool = False,
        ingested: datetime | None = None,
        durations: Sequence[float] | None = None,
        received: Sequence[datetime] | None = None,
        models: Sequence[str] | None = None,
    ) -> list[str]:
        nonlocal written
        first = start or datetime.now(UTC)
        spans, contents, traces = [], [], []
        for position, pair in enumerate(texts):
            written += 1
            trace, span = f"{written:032x}", f"{written:016x}"
            ts = first + timedelta(seconds=position * step_seconds)
            duration = durations[position] if durations else 100.0
            model = models[position] if models else "gpt-4o-mini"
            spans.append([
                "default", service, ts, ts, duration, trace, span, kind, "openai", model, 10, 20, ["stop"],
                "OK", redacted, ingested or datetime.now(UTC), received[position] if received else datetime.now(UTC),
            ])  # fmt: skip
            traces.append(trace)
            if pair is not None:
                contents.append(["default", trace, span, ts, *pair])
        client.insert("llm_spans", spans, column_names=list(COLUMNS))
        if contents:
            names = ["project", "trace_id", "span_id", "ts", "prompt_text", "response_text"]
            client.insert("llm_content", contents, column_names=names)
        return traces

    return add
