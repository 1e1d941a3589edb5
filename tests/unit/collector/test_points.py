"""Data points are judged one by one; taken apart, each remembers where it stood."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector import pieces
from collector.otlp_json import to_protobuf
from collector.validate import check
from leewatch.testing import otlp

AT = 1_700_000_000_000_000_000
DAY_NS = 86_400 * 10**9


def histogram(*points: dict[str, Any]) -> bytes:
    timed = [{"time_unix_nano": AT, **point} for point in points]
    return otlp.metrics([{"name": "h", "kind": "histogram", "points": timed}]).SerializeToString()


def gauge(*times: int, name: str = "g") -> bytes:
    points = [{"as_int": index, "time_unix_nano": at} for index, at in enumerate(times)]
    return otlp.metrics([{"name": name, "kind": "gauge", "points": points}]).SerializeToString()


def test_points_are_counted_and_stored_as_they_were_sent() -> None:
    body = gauge(AT, AT + 5)
    verdict = check("metrics", body + body)
    assert (verdict.received, verdict.rejected, verdict.first_ns, verdict.last_ns) == (4, 0, AT, AT + 5)
    assert verdict.payload == body + body


def test_a_metric_without_a_kind_or_points_is_no_point() -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="none")
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="empty").gauge.SetInParent()
    assert check("metrics", request.SerializeToString()).received == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"bucket_counts": [1], "explicit_bounds": [1.0]},
        {"bucket_counts": [1, 2, 3], "explicit_bounds": [1.0]},
        {"explicit_bounds": [1.0]},
        {"bucket_counts": [1, 2, 3], "explicit_bounds": [2.0, 1.0]},
        {"bucket_counts": [1, 2, 3], "explicit_bounds": [1.0, 1.0]},
        {"bucket_counts": [1, 2], "explicit_bounds": [math.nan]},
    ],
)
def test_buckets_that_contradict_their_bounds_are_refused_alone(bad: dict[str, Any]) -> None:
    good = {"count": 3, "bucket_counts": [1, 2], "explicit_bounds": [1.0]}
    verdict = check("metrics", histogram(good, bad, {"count": 4}, {"count": 4, "bucket_counts": [4]}))
    assert (verdict.received, verdict.rejected) == (4, 1)
    assert verdict.reason.startswith("1 data point(s) refused: a metric needs a name; explicit_bounds must increase")
    kept = ExportMetricsServiceRequest.FromString(verdict.payload).resource_metrics[0].scope_metrics[0].metrics[0]
    assert [point.count for point in kept.histogram.data_points] == [3, 4, 4]


def test_a_metric_without_a_name_is_refused_with_all_its_points() -> None:
    verdict = check("metrics", gauge(AT, AT, name="") + gauge(AT))
    assert (verdict.received, verdict.rejected) == (3, 2)


def test_positions_that_a_sender_made_up_do_not_pass() -> None:
    request = ExportMetricsServiceRequest.FromString(gauge(AT))
    request.resource_metrics[0].MergeFromString(b"\xc0\x3e\x63")  # field 1000, number 99
    assert check("metrics", request.SerializeToString()).payload == gauge(AT)


def test_pieces_keep_everything_and_their_positions() -> None:
    summed = otlp.metrics(
        [{"name": "s", "kind": "sum", "monotonic": True, "temporality": 1, "unit": "By", "points": [{"as_int": 5}]}]
    )
    body = gauge(AT, AT + 1) + summed.SerializeToString()
    apart = list(pieces.pieces("metrics", body, AT))
    assert [piece.key for piece in apart] == [("", "", 0), ("", "", 1), ("", "", 2)]
    assert pieces.keys("metrics", body, AT) == pieces.keys("metrics", apart[2].body + apart[0].body + apart[1].body, AT)
    metric = ExportMetricsServiceRequest.FromString(apart[2].body).resource_metrics[0].scope_metrics[0].metrics[0]
    assert metric == summed.resource_metrics[0].scope_metrics[0].metrics[0]


def test_a_request_over_many_months_is_split_with_positions_that_go_on() -> None:
    body = gauge(AT, AT - 200 * DAY_NS, 5, AT)
    split = pieces.by_period("metrics", body, AT, base=10)
    found = {period: sorted(key[2] for key in pieces.keys("metrics", part, AT)) for period, part in split.items()}
    assert found == {pieces.period_of(AT): [10, 12, 13], pieces.period_of(AT - 200 * DAY_NS): [11]}


def test_json_takes_numbers_as_text_special_values_and_hex_ids_of_exemplars() -> None:
    exemplars = [
        {"asDouble": 1, "traceId": "AB" * 16, "spanId": "cd" * 8},
        {"asDouble": 2, "traceId": "no hex", "spanId": "cd" * 8},
    ]
    document = {
        "resourceMetrics": [
            {
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "g",
                                "gauge": {
                                    "dataPoints": [{"asInt": "7", "timeUnixNano": str(AT), "exemplars": exemplars}]
                                },
                            },
                            {"name": "n", "gauge": {"dataPoints": [{"asDouble": "NaN"}]}},
                            {
                                "name": "h",
                                "histogram": {
                                    "aggregationTemporality": 1,
                                    "dataPoints": [{"count": "3", "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}],
                                },
                            },
                        ]
                    }
                ]
            }
        ]
    }
    request = ExportMetricsServiceRequest.FromString(to_protobuf("metrics", json.dumps(document).encode()))
    first, nan, distribution = request.resource_metrics[0].scope_metrics[0].metrics
    (point,) = first.gauge.data_points
    assert (point.as_int, point.time_unix_nano) == (7, AT)
    assert [(e.trace_id, e.span_id) for e in point.exemplars] == [(b"\xab" * 16, b"\xcd" * 8), (b"", b"")]
    assert math.isnan(nan.gauge.data_points[0].as_double)
    assert list(distribution.histogram.data_points[0].bucket_counts) == [1, 2]
