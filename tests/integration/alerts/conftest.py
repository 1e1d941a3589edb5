from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from alerts import channels
from alerts.config import AlertsSection
from alerts.engine import Engine
from leewatch.config import Settings
from leewatch.storage.client import connect
from leewatch.testing.clock import FixedClock
from leewatch.testing.slack import CHANNEL, TOKEN, FakeSlack

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class World:
    """A database, a clock, a Slack, and an alert process that can be restarted."""

    client: Client
    clock: FixedClock
    slack: FakeSlack
    options: dict[str, Any]
    engine: Engine | None = None

    def start(self, **options: Any) -> Engine:
        """A new process over the same database."""
        slack = {"token": TOKEN, "channel": CHANNEL, "api_url": self.slack.api_url, "timeout_seconds": 1}
        self.options = {"slack": slack, "lateness_seconds": 5, **self.options, **options}
        section = AlertsSection.model_validate(self.options)
        self.engine = Engine(self.client, section, "http://dash", channels.build(section), self.clock)
        return self.engine

    def tick(self, seconds: float = 0) -> None:
        """Time passes, then one round of the process."""
        self.clock.advance(seconds)
        engine = self.engine or self.start()
        engine.evaluate()
        engine.deliver()

    def spans(self, n: int, scores: dict[str, Callable[[int], float]] | None = None, **columns: Any) -> list[str]:
        """n spans in the last 20 s before the window's end, each with the given scores; returns their trace ids."""
        age = columns.pop("age_seconds", 0)
        texts = columns.pop("texts", None)
        end = self.clock() - timedelta(seconds=6 + age)
        received = columns.pop("received_at", None)
        rows, scored, contents, ids = [], [], [], []
        for i in range(n):
            trace, ts = uuid.uuid4().hex, end - timedelta(seconds=20 * i / n)
            ids.append(trace)
            row = {
                "service": "support-bot", "kind": "llm", "model": "m1", "ts": ts, "end_ts": ts, "duration_ms": 100.0,
                "trace_id": trace, "span_id": trace[:16], "received_at": received or ts, "ingested_at": ts, **columns,
            }  # fmt: skip
            rows.append(row)
            for name, value in (scores or {}).items():
                scored.append([row["service"], ts, trace, trace[:16], name, value(i), "s", "1", ts])
            if texts is not None:
                contents.append([trace, trace[:16], ts, *texts(i)])
        self.client.insert("llm_spans", [list(r.values()) for r in rows], column_names=list(rows[0]))
        if scored:
            names = ["service", "ts", "trace_id", "span_id", "name", "value", "scorer", "version", "scored_at"]
            self.client.insert("scores", scored, column_names=names)
        if contents:
            names = ["trace_id", "span_id", "ts", "prompt_text", "response_text"]
            self.client.insert("llm_content", contents, column_names=names)
        return ids

    def events(self) -> list[tuple[str, str]]:
        """(rule, state) of every recorded change, oldest first."""
        return [tuple(row) for row in self.client.query("SELECT rule, state FROM alert_events ORDER BY at").result_rows]

    def deliveries(self) -> list[tuple[str, bool]]:
        """(state, ok) of every recorded delivery, oldest first."""
        return [tuple(row) for row in self.client.query("SELECT state, ok FROM deliveries ORDER BY at").result_rows]


@pytest.fixture
def world(database: Settings) -> Iterator[World]:
    client = connect(database)
    with FakeSlack() as slack:
        yield World(client, FixedClock(START), slack, {})
    client.close()
