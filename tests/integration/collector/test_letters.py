"""Dead letters can be seen, stored after all exactly once, and dropped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.storage.client import connect

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def command(running: Installation, *arguments: str, code: int = 0) -> str:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("LEEWATCH_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("leewatch")), "dead-letters", *arguments],
        env={**outside, **running.environment, "LEEWATCH_DATA": str(running.data), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + (done.stderr if code else "")


def listed(running: Installation, *arguments: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads(command(running, "list", "--json", *arguments))
    return answer


def request(names: list[str], seed: int) -> bytes:
    (body,) = requests(1, len(names), seed, time.time_ns())
    parsed = ExportTraceServiceRequest.FromString(body)
    for span, name in zip(parsed.resource_spans[0].scope_spans[0].spans, names, strict=True):
        span.name = name
    return parsed.SerializeToString()


def post(running: Installation, body: bytes, path: str = "/v1/traces") -> None:
    answer = httpx.post(running.http_url + path, content=body, headers=PROTOBUF, timeout=30, trust_env=False)
    assert answer.status_code == 200


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    client = connect(settings)
    try:
        return [tuple(row) for row in client.query(query).result_rows]
    finally:
        client.close()


@contextmanager
def refusing(settings: Settings, table: str, check: str) -> Iterator[None]:
    client = connect(settings)
    client.command(f"ALTER TABLE {table} ADD CONSTRAINT odd CHECK {check}")
    try:
        yield
    finally:
        client.command(f"ALTER TABLE {table} DROP CONSTRAINT odd")
        client.close()


@pytest.fixture
def refused(installation: Installation, database: Settings) -> Installation:
    """Two spans and a log record refused, two spans stored; the database takes everything again."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns(), event_name="bad")
    with (
        refusing(database, "otel_traces", "NOT startsWith(SpanName, 'bad')"),
        refusing(database, "otel_logs", "EventName != 'bad'"),
    ):
        post(installation, request(["bad 1", "good", "bad 2", "fine"], seed=1))
        post(installation, logs.SerializeToString(), "/v1/logs")
        until(lambda: installation.accounting()["dead_lettered"] == 2)
        until(lambda: installation.accounting()["logs"]["dead_lettered"] == 1)
    return installation


def test_replayed_letters_are_stored_exactly_once_and_the_account_stays(
    refused: Installation, database: Settings
) -> None:
    before = refused.accounting()
    letters = listed(refused)
    assert sorted((one["signal"], one["kind"], one["spans"]) for one in letters) == [
        ("logs", "refused", 1),
        ("traces", "refused", 1),
        ("traces", "refused", 1),
    ]
    first = next(one for one in letters if one["signal"] == "traces")
    shown = json.loads(command(refused, "show", first["id"], "--content"))
    assert "odd" in shown["reason"]
    assert shown["otlp"]["resourceSpans"]
    assert "otlp" not in json.loads(command(refused, "show", first["id"]))
    again = command(refused, "replay", first["id"], "--json")
    assert json.loads(again) == {"replayed": 1, "already_stored": 0, "failed": []}
    assert json.loads(command(refused, "replay", "--all", "--json"))["replayed"] == 2
    assert json.loads(command(refused, "replay", "--all", "--json"))["replayed"] == 0
    assert json.loads(command(refused, "replay", first["id"], "--json"))["already_stored"] == 1
    assert listed(refused) == []
    assert {one["action"] for one in listed(refused, "--all")} == {"replayed"}
    for table in ("otel_traces", "llm_spans"):
        ids = "TraceId, SpanId" if table == "otel_traces" else "trace_id, span_id"
        assert rows(database, f"SELECT count(), uniqExact({ids}) FROM {table}") == [(4, 4)]
    assert rows(database, "SELECT count() FROM otel_logs") == [(1,)]
    assert rows(database, "SELECT sum(spans) FROM batches WHERE signal = 'traces'") == [(4,)]
    assert refused.accounting() == before


def test_a_letter_that_is_refused_again_stays_and_dropped_ones_are_gone(
    refused: Installation, database: Settings
) -> None:
    with refusing(database, "otel_traces", "SpanName != 'bad 1'"):
        told = json.loads(
            command(refused, "replay", "--all", "--signal", "traces", "--json", code=1).partition("\n}")[0] + "}"
        )
    assert (told["replayed"], len(told["failed"])) == (1, 1)
    assert [one["signal"] for one in listed(refused, "--kind", "refused", "--signal", "traces")] == ["traces"]
    assert "3 dropped" in command(refused, "drop", "--all", "--yes")
    assert listed(refused, "--all") == []
    assert rows(database, "SELECT count() FROM dead_letters") == [(0,)]


def test_a_span_that_came_again_by_itself_is_not_stored_twice(refused: Installation, database: Settings) -> None:
    post(refused, request(["bad 1", "good", "bad 2", "fine"], seed=1)[: -0 or None] + b"\xf8\x07\x01")
    until(lambda: refused.accounting()["spooled"] == 0)
    told = json.loads(command(refused, "replay", "--all", "--signal", "traces", "--json"))
    assert told == {"replayed": 0, "already_stored": 2, "failed": []}


def test_what_could_not_be_derived_is_derived_later(installation: Installation, database: Settings) -> None:
    with refusing(database, "llm_spans", "name != 'odd one'"):
        post(installation, request(["odd one", "good"], seed=3))
        until(lambda: installation.accounting()["stored"] == 2)
        assert rows(database, "SELECT count() FROM llm_spans") == [(1,)]
    assert [one["derived"] for one in listed(installation, "--kind", "derivation")] == ["llm_spans"]
    assert json.loads(command(installation, "replay", "--all", "--json"))["replayed"] == 1
    assert rows(database, "SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans") == [(2, 2)]


def test_unknown_names_and_options_are_clear_errors(installation: Installation) -> None:
    assert "no dead letter is named nothing" in command(installation, "show", "nothing", code=2)
    assert "--kind 'odd'" in command(installation, "list", "--kind", "odd", code=2)
    assert "name dead letters, or pass --all" in command(installation, "replay", code=2)
