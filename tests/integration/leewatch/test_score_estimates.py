"""Aggregates over `scores` count every row by its weight: by hand, and against the truth of all calls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings
from leewatch.estimation import share_interval
from leewatch.storage import queries
from leewatch.storage.client import connect

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADDRESS = "response.toxicity"


@pytest.fixture
def client(database: Settings) -> Client:
    return connect(database)


def insert(client: Client, rows: Sequence[tuple[str, float | None, float]]) -> None:
    """rows: (trace, value, weight), one span each, a second apart; also as LLM spans."""
    scores, spans = [], []
    for position, (trace, value, weight) in enumerate(rows):
        ts, span = NOW - timedelta(seconds=60 - position % 50), f"{position:016x}"
        reason = "" if value is not None else "no response"
        scores.append(["bot", ts, trace, span, ADDRESS, value, weight, "toxicity", "1", reason])
        spans.append(["bot", ts, ts, trace, span, "llm", "m1", ts, ts])
    names = ["service", "ts", "trace_id", "span_id", "name", "value", "weight", "scorer", "version", "reason"]
    client.insert("scores", scores, column_names=names)
    names = ["service", "ts", "end_ts", "trace_id", "span_id", "kind", "model", "received_at", "ingested_at"]
    client.insert("llm_spans", spans, column_names=names)


def asked(client: Client, file: str, query: str, **more: Any) -> list[dict[str, Any]]:
    start, end = (int(moment.timestamp() * 1000) for moment in (NOW - timedelta(minutes=5), NOW))
    common = {
        "start": start, "end": end, "project": "", "service": "", "model": "", "threshold": 0.5, "bucket": 3600,
        "score": ADDRESS, "low": 0.0, "high": 1.0, "late": 3600, "filter": [], "filter_values": [], "by": [2],
        "above": 0.5, "share": True, "step": 300_000,
    }  # fmt: skip
    return list(client.query(queries.load(file)[query], parameters={**common, **more}).named_results())


BY_HAND: list[tuple[str, float | None, float]] = [
    ("a", 0.9, 4.0), ("b", 0.1, 4.0), ("c", 0.1, 2.0), ("d", 0.8, 1.0), ("e", None, 4.0), ("f", 1.0, 0.0),
]  # fmt: skip
"""f was filled in later, and counts only once the rest of its time is scored, too."""


def test_the_dashboard_counts_by_weight(client: Client) -> None:
    insert(client, BY_HAND)
    mean = (4 * 0.9 + 4 * 0.1 + 2 * 0.1 + 0.8) / 11
    [names] = asked(client, "scores", "score_names")
    assert names["given"] == 5
    assert names["not_given"] == 4
    assert names["mean"] == pytest.approx(mean)
    assert names["rate"] == pytest.approx(5 / 11)
    assert names["sampled"] == pytest.approx(5 / 15)
    [series] = asked(client, "scores", "score_series")
    assert (series["mean"], series["rate"]) == pytest.approx((mean, 5 / 11))
    bins = asked(client, "scores", "score_distribution")
    assert {row["bin"]: row["spans"] for row in bins if row["spans"]} == {2: 6.0, 16: 1.0, 18: 4.0}
    [group] = asked(client, "scores", "score_groups")
    assert (group["mean"], group["rate"], group["not_given"]) == pytest.approx((mean, 5 / 11, 4))
    [reason] = asked(client, "scores", "score_reasons")
    assert (reason["reason"], reason["spans"]) == ("no response", 4)


def test_standard_errors_are_those_of_sampling_by_trace(client: Client) -> None:
    rows = [*BY_HAND[:3], ("a", 0.7, 4.0), ("d", 0.8, 1.0)]  # two calls of trace a stand or fall together
    insert(client, rows)
    total, mean, rate = 15, (4 * 0.9 + 4 * 0.1 + 2 * 0.1 + 4 * 0.7 + 0.8) / 15, 9 / 15
    of_mean = {"a": (4, 0.9 + 0.7 - 2 * mean), "b": (4, 0.1 - mean), "c": (2, 0.1 - mean), "d": (1, 0.8 - mean)}
    of_rate = {"a": (4, 2 - 2 * rate), "b": (4, -rate), "c": (2, -rate), "d": (1, 1 - rate)}
    [found] = asked(client, "scores", "score_errors")
    for key, excess in (("mean_error", of_mean), ("rate_error", of_rate)):
        expected = math.sqrt(sum(w * (w - 1) * e**2 for w, e in excess.values())) / total
        assert found[key] == pytest.approx(expected)
    assert found["effective"] == pytest.approx(total**2 / (2 * 12 + 12 + 2))


def test_complete_scores_have_no_sampling_error(client: Client) -> None:
    insert(client, [(trace, value, 1.0) for trace, value, _ in BY_HAND])
    [found] = asked(client, "scores", "score_errors")
    assert (found["mean_error"], found["rate_error"], found["effective"]) == (0.0, 0.0, math.inf)
    [names] = asked(client, "scores", "score_names")
    assert names["sampled"] == 1.0


def test_alert_rules_count_by_weight(client: Client) -> None:
    insert(client, BY_HAND)
    mean = (4 * 0.9 + 4 * 0.1 + 2 * 0.1 + 0.8) / 11
    squares = (4 * 0.9**2 + 4 * 0.1**2 + 2 * 0.1**2 + 0.8**2) / 11
    [found] = asked(client, "alerts", "score_metrics")
    assert (found["n"], found["mean"], found["share"]) == pytest.approx((4, mean, 5 / 11))
    assert found["effective"] == pytest.approx(11**2 / (16 + 16 + 4 + 1))
    assert found["deviation"] == pytest.approx(math.sqrt((squares - mean**2) * 4 / 3))
    [bucket] = asked(client, "alerts", "score_buckets")
    assert (bucket["n"], bucket["total"]) == (11.0, 5.0)


def test_an_estimate_of_a_sample_holds_the_truth_where_the_unweighted_share_does_not(client: Client) -> None:
    rng = np.random.default_rng(5)
    busy = np.arange(6000) < 4000  # four fifths of the busy time's calls were left out, and it went worse then
    truth = rng.random(6000) < np.where(busy, 0.3, 0.05)
    rate = np.where(busy, 0.2, 1.0)
    chosen = rng.random(6000) < rate
    insert(client, [(f"{i:032x}", float(truth[i]), 1 / rate[i]) for i in np.flatnonzero(chosen)])
    [names], [errors] = asked(client, "scores", "score_names"), asked(client, "scores", "score_errors")
    interval = share_interval(names["rate"], errors["rate_error"], errors["effective"])
    assert interval.low <= truth.mean() <= interval.high
    assert interval.high - interval.low < 0.05
    assert abs(truth[chosen].mean() - truth.mean()) > 0.05
