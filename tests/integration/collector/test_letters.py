"""Dead letters can be seen, stored after all exactly once, and dropped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.testing.waiting import until

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def command(running: Installation, *arguments: str, code: int = 0) -> str:
    done = running.command("dead-letters", *arguments)
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


@pytest.fixture
def refused(installation: Installation, database: Settings, constraint: Callable[..., Any]) -> Installation:
    """Two spans and a log record refused, two spans stored; the database takes everything again."""
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns(), event_name="bad")
    with (
        constraint("otel_traces", "NOT startsWith(SpanName, 'bad')"),
        constraint("otel_logs", "EventName != 'bad'"),
    ):
        assert installation.post(request(["bad 1", "good", "bad 2", "fine"], seed=1)).status_code == 200
        assert installation.post(logs.SerializeToString(), "/v1/logs").status_code == 200
        until(lambda: installation.accounting()["dead_lettered"] == 2)
        until(lambda: installation.accounting()["logs"]["dead_lettered"] == 1)
    return installation


def test_replayed_letters_are_stored_exactly_once_and_the_account_stays(
    refused: Installation, rows: Callable[[str], Any]
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
        assert rows(f"SELECT count(), uniqExact({ids}) FROM {table}") == [(4, 4)]
    assert rows("SELECT count() FROM otel_logs") == [(1,)]
    assert rows("SELECT sum(spans) FROM batches WHERE signal = 'traces'") == [(4,)]
    assert refused.accounting() == before


def test_a_letter_that_is_refused_again_stays_and_dropped_ones_are_gone(
    refused: Installation, rows: Callable[[str], Any], constraint: Callable[..., Any]
) -> None:
    with constraint("otel_traces", "SpanName != 'bad 1'"):
        told = json.loads(
            command(refused, "replay", "--all", "--signal", "traces", "--json", code=1).partition("\n}")[0] + "}"
        )
    assert (told["replayed"], len(told["failed"])) == (1, 1)
    assert [one["signal"] for one in listed(refused, "--kind", "refused", "--signal", "traces")] == ["traces"]
    assert "3 dropped" in command(refused, "drop", "--all", "--yes")
    assert listed(refused, "--all") == []
    assert rows("SELECT count() FROM dead_letters") == [(0,)]


def test_a_span_that_came_again_by_itself_is_not_stored_twice(refused: Installation) -> None:
    assert (
        refused.post(request(["bad 1", "good", "bad 2", "fine"], seed=1)[: -0 or None] + b"\xf8\x07\x01").status_code
        == 200
    )
    until(lambda: refused.accounting()["spooled"] == 0)
    told = json.loads(command(refused, "replay", "--all", "--signal", "traces", "--json"))
    assert told == {"replayed": 0, "already_stored": 2, "failed": []}


def test_what_could_not_be_derived_is_derived_later(
    installation: Installation, rows: Callable[[str], Any], constraint: Callable[..., Any]
) -> None:
    with constraint("llm_spans", "name != 'odd one'"):
        assert installation.post(request(["odd one", "good"], seed=3)).status_code == 200
        until(lambda: installation.accounting()["stored"] == 2)
        assert rows("SELECT count() FROM llm_spans") == [(1,)]
    assert [one["derived"] for one in listed(installation, "--kind", "derivation")] == ["llm_spans"]
    assert json.loads(command(installation, "replay", "--all", "--json"))["replayed"] == 1
    assert rows("SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans") == [(2, 2)]


def test_unknown_names_and_options_are_clear_errors(installation: Installation) -> None:
    assert "no dead letter is named nothing" in command(installation, "show", "nothing", code=2)
    assert "--kind 'odd'" in command(installation, "list", "--kind", "odd", code=2)
    assert "name dead letters, or pass --all" in command(installation, "replay", code=2)
