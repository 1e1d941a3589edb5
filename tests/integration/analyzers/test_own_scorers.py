"""Scorers of the configuration, judges and measurements on spans of a real store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from analyzers.scoring import ScoringJob
from analyzers.store import AnalyzerStore
from leewatch.testing.encoder import HashingEncoder
from leewatch.testing.http_server import Answer, Asked, HttpServer

AddSpans = Callable[..., list[str]]


def run(client: Client, data: Path, **scorers: Any) -> None:
    """One round of the job with these scorers alone."""
    section = AnalyzersSection(scorers=scorers, content_wait_seconds=0)
    made = [catalog.create(section, name, Surroundings(data)) for name in scorers]
    ScoringJob(section, HashingEncoder(2), made, lambda: datetime.now(UTC), threading.Event()).run(
        AnalyzerStore(client)
    )


def test_own_scorers_write_scores_under_their_names(client: Client, add_spans: AddSpans, tmp_path: Path) -> None:
    add_spans([("hello", "ask Acme"), ("hello", "ask us")])
    with HttpServer(lambda asked: Answer(body={"scores": [0.25] * len(asked.body["spans"])})) as server:
        run(
            client, tmp_path,
            rivals={"kind": "regex", "pattern": "Acme"},
            size={"kind": "python", "function": "builtins:len", "fields": ["prompt"]},
            policy={"kind": "http", "url": server.url},
        )  # fmt: skip
    rows = client.query("SELECT name, value FROM scores ORDER BY name, value").result_rows
    assert rows == [
        ("prompt.size", 5.0), ("prompt.size", 5.0), ("response.policy", 0.25), ("response.policy", 0.25),
        ("response.rivals", 0.0), ("response.rivals", 1.0),
    ]  # fmt: skip
    details = client.query("SELECT details FROM scores WHERE name = 'response.rivals' AND value = 1").result_rows[0][0]
    assert json.loads(details) == [{"start": 4, "end": 8}]


def test_an_endpoint_that_is_down_stops_no_other_scorer_and_loses_nothing(
    client: Client, add_spans: AddSpans, tmp_path: Path
) -> None:
    add_spans([("hello", "ask Acme")])
    scorers: dict[str, Any] = {
        "policy": {"kind": "http", "url": "http://127.0.0.1:9/", "retries": 0},
        "rivals": {"kind": "regex", "pattern": "Acme"},
    }
    run(client, tmp_path, **scorers)
    assert client.query("SELECT DISTINCT scorer FROM scores").result_rows == [("rivals",)]
    error = client.query("SELECT error FROM progress FINAL WHERE name = 'scorer:policy'").result_rows[0][0]
    assert error.startswith("failed 1 times: EndpointError: http://127.0.0.1:9/ is down: ConnectError")
    with HttpServer(lambda asked: Answer(body={"scores": [1] * len(asked.body["spans"])})) as server:
        run(client, tmp_path, **{**scorers, "policy": {"kind": "http", "url": server.url, "version": "1"}})
    assert client.query("SELECT value FROM scores WHERE scorer = 'policy'").result_rows == [(1.0,)]


def test_a_judge_writes_the_weight_of_its_sample(client: Client, add_spans: AddSpans, tmp_path: Path) -> None:
    def grade(asked: Asked) -> Answer:
        verdict = json.dumps({"explanation": "fine", "score": 3})
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        return Answer(body={"choices": [{"message": {"content": verdict}}], "usage": usage})

    add_spans([("hello", f"answer {number}") for number in range(120)])
    with HttpServer(grade) as server:
        judge = {
            "kind": "judge", "base_url": f"{server.url}/v1", "model": "local", "rubric": "toxicity", "scale": [1, 5],
            "sampling": 0.25, "input_per_million": 0, "output_per_million": 0,
        }  # fmt: skip
        run(client, tmp_path, rude=judge)
        asked = len(server.asked)
        run(client, tmp_path, rude=judge)
        assert len(server.asked) == asked
    rows = client.query(
        "SELECT isNull(value), any(weight), any(reason), count(), any(value), any(explanation) FROM scores FINAL "
        "WHERE name = 'response.rude' GROUP BY 1 ORDER BY 1"
    ).result_rows
    assert rows[0] == (0, 4.0, "", asked, 0.5, "fine")
    assert rows[1] == (1, 0.0, "not sampled", 120 - asked, None, "")
    assert 15 < asked < 46


def test_measurements_see_why_the_model_stopped(client: Client, add_spans: AddSpans, tmp_path: Path) -> None:
    add_spans([("hello", ""), ("hello", "The parcel is on its way to the")])
    run(client, tmp_path, text={"metrics": ["truncated", "empty_answer"]})
    rows = client.query("SELECT name, value FROM scores ORDER BY name, value").result_rows
    assert rows == [
        ("span.empty_answer", 0.0), ("span.empty_answer", 1.0), ("span.truncated", 0.0), ("span.truncated", 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["prompt.pii", "span.prompt_words"])
def test_built_in_scorers_run_on_the_store(client: Client, add_spans: AddSpans, tmp_path: Path, name: str) -> None:
    add_spans([("mail a@example.org", "fine")])
    run(client, tmp_path, pii={}, text={})
    [(value, label)] = client.query(f"SELECT value, label FROM scores WHERE name = '{name}'").result_rows
    assert (value, label) == ((0.99, "EMAIL") if name == "prompt.pii" else (2.0, ""))
