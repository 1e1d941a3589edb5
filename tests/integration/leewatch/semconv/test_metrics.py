"""Every kind of data point in the table of its kind, exactly once, as it was sent."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from leewatch.semconv.metrics import KINDS
from leewatch.testing import otlp

DAY_NS = 86_400_000_000_000
AT = time.time_ns()
EXEMPLAR = {"time_unix_nano": AT, "as_int": 5, "span_id": b"s" * 8, "trace_id": b"t" * 16}


def every_kind() -> ExportMetricsServiceRequest:
    """Six metrics, 7 data points."""
    return otlp.metrics(
        [
            {"name": "load", "kind": "gauge", "unit": "1", "points": [{"as_double": 0.5, "attributes": {"cpu": 1}}]},
            {"name": "calls", "kind": "sum", "monotonic": True, "points": [{"as_int": 7, "exemplars": [EXEMPLAR]}]},
            {
                "name": "latency",
                "kind": "histogram",
                "temporality": 1,
                "points": [
                    {
                        "count": 6,
                        "sum": 0.0,
                        "bucket_counts": [1, 2, 3],
                        "explicit_bounds": [0.1, 0.5],
                        "min": 0,
                        "max": 2,
                    },
                    {"count": 6},
                ],
            },
            {
                "name": "sizes",
                "kind": "exponential_histogram",
                "points": [
                    {
                        "count": 304,
                        "sum": 9.0,
                        "scale": -2,
                        "zero_count": 1,
                        "zero_threshold": 0.01,
                        "positive": {"offset": -3, "bucket_counts": [1, 2, 300]},
                        "negative": {"offset": 4, "bucket_counts": []},
                    }
                ],
            },
            {
                "name": "old",
                "kind": "summary",
                "points": [{"count": 2, "sum": 3.5, "quantile_values": [{"quantile": 0.5, "value": 1.5}]}],
            },
            {"name": "queue", "kind": "sum", "points": [{"as_int": -3}]},
        ]
    )


def test_each_kind_is_stored_whole_and_the_same_token_adds_nothing(ingest: Any) -> None:
    for _ in range(2):
        ingest.send(every_kind(), signal="metrics", batch="m")
    counts = {kind: ingest.count(f"otel_metrics_{kind}") for kind in KINDS}
    assert counts == {"gauge": 1, "sum": 2, "histogram": 2, "exponential_histogram": 1, "summary": 1}
    assert ingest.rows("SELECT signal, spans FROM batches") == [{"signal": "metrics", "spans": 7}]
    (gauge,) = ingest.rows("SELECT ServiceName, MetricUnit, Attributes, Value, Flags, Project FROM otel_metrics_gauge")
    assert gauge == {
        "ServiceName": "shop",
        "MetricUnit": "1",
        "Attributes": {"cpu": "1"},
        "Value": 0.5,
        "Flags": 0,
        "Project": "default",
    }
    sums = ingest.rows(
        "SELECT MetricName, Value, IsMonotonic, AggregationTemporality AS t FROM otel_metrics_sum ORDER BY 1"
    )
    assert sums == [
        {"MetricName": "calls", "Value": 7.0, "IsMonotonic": True, "t": 2},
        {"MetricName": "queue", "Value": -3.0, "IsMonotonic": False, "t": 2},
    ]
    (exemplar,) = ingest.rows(
        "SELECT Exemplars.Value AS v, Exemplars.TraceId AS t, Exemplars.SpanId AS s "
        "FROM otel_metrics_sum WHERE MetricName = 'calls'"
    )
    assert exemplar == {"v": [5.0], "t": ["74" * 16], "s": ["73" * 8]}


def test_distributions_keep_buckets_and_what_was_not_sent(ingest: Any) -> None:
    ingest.send(every_kind(), signal="metrics")
    full, bare = ingest.rows(
        "SELECT Count, Sum, BucketCounts, ExplicitBounds, Min, Max, HasSum, HasMinMax "
        "FROM otel_metrics_histogram ORDER BY Position"
    )
    assert list(full.values()) == [6, 0.0, [1, 2, 3], [0.1, 0.5], 0.0, 2.0, True, True]
    assert list(bare.values()) == [6, 0.0, [], [], 0.0, 0.0, False, False]
    (exponential,) = ingest.rows(
        "SELECT Scale, ZeroCount, ZeroThreshold, PositiveOffset, PositiveBucketCounts, NegativeOffset, NegativeBucketCounts "
        "FROM otel_metrics_exponential_histogram"
    )
    assert list(exponential.values()) == [-2, 1, 0.01, -3, [1, 2, 300], 4, []]
    (summary,) = ingest.rows(
        "SELECT Count, Sum, ValueAtQuantiles.Quantile, ValueAtQuantiles.Value FROM otel_metrics_summary"
    )
    assert list(summary.values()) == [2, 3.5, [0.5], [1.5]]


def test_values_that_are_no_ordinary_numbers_are_told_apart(ingest: Any) -> None:
    points = [{"as_double": math.nan}, {"as_double": math.inf}, {"as_int": 0}, {"flags": 1}, {"as_int": -(2**63)}]
    ingest.send(otlp.metrics([{"name": "g", "kind": "gauge", "points": points}]), signal="metrics")
    values = [
        (row["Value"], row["Flags"])
        for row in ingest.rows("SELECT Value, Flags FROM otel_metrics_gauge ORDER BY Position")
    ]
    assert math.isnan(values[0][0])
    assert values[1:] == [(math.inf, 0), (0.0, 0), (0.0, 1), (-(2.0**63), 0)]


def test_times_that_make_no_sense_are_replaced(ingest: Any) -> None:
    points = [
        {"as_int": 0, "time_unix_nano": AT - 5, "start_time_unix_nano": AT - 10},
        {"as_int": 1, "time_unix_nano": 0},
        {"as_int": 2, "time_unix_nano": 2**63 + 1, "start_time_unix_nano": 2**63 + 1},
        {"as_int": 3, "time_unix_nano": AT + 3 * DAY_NS},
    ]
    ingest.send(otlp.metrics([{"name": "g", "kind": "gauge", "points": points}]), signal="metrics", received_at=AT)
    rows = ingest.rows(
        "SELECT toUnixTimestamp64Nano(TimeUnix) AS at, toUnixTimestamp64Nano(StartTimeUnix) AS start "
        "FROM otel_metrics_gauge ORDER BY Value"
    )
    assert [tuple(row.values()) for row in rows] == [(AT - 5, AT - 10), (AT, 0), (AT, 0), (AT, 0)]


def test_positions_number_the_points_of_a_batch_over_requests_scopes_and_kinds(ingest: Any) -> None:
    ingest.send(every_kind(), every_kind(), signal="metrics", batch="m")
    union = " UNION ALL ".join(f"SELECT Position, MetricName FROM otel_metrics_{kind}" for kind in KINDS)
    names = [row["MetricName"] for row in ingest.rows(f"SELECT * FROM ({union}) ORDER BY Position")]
    assert names == ["load", "calls", "latency", "latency", "sizes", "old", "queue"] * 2


@pytest.mark.parametrize("broken", ["otel_metrics_gauge", "otel_metrics_summary", "batches"])
def test_a_retry_after_one_table_failed_completes_it_and_repeats_no_other(ingest: Any, broken: str) -> None:
    column = "Batch" if broken != "batches" else "batch"
    ingest.client.command(f"ALTER TABLE {broken} ADD CONSTRAINT refuse CHECK {column} = 'never'")
    try:
        with pytest.raises(Exception, match="VIOLATED_CONSTRAINT"):
            ingest.send(every_kind(), signal="metrics", batch="m")
    finally:
        ingest.client.command(f"ALTER TABLE {broken} DROP CONSTRAINT refuse")
    for _ in range(2):
        ingest.send(every_kind(), signal="metrics", batch="m")
    assert [ingest.count(f"otel_metrics_{kind}") for kind in KINDS] == [1, 2, 2, 1, 1]
    assert ingest.count("batches") == 1


def test_a_stock_collectors_row_needs_none_of_our_columns(ingest: Any) -> None:
    row = {
        "ServiceName": "s",
        "MetricName": "m",
        "Sum": 2.0,
        "Count": 2,
        "Min": 0.0,
        "Max": 2.0,
        "AggregationTemporality": 2,
    }
    ingest.client.insert("otel_metrics_histogram", [list(row.values())], column_names=list(row))
    assert ingest.rows("SELECT Project, Batch, HasSum, HasMinMax FROM otel_metrics_histogram") == [
        {"Project": "default", "Batch": "", "HasSum": True, "HasMinMax": True}
    ]
