"""Figures of topics by hand: shares, change, cost, latency, errors and scores, weighted as they were sampled."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from rich.console import Console

from leewatch.cli.topics import collect, show
from leewatch.config import Settings
from leewatch.storage.client import connect

END = datetime(2026, 3, 2, 12, tzinfo=UTC)
START = END - timedelta(hours=6)
AT = END - timedelta(hours=1)


@pytest.fixture
def client(database: Settings) -> Client:
    return connect(database)


def insert(client: Client, table: str, rows: list[dict[str, Any]]) -> None:
    client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))


def call(
    client: Client,
    number: int,
    topic: int,
    at: datetime,
    weight: float = 1.0,
    scores: dict[str, tuple[float | None, float]] | None = None,
    **span: Any,
) -> None:
    """One call; scores: {name: (value, weight)}."""
    key = {"project": "default", "service": "bot", "trace_id": f"{number:032x}", "span_id": f"{number:016x}", "ts": at}
    usual = {"kind": "llm", "status": "OK", "duration_ms": 100.0, "provider": "openai", "model": "m", "cost_total": 0.5}
    insert(client, "llm_spans", [{**key, "end_ts": at, "received_at": at, **usual, **span}])
    embedded = {"field": "prompt", "model": "e", "vector": [1.0, 0.0], "weight": weight}
    insert(client, "embeddings", [{**key, **embedded}])
    insert(client, "span_topics", [{**key, "field": "prompt", "topic_id": topic, "similarity": 0.9}])
    for name, (value, score_weight) in (scores or {}).items():
        row = {"name": name, "value": value, "scorer": name.split(".")[1], "version": "1", "weight": score_weight}
        insert(client, "scores", [{**key, **row}])


def topic(client: Client, number: int, label: str) -> None:
    insert(
        client,
        "topics",
        [
            {
                "service": "bot", "field": "prompt", "topic_id": number, "model": "e", "label": label, "keywords": ["a"],
                "centroid": [1.0, 0.0], "examples": ["an example"], "first_seen": START, "last_seen": AT, "fitted_at": AT,
            }
        ],
    )  # fmt: skip


def figures(client: Client, **filters: str) -> dict[int, dict[str, Any]]:
    given = {"project": "", "service": "", "model": "", **filters}
    report = collect(client, START, END, threshold=0.5, **given)
    json.dumps(report)
    return {row["topic_id"]: row for row in report["topics"]}


def test_shares_change_cost_latency_and_errors(client: Client) -> None:
    topic(client, 1, "refund, invoice")
    topic(client, 2, "flight, hotel")
    for number in range(6):
        call(client, number, 1, AT, duration_ms=100.0 * (number + 1), status="ERROR" if number == 0 else "OK")
    call(client, 10, 2, AT, model="other")
    call(client, 11, 0, AT)
    for number in range(20, 23):
        call(client, number, 2, START - timedelta(hours=1))
    call(client, 30, 2, START - timedelta(hours=7))  # before the window of the same length
    found = figures(client)
    assert [found[1][key] for key in ("calls", "share", "share_before", "label")] == [6, 0.75, 0, "refund, invoice"]
    assert found[1]["error_rate"] == pytest.approx(1 / 6)
    assert found[1]["cost"] == pytest.approx(3.0)
    assert 500 <= found[1]["p95"] <= 600
    assert [found[2][key] for key in ("calls", "calls_before", "share", "share_before")] == [1, 3, 0.125, 1]
    assert found[0]["share"] == 0.125
    assert found[1]["hallucination_rate"] is None
    assert found[1]["hallucination_scored"] == 0
    assert set(figures(client, model="other")) == {2}
    assert figures(client, service="nobody") == {}


def test_calls_and_scores_count_by_their_weights(client: Client) -> None:
    topic(client, 1, "refund, invoice")
    call(client, 1, 1, AT, weight=1, scores={"response.toxicity": (0.9, 1), "response.hallucination": (None, 1)})
    call(
        client, 2, 1, AT, weight=3, scores={"response.toxicity": (0.1, 6), "prompt.toxicity": (0.7, 6)}, cost_total=2.0
    )
    call(client, 3, 0, AT, weight=4)
    call(client, 4, 1, AT, weight=0)  # outside the sample until the rest is embedded
    found = figures(client)
    assert found[1]["calls"] == 4
    assert found[1]["share"] == 0.5
    assert found[1]["cost"] == pytest.approx(0.5 + 3 * 2.0)
    assert found[1]["response_toxicity_rate"] == pytest.approx(1 / 7)
    assert found[1]["prompt_toxicity_rate"] == 1
    assert found[1]["hallucination_rate"] is None
    assert found[1]["response_toxicity_scored"] == 2


def test_the_command_prints_a_table_and_says_which_services_have_too_little(client: Client) -> None:
    topic(client, 1, "refund [b]")
    call(client, 1, 1, AT, scores={"response.toxicity": (0.9, 1)})
    key = {"service": "small", "field": "prompt", "model": "e", "trace_id": "a" * 32, "span_id": "b" * 16}
    insert(client, "embeddings", [{**key, "ts": AT, "vector": [1.0, 0.0]}])
    output = io.StringIO()
    show(collect(client, START, END, "", "", "", 0.5), Console(file=output))
    text = output.getvalue()
    assert "refund [b]" in text
    assert "100.0%" in text
    assert "small: 1 embedded prompts, too few for topics" in text
    nothing = io.StringIO()
    show(collect(client, START, END, "", "nobody", "", 0.5), Console(file=nothing))
    assert "no embedded prompts" in nothing.getvalue()
