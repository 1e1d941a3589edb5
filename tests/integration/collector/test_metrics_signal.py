"""Metrics as stock SDKs and other senders bring them, on a real store: the same promises as for spans."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableGauge, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from collector.bench.processes import Installation
from leewatch.config import Settings
from leewatch.semconv.metrics import KINDS
from leewatch.storage.client import connect
from leewatch.testing import otlp

EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
DAY_NS = 86_400 * 10**9


def account(running: Installation) -> dict[str, int]:
    answer: dict[str, int] = running.accounting()["metrics"]
    parts = ("stored", "duplicate", "rejected", "dead_lettered", "spooled")
    assert answer["received"] == sum(answer[name] for name in parts)
    return answer


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
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


def post(running: Installation, body: bytes, content_type: str = "application/x-protobuf") -> httpx.Response:
    headers = {"Content-Type": content_type}
    return httpx.post(f"{running.http_url}/v1/metrics", content=body, headers=headers, timeout=30, trust_env=False)


def gauge(*values: float, **point: Any) -> bytes:
    points = [{"as_double": value, **point} for value in values]
    return otlp.metrics([{"name": "g", "kind": "gauge", "points": points}]).SerializeToString()


def record(exporter: MetricExporter) -> None:
    """Two collections of every instrument of the SDK."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
    provider = MeterProvider([reader], Resource({"service.name": "api"}))
    meter = provider.get_meter("test", "1.0")
    meter.create_observable_gauge("temperature", [lambda _: [otlp_observation(21.5)]], unit="Cel")
    counter, queue = meter.create_counter("calls"), meter.create_up_down_counter("queue")
    duration = meter.create_histogram("gen_ai.client.operation.duration", unit="s")
    for _ in range(2):
        counter.add(3, {"model": "m"})
        queue.add(-1)
        for seconds in (0.2, 0.4, 3.0):
            duration.record(seconds, {"gen_ai.request.model": "m"})
        assert provider.force_flush()
    provider.shutdown()


def otlp_observation(value: float) -> Any:
    from opentelemetry.metrics import Observation

    return Observation(value, {"room": "a"})


def test_stock_exporters_of_both_transports_and_temporalities_store_every_kind(
    installation: Installation, database: Settings
) -> None:
    record(HttpExporter(endpoint=f"{installation.http_url}/v1/metrics"))
    delta = dict.fromkeys((Counter, Histogram, ObservableGauge), AggregationTemporality.DELTA)
    exponential = {Histogram: ExponentialBucketHistogramAggregation()}
    record(
        GrpcExporter(
            endpoint=installation.grpc_target,
            insecure=True,
            preferred_temporality={**delta, UpDownCounter: AggregationTemporality.CUMULATIVE},
            preferred_aggregation=exponential,
        )
    )
    # 4 instruments, collected twice and once more at shutdown, where delta has nothing new but the gauge and the queue
    until(lambda: account(installation)["spooled"] == 0 and account(installation)["stored"] >= 20)
    told = account(installation)
    in_tables = sum(rows(database, f"SELECT count() FROM otel_metrics_{kind}")[0][0] for kind in KINDS)
    assert told["stored"] == in_tables == told["received"]
    assert rows(database, "SELECT sum(spans) FROM batches WHERE signal = 'metrics'") == [(in_tables,)]
    sums = rows(
        database,
        "SELECT DISTINCT MetricName, AggregationTemporality, IsMonotonic, Value FROM otel_metrics_sum ORDER BY ALL",
    )
    assert sums == [
        ("calls", 1, True, 3.0),
        ("calls", 2, True, 3.0),
        ("calls", 2, True, 6.0),
        ("queue", 2, False, -2.0),
        ("queue", 2, False, -1.0),
    ]
    assert rows(
        database, "SELECT DISTINCT ServiceName, Value, Attributes['room'], MetricUnit FROM otel_metrics_gauge"
    ) == [("api", 21.5, "a", "Cel")]
    explicit = rows(
        database, "SELECT max(Count), max(Sum), max(arraySum(BucketCounts)), any(Max) FROM otel_metrics_histogram"
    )
    assert explicit == [(6, pytest.approx(7.2), 6, 3.0)]
    exponential_rows = rows(
        database,
        "SELECT DISTINCT AggregationTemporality, Count, arraySum(PositiveBucketCounts) FROM otel_metrics_exponential_histogram",
    )
    assert exponential_rows == [(1, 3, 3)]


