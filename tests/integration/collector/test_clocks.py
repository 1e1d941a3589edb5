"""Wrong clocks, long history, huge values and repeated requests: stored, flagged, counted; never lost, never twice."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.storage.client import connect

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
DAY_NS = 86_400 * 10**9


def load(spans: int, seed: int = 1) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(next(requests(1, spans, seed, time.time_ns())))


def post(running: Installation, body: bytes, path: str = "/v1/traces", **headers: str) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx.post(
        running.http_url + path, content=body, headers={**PROTOBUF, **named}, timeout=60, trust_env=False
    )
    assert answer.status_code == 200


def export(running: Installation, body: bytes, **options: Any) -> None:
    with grpc.insecure_channel(running.grpc_target) as channel:
        channel.unary_unary(TRACES)(body, timeout=30, **options)


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def account(running: Installation) -> dict[str, Any]:
    answer = running.accounting()
    assert answer["received"] == sum(answer[n] for n in ("stored", "duplicate", "rejected", "dead_lettered", "spooled"))
    return answer


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    client = connect(settings)
    try:
        return [tuple(row) for row in client.query(query).result_rows]
    finally:
        client.close()


def test_wrong_clocks_are_flagged_and_open_no_partition_of_another_time(
    installation: Installation, database: Settings
) -> None:
    now = time.time_ns()
    times = {
        "sane": (now - 5 * 10**9, now),
        "1970": (5, 10**9),
        "zero": (0, 0),
        "2200": (now + 180 * 365 * DAY_NS, now + 180 * 365 * DAY_NS + 10**9),
        "ends first": (now, now - 10**9),
        "no end": (now, 0),
        "ends in 1970 years": (now, (1 << 64) - 1),
        "last": ((1 << 64) - 1, (1 << 64) - 1),
        "tomorrow": (now + DAY_NS // 2, now + DAY_NS // 2 + 10**9),
    }
    request = load(len(times))
    for span, (name, (start, end)) in zip(request.resource_spans[0].scope_spans[0].spans, times.items(), strict=True):
        span.name, span.start_time_unix_nano, span.end_time_unix_nano = name, start, end
    post(installation, request.SerializeToString())
    until(lambda: account(installation)["stored"] == len(times))
    found = {
        name: (skewed, near, seconds)
        for name, skewed, near, seconds in rows(
            database,
            "SELECT SpanName, ClockSkewed, abs(dateDiff('hour', Timestamp, now())) <= 13, intDiv(Duration, 1000000000) "
            "FROM otel_traces",
        )
    }
    assert all(near for _, near, _ in found.values())
    assert {name for name, (skewed, _, _) in found.items() if not skewed} == {"sane", "tomorrow"}
    assert found["sane"][2] == 5
    assert all(found[name][2] == 0 for name in ("ends first", "no end", "zero"))
    assert rows(database, "SELECT count(), uniqExact(name) FROM llm_spans") == [(len(times), len(times))]
    assert rows(
        database, "SELECT max(ts) < now() + INTERVAL 2 DAY, min(ts) > now() - INTERVAL 2 DAY FROM llm_spans"
    ) == [(1, 1)]


def test_four_hundred_days_of_spans_and_log_records_in_one_request_each_are_stored_whole(
    installation: Installation, database: Settings
) -> None:
    now, days = time.time_ns(), 400
    spans = load(days)
    for index, span in enumerate(spans.resource_spans[0].scope_spans[0].spans):
        span.start_time_unix_nano = now - index * DAY_NS
        span.end_time_unix_nano = span.start_time_unix_nano + 1000
    logs = ExportLogsServiceRequest()
    records = logs.resource_logs.add().scope_logs.add().log_records
    for index in range(days):
        records.add(time_unix_nano=now - index * DAY_NS, event_name="old")
    post(installation, spans.SerializeToString())
    post(installation, logs.SerializeToString(), "/v1/logs")
    until(lambda: account(installation)["stored"] == days)
    until(lambda: account(installation)["logs"]["stored"] == days)
    for table in ("otel_traces", "otel_logs"):
        assert rows(database, f"SELECT count(), uniqExact(toDate(Timestamp)) FROM {table}") == [(days, days)]
    assert rows(database, "SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans") == [(days, days)]
    assert "refused" not in installation.log("collector").read_text()


def test_huge_values_are_cut_flagged_and_counted_and_the_rest_of_the_span_is_whole(
    installation: Installation, database: Settings
) -> None:
    long_text, pixels = "word " * 1_000_000, "A" * (6 << 20)
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "what is this?"}, {"type": "blob", "content": pixels}]}
    ]
    request = load(2)
    first = request.resource_spans[0].scope_spans[0].spans[0]
    values = {pair.key: pair.value for pair in first.attributes}
    values["gen_ai.input.messages"].string_value = json.dumps(messages)
    first.attributes.add(key="note").value.string_value = long_text
    first.attributes.add(key="short").value.string_value = "stays"
    post(installation, request.SerializeToString())
    until(lambda: account(installation)["stored"] == 2)
    ((note, short, flag),) = rows(
        database,
        "SELECT length(SpanAttributes['note']), SpanAttributes['short'], SpanAttributes['leewatch.truncated'] "
        "FROM otel_traces WHERE Truncated",
    )
    assert note <= 4 << 20
    assert short == "stays"
    assert json.loads(flag) == {"gen_ai.input.messages": len(json.dumps(messages)), "note": len(long_text)}
    ((prompt,),) = rows(database, f"SELECT prompt_text FROM llm_content FINAL WHERE span_id = '{first.span_id.hex()}'")
    assert "what is this?" in prompt
    text = httpx.get(f"{installation.http_url}/metrics", trust_env=False).text
    assert 'leewatch_collector_truncated_values_total{signal="traces"} 2' in text


def test_a_repeated_request_is_recognized_over_both_transports_any_compression_and_restarts(
    installation: Installation, database: Settings
) -> None:
    body = load(6, seed=9).SerializeToString()
    post(installation, body)
    export(installation, body)
    post(installation, gzip.compress(body), Content_Encoding="gzip")
    export(installation, body, compression=grpc.Compression.Gzip)
    assert account(installation)["duplicate"] == 18
    installation.kill("collector")
    installation.start("collector")
    export(installation, body)
    until(lambda: account(installation)["stored"] == 6)
    installation.stop("collector")
    installation.start("collector")
    post(installation, body)
    assert account(installation) == {**account(installation), "received": 36, "stored": 6, "duplicate": 30}
    assert rows(database, "SELECT count() FROM otel_traces") == [(6,)]
