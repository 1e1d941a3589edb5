"""The job `prices` and the view that computes costs from its rows, against a real store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from analyzers.config import PriceOverride
from analyzers.prices import PricesJob
from analyzers.store import AnalyzerStore

AddSpans = Callable[..., list[str]]


def clock() -> datetime:
    return datetime.now(UTC)


def costs(client: Client) -> list[tuple[float | None, str]]:
    return list(client.query("SELECT cost_usd, cost_source FROM llm_spans_priced").result_rows)


def test_a_span_costs_nothing_known_until_its_model_has_a_price(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")])
    assert costs(client) == [(None, "")]
    PricesJob((), clock).run(AnalyzerStore(client))
    # 10 input tokens at 0.15 and 20 output tokens at 0.60 USD per million.
    [(cost, source)] = costs(client)
    assert cost == pytest.approx(10 * 0.15e-6 + 20 * 0.60e-6)
    assert source == "genai-prices"


def test_a_configured_price_wins(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")])
    price = PriceOverride(provider="openai", model="gpt-4o-mini", input_per_million=1, output_per_million=2)
    PricesJob((price,), clock).run(AnalyzerStore(client))
    [(cost, source)] = costs(client)
    assert cost == pytest.approx(10e-6 + 40e-6)
    assert source == "config"


def test_a_cost_that_was_sent_is_kept(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")])
    client.command("ALTER TABLE llm_spans UPDATE cost_total = 0.5 WHERE 1 SETTINGS mutations_sync = 1")
    PricesJob((), clock).run(AnalyzerStore(client))
    assert costs(client) == [(0.5, "sent")]


def test_cached_input_tokens_cost_less(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")])
    client.command("ALTER TABLE llm_spans UPDATE cache_read_tokens = 4 WHERE 1 SETTINGS mutations_sync = 1")
    PricesJob((), clock).run(AnalyzerStore(client))
    # 6 fresh input tokens at 0.15, 4 cached ones at 0.075, 20 output tokens at 0.60 USD per million.
    [(cost, _)] = costs(client)
    assert cost == pytest.approx(6 * 0.15e-6 + 4 * 0.075e-6 + 20 * 0.60e-6)


def test_prices_that_stand_are_not_written_again(client: Client, add_spans: AddSpans) -> None:
    add_spans([("hello", "world")])
    job = PricesJob((), clock)
    job.run(AnalyzerStore(client))
    job.run(AnalyzerStore(client))
    assert client.query("SELECT count() FROM model_prices").result_rows == [(1,)]
