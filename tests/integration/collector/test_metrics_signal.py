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
from leewatch.semconv.metrics import KINDS
from leewatch.testing import otlp
from leewatch.testing.waiting import until

EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
DAY_NS = 86_400 * 10**9


def post(running: Installation, body: bytes, content_type: str = "application/x-protobuf") -> httpx.Response:
    return running.post(body, "/v1/metrics", Content_Type=content_type)


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
    installation: Installation, rows: Callable[[str], Any]
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
    until(
        lambda: (
            installation.accounting()["metrics"]["spooled"] == 0
            and installation.accounting()["metrics"]["stored"] >= 20
        )
    )
    told = installation.accounting()["metrics"]
    in_tables = sum(rows(f"SELECT count() FROM otel_metrics_{kind}")[0][0] for kind in KINDS)
    assert told["stored"] == in_tables == told["received"]
    assert rows("SELECT sum(spans) FROM batches WHERE signal = 'metrics'") == [(in_tables,)]
    sums = rows(
        "SELECT DISTINCT MetricName, AggregationTemporality, IsMonotonic, Value FROM otel_metrics_sum ORDER BY ALL",
    )
    assert sums == [
        ("calls", 1, True, 3.0),
        ("calls", 2, True, 3.0),
        ("calls", 2, True, 6.0),
        ("queue", 2, False, -2.0),
        ("queue", 2, False, -1.0),
    ]
    assert rows("SELECT DISTINCT ServiceName, Value, Attributes['room'], MetricUnit FROM otel_metrics_gauge") == [
        ("api", 21.5, "a", "Cel")
    ]
    explicit = rows("SELECT max(Count), max(Sum), max(arraySum(BucketCounts)), any(Max) FROM otel_metrics_histogram")
    assert explicit == [(6, pytest.approx(7.2), 6, 3.0)]
    exponential_rows = rows(
        "SELECT DISTINCT AggregationTemporality, Count, arraySum(PositiveBucketCounts) FROM otel_metrics_exponential_histogram",
    )
    assert exponential_rows == [(1, 3, 3)]


def test_json_and_repeated_requests_are_counted_in_data_points(
    installation: Installation, rows: Callable[[str], Any]
) -> None:
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
    until(lambda: installation.accounting()["metrics"]["stored"] == 4)
    assert installation.accounting()["metrics"]["duplicate"] == 3
    assert rows("SELECT Value, IsMonotonic, Attributes FROM otel_metrics_sum") == [(7.0, True, {"k": "1"})]


def test_data_points_that_make_no_sense_are_refused_alone(
    installation: Installation, rows: Callable[[str], Any]
) -> None:
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
    until(lambda: installation.accounting()["metrics"]["stored"] == 1)
    assert rows("SELECT count() FROM otel_metrics_histogram") == [(1,)]


def test_history_of_many_months_is_stored_whole(installation: Installation, rows: Callable[[str], Any]) -> None:
    now = time.time_ns()
    points = [{"as_int": index, "time_unix_nano": now - index * 3 * DAY_NS} for index in range(100)]
    request = otlp.metrics([{"name": "g", "kind": "gauge", "points": points}])
    assert post(installation, gauge(1.5)).status_code == 200
    assert post(installation, request.SerializeToString()).status_code == 200
    until(lambda: installation.accounting()["metrics"]["stored"] == 101)
    assert rows("SELECT count(), uniqExact(toDate(TimeUnix)) FROM otel_metrics_gauge") == [(101, 100)]
    identities = "SELECT count() = uniqExact(Batch, Position) FROM otel_metrics_gauge"
    assert rows(identities) == [(1,)]


def test_a_data_point_that_the_database_refuses_goes_to_dead_letters_alone(
    installation: Installation, constraint: Callable[..., Any], rows: Callable[[str], Any]
) -> None:
    with constraint("otel_metrics_gauge", "Value != 13"):
        summed = otlp.metrics([{"name": "s", "kind": "sum", "points": [{"as_int": 13}]}]).SerializeToString()
        assert post(installation, gauge(*range(10, 16)) + summed).status_code == 200
        until(lambda: installation.accounting()["metrics"]["stored"] == 6)
    assert installation.accounting()["metrics"]["dead_lettered"] == 1
    assert rows("SELECT groupArray(Value) FROM (SELECT Value FROM otel_metrics_gauge ORDER BY Position)") == [
        ([10.0, 11.0, 12.0, 14.0, 15.0],)
    ]
    assert rows("SELECT Value, Position FROM otel_metrics_sum") == [(13.0, 6)]
    ((signal, count, reason),) = rows("SELECT signal, spans, reason FROM dead_letters")
    assert (signal, count) == ("metrics", 1)
    assert "odd" in reason
