"""The collector as senders and operators see it, on a real store."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.bench.load import requests
from collector.bench.processes import Installation
from leewatch.testing.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
UNKNOWN = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
DAY_NS = 86_400 * 10**9


def load(count: int = 1, spans: int = 4, seed: int = 1) -> list[bytes]:
    return list(requests(count, spans, seed, time.time_ns()))


def export(running: Installation, body: bytes, method: str = TRACES, **options: Any) -> bytes:
    with grpc.insecure_channel(running.grpc_target, options=[("grpc.max_send_message_length", -1)]) as channel:
        return bytes(channel.unary_unary(method)(body, timeout=30, **options))


def stored(running: Installation, count: int) -> None:
    until(lambda: bool(running.accounting()["stored"] == count))


def test_every_way_to_send_ends_in_the_database_once(installation: Installation, rows: Callable[[str], Any]) -> None:
    plain, zipped, deflated, http, over_grpc, compressed = load(6)
    as_json = {
        "resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "j"}]}]}]
    }
    assert installation.post(plain).status_code == 200
    assert installation.post(gzip.compress(zipped), Content_Encoding="gzip").status_code == 200
    assert installation.post(zlib.compress(deflated), Content_Encoding="deflate").status_code == 200
    assert installation.post(http, Content_Type="application/x-protobuf; charset=utf-8").content == b""
    assert export(installation, over_grpc) == b""
    assert export(installation, compressed, compression=grpc.Compression.Gzip) == b""
    answer = installation.post(json.dumps(as_json).encode(), Content_Type="application/json")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, "application/json")
    assert installation.post(gzip.compress(plain, 1), Content_Encoding="gzip").status_code == 200
    stored(installation, 25)
    assert installation.accounting()["duplicate"] == 4
    assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(25, 25)]
    assert rows("SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans") == [(24, 24)]
    assert rows("SELECT sum(spans) FROM batches WHERE signal = 'traces'") == [(25,)]


def test_log_records_are_stored_and_counted_apart(installation: Installation, rows: Callable[[str], Any]) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for index in range(3):
        records.add(time_unix_nano=time.time_ns(), event_name=f"event {index}")
    assert installation.post(request.SerializeToString(), "/v1/logs").status_code == 200
    until(lambda: bool(installation.accounting()["logs"]["stored"] == 3))
    assert installation.accounting()["received"] == 0
    assert rows("SELECT count() FROM otel_logs") == [(3,)]


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/json"])
def test_malformed_bodies_are_answered_in_their_own_content_type(installation: Installation, kind: str) -> None:
    answer = installation.post(b"\xff\xfe{", Content_Type=kind)
    assert (answer.status_code, answer.headers["content-type"]) == (400, kind)
    told = answer.json() if kind.endswith("json") else Status.FromString(answer.content)
    assert (told["code"] if isinstance(told, dict) else told.code) == 3


def test_http_refusals_have_their_status(installation: Installation) -> None:
    (good,) = load()
    assert installation.post(good, Content_Type="text/plain").status_code == 415
    assert installation.post(good, Content_Encoding="br").status_code == 415
    assert installation.post(gzip.compress(good)[:-20], Content_Encoding="gzip").status_code == 400
    assert installation.post(b"", "/v1/profiles").status_code == 404
    assert installation.post(b"", "/v1/traces").status_code == 200
    bomb = gzip.compress(bytes(100 << 20))
    assert installation.post(bomb, Content_Encoding="gzip").status_code == 413
    assert installation.usage("collector").peak_rss_mb < 350
    assert installation.accounting()["received"] == 0


def test_grpc_refusals_have_their_code(installation: Installation) -> None:
    for body, method, options, code in (
        (b"\xff\xfe", TRACES, {}, grpc.StatusCode.INVALID_ARGUMENT),
        (b"", UNKNOWN, {}, grpc.StatusCode.UNIMPLEMENTED),
        (bytes(65 << 20), TRACES, {}, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (bytes(100 << 20), TRACES, {"compression": grpc.Compression.Gzip}, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            export(installation, body, method, **options)
        assert caught.value.code() is code
    assert installation.usage("collector").peak_rss_mb < 350


def test_spans_with_invalid_ids_are_refused_alone(installation: Installation, rows: Callable[[str], Any]) -> None:
    request = ExportTraceServiceRequest.FromString(load(1, 3)[0])
    request.resource_spans[0].scope_spans[0].spans[1].trace_id = bytes(16)
    answer = ExportTraceServiceResponse.FromString(export(installation, request.SerializeToString()))
    assert answer.partial_success.rejected_spans == 1
    assert "1 span(s) refused" in answer.partial_success.error_message
    stored(installation, 2)
    assert installation.accounting()["rejected"] == 1
    assert rows("SELECT count() FROM otel_traces") == [(2,)]


def test_history_of_many_months_in_one_request_is_stored_whole(
    installation: Installation, rows: Callable[[str], Any]
) -> None:
    request = ExportTraceServiceRequest.FromString(load(1, 100)[0])
    now = time.time_ns()
    for index, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.start_time_unix_nano = now - index * 3 * DAY_NS
        span.end_time_unix_nano = span.start_time_unix_nano + 1000
    assert installation.post(request.SerializeToString()).status_code == 200
    stored(installation, 100)
    assert rows("SELECT count(), uniqExact(toDate(Timestamp)) FROM otel_traces") == [(100, 100)]


def test_log_records_observed_over_many_months_are_stored_whole(
    installation: Installation, rows: Callable[[str], Any]
) -> None:
    request, now = ExportLogsServiceRequest(), time.time_ns()
    records = request.resource_logs.add().scope_logs.add().log_records
    for index in range(120):
        records.add(time_unix_nano=5, observed_time_unix_nano=now - index * DAY_NS)
    assert installation.post(request.SerializeToString(), "/v1/logs").status_code == 200
    until(lambda: installation.accounting()["logs"]["stored"] == 120)
    assert rows("SELECT count(), uniqExact(toDate(Timestamp)) FROM otel_logs") == [(120, 120)]


def test_a_span_that_the_database_refuses_goes_to_dead_letters_alone(
    installation: Installation, constraint: Callable[..., Any], rows: Callable[[str], Any]
) -> None:
    with constraint("otel_traces", "SpanName != 'poison'"):
        request = ExportTraceServiceRequest.FromString(load(1, 9)[0])
        request.resource_spans[0].scope_spans[0].spans[4].name = "poison"
        assert installation.post(request.SerializeToString()).status_code == 200
        stored(installation, 8)
    assert installation.accounting()["dead_lettered"] == 1
    assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(8, 8)]
    assert rows("SELECT count() FROM llm_spans") == [(8,)]
    ((signal, spans, reason),) = rows("SELECT signal, spans, reason FROM dead_letters")
    assert (signal, spans) == ("traces", 1)
    assert "odd" in reason


def test_operators_pages_answer(installation: Installation) -> None:
    assert httpx.get(f"{installation.http_url}/healthz", trust_env=False).status_code == 200
    assert httpx.get(f"{installation.http_url}/readyz", trust_env=False).json()["ready"] is True
    text = httpx.get(f"{installation.http_url}/metrics", trust_env=False).text
    assert 'leewatch_collector_items_total{outcome="received",signal="traces"} 0' in text


def padded(seed: int) -> bytes:
    """A request of one span and 9 MB."""
    request = ExportTraceServiceRequest.FromString(load(1, 1, seed)[0])
    request.resource_spans[0].scope_spans[0].spans[0].name = "x" * (9 << 20)
    return request.SerializeToString()


def test_without_a_store_requests_are_spooled_then_refused_with_a_hint(tmp_path: Path) -> None:
    running = Installation(tmp_path / "data", {"COLLECTOR__MAX_SPOOL_MB": 16, "COLLECTOR__MAX_VALUE_MB": 64})
    running.start("collector")
    try:
        assert running.post(padded(seed=1)).status_code == 200
        full = running.post(padded(seed=2))
        assert (full.status_code, full.headers["retry-after"]) == (503, "2")
        with pytest.raises(grpc.RpcError) as caught:
            export(running, padded(seed=3))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        trailing = dict(caught.value.trailing_metadata())
        retry = RetryInfo()
        assert Status.FromString(trailing["grpc-status-details-bin"]).details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 2
        ready = httpx.get(f"{running.http_url}/readyz", trust_env=False).json()
        assert (ready["ready"], ready["store"].startswith("down")) == (True, True)
        assert running.accounting()["spooled"] == 1
        assert running.stop("collector") == 0
    finally:
        running.close()


def test_a_taken_port_and_a_locked_directory_are_one_clear_sentence(installation: Installation, tmp_path: Path) -> None:
    taken = Installation(tmp_path / "other")
    taken.environment["LEEWATCH_COLLECTOR__GRPC_PORT"] = installation.environment["LEEWATCH_COLLECTOR__GRPC_PORT"]
    locked = Installation(installation.data)
    for other, told in ((taken, "collector.grpc_port"), (locked, "in use by another Leewatch process")):
        other.start("collector", wait=False)
        process = other._processes["collector"]
        assert process.wait(30) == 2
        assert told in " ".join(other.log("collector").read_text().split())