def test_json_and_repeated_requests_are_counted_in_data_points(installation: Installation, database: Settings) -> None:
    point = {
        "asInt": "7",
        "timeUnixNano": str(time.time_ns()),
        "attributes": [{"key": "k", "value": {"intValue": "1"}}],
    }
    metric = {"name": "calls", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    answer = post(installation, json.dumps(document).encode(), "application/json")
    assert (answer.status_code, answer.json()) == (200, {})
    body = gauge(1, 2, 3)
    for _ in range(2):
        assert post(installation, body).status_code == 200
    until(lambda: account(installation)["stored"] == 4)
    assert account(installation)["duplicate"] == 3
    assert rows(database, "SELECT Value, IsMonotonic, Attributes FROM otel_metrics_sum") == [(7.0, True, {"k": "1"})]


def test_data_points_that_make_no_sense_are_refused_alone(installation: Installation, database: Settings) -> None:
    points = [{"count": 2, "bucket_counts": [1, 1], "explicit_bounds": [1.0]}, {"count": 2, "bucket_counts": [2, 0, 0]}]
    request = otlp.metrics([{"name": "h", "kind": "histogram", "points": points}]).SerializeToString()
    answer = ExportMetricsServiceResponse.FromString(post(installation, request).content)
    assert answer.partial_success.rejected_data_points == 1
    assert "explicit_bounds" in answer.partial_success.error_message
    with grpc.insecure_channel(installation.grpc_target) as channel:
        told = ExportMetricsServiceResponse.FromString(channel.unary_unary(EXPORT)(request, timeout=30))
        assert told.partial_success.rejected_data_points == 1
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(EXPORT)(b"\xff\xfe", timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert post(installation, b"\xff\xfe").status_code == 400
    until(lambda: account(installation)["stored"] == 1)
    assert rows(database, "SELECT count() FROM otel_metrics_histogram") == [(1,)]


def test_history_of_many_months_is_stored_whole(installation: Installation, database: Settings) -> None:
    now = time.time_ns()
    points = [{"as_int": index, "time_unix_nano": now - index * 3 * DAY_NS} for index in range(100)]
    request = otlp.metrics([{"name": "g", "kind": "gauge", "points": points}])
    assert post(installation, gauge(1.5)).status_code == 200
    assert post(installation, request.SerializeToString()).status_code == 200
    until(lambda: account(installation)["stored"] == 101)
    assert rows(database, "SELECT count(), uniqExact(toDate(TimeUnix)) FROM otel_metrics_gauge") == [(101, 100)]
    identities = "SELECT count() = uniqExact(Batch, Position) FROM otel_metrics_gauge"
    assert rows(database, identities) == [(1,)]


def test_a_data_point_that_the_database_refuses_goes_to_dead_letters_alone(
    installation: Installation, database: Settings
) -> None:
    client = connect(database)
    client.command("ALTER TABLE otel_metrics_gauge ADD CONSTRAINT no_poison CHECK Value != 13")
    try:
        summed = otlp.metrics([{"name": "s", "kind": "sum", "points": [{"as_int": 13}]}]).SerializeToString()
        assert post(installation, gauge(*range(10, 16)) + summed).status_code == 200
        until(lambda: account(installation)["stored"] == 6)
    finally:
        client.command("ALTER TABLE otel_metrics_gauge DROP CONSTRAINT no_poison")
        client.close()
    assert account(installation)["dead_lettered"] == 1
    assert rows(database, "SELECT groupArray(Value) FROM (SELECT Value FROM otel_metrics_gauge ORDER BY Position)") == [
        ([10.0, 11.0, 12.0, 14.0, 15.0],)
    ]
    assert rows(database, "SELECT Value, Position FROM otel_metrics_sum") == [(13.0, 6)]
    ((signal, count, reason),) = rows(database, "SELECT signal, spans, reason FROM dead_letters")
    assert (signal, count) == ("metrics", 1)
    assert "no_poison" in reason
