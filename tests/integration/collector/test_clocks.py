"""Wrong clocks, long history, huge values and repeated requests: stored, flagged, counted; never lost, never twice."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
DAY_NS = 86_400 * 10**9


def load(spans: int, seed: int = 1) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(next(requests(1, spans, seed, time.time_ns())))


def export(running: Installation, body: bytes, **options: Any) -> None:
    with grpc.insecure_channel(running.grpc_target) as channel:
        channel.unary_unary(TRACES)(body, timeout=30, **options)


def test_wrong_clocks_are_flagged_and_open_no_partition_of_another_time(
    installation: Installation, rows: Callable[[str], Any]
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
    assert installation.post(request.SerializeToString()).status_code == 200
    until(lambda: installation.accounting()["stored"] == len(times))
    found = {
        name: (skewed, near, seconds)
        for name, skewed, near, seconds in rows(
            "SELECT SpanName, ClockSkewed, abs(dateDiff('hour', Timestamp, now())) <= 13, intDiv(Duration, 1000000000) "
            "FROM otel_traces",
        )
    }
    assert all(near for _, near, _ in found.values())
    assert {name for name, (skewed, _, _) in found.items() if not skewed} == {"sane", "tomorrow"}
    assert found["sane"][2] == 5
    assert all(found[name][2] == 0 for name in ("ends first", "no end", "zero"))
    assert rows("SELECT count(), uniqExact(name) FROM llm_spans") == [(len(times), len(times))]
    assert rows("SELECT max(ts) < now() + INTERVAL 2 DAY, min(ts) > now() - INTERVAL 2 DAY FROM llm_spans") == [(1, 1)]


@pytest.mark.slow
def test_four_hundred_days_of_spans_and_log_records_in_one_request_each_are_stored_whole(
    installation: Installation, rows: Callable[[str], Any]
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
    assert installation.post(spans.SerializeToString()).status_code == 200
    assert installation.post(logs.SerializeToString(), "/v1/logs").status_code == 200
    until(lambda: installation.accounting()["stored"] == days)
    until(lambda: installation.accounting()["logs"]["stored"] == days)
    for table in ("otel_traces", "otel_logs"):
        assert rows(f"SELECT count(), uniqExact(toDate(Timestamp)) FROM {table}") == [(days, days)]
    assert rows("SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans") == [(days, days)]
    assert "refused" not in installation.log("collector").read_text()


def test_huge_values_are_cut_flagged_and_counted_and_the_rest_of_the_span_is_whole(
    installation: Installation, rows: Callable[[str], Any]
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
    assert installation.post(request.SerializeToString()).status_code == 200
    until(lambda: installation.accounting()["stored"] == 2)
    ((note, short, flag),) = rows(
        "SELECT length(SpanAttributes['note']), SpanAttributes['short'], SpanAttributes['leewatch.truncated'] "
        "FROM otel_traces WHERE Truncated",
    )
    assert note <= 4 << 20
    assert short == "stays"
    assert json.loads(flag) == {"gen_ai.input.messages": len(json.dumps(messages)), "note": len(long_text)}
    ((prompt,),) = rows(f"SELECT prompt_text FROM llm_content FINAL WHERE span_id = '{first.span_id.hex()}'")
    assert "what is this?" in prompt
    text = httpx.get(f"{installation.http_url}/metrics", trust_env=False).text
    assert 'leewatch_collector_truncated_values_total{signal="traces"} 2' in text


def test_a_repeated_request_is_recognized_over_both_transports_any_compression_and_restarts(
    installation: Installation, rows: Callable[[str], Any]
) -> None:
    body = load(6, seed=9).SerializeToString()
    assert installation.post(body).status_code == 200
    export(installation, body)
    assert installation.post(gzip.compress(body), Content_Encoding="gzip").status_code == 200
    export(installation, body, compression=grpc.Compression.Gzip)
    assert installation.accounting()["duplicate"] == 18
    installation.kill("collector")
    installation.start("collector")
    export(installation, body)
    until(lambda: installation.accounting()["stored"] == 6)
    installation.stop("collector")
    installation.start("collector")
    assert installation.post(body).status_code == 200
    assert installation.accounting() == {**installation.accounting(), "received": 36, "stored": 6, "duplicate": 30}
    assert rows("SELECT count() FROM otel_traces") == [(6,)]
