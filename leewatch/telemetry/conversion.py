"""What Prometheus would read, as OTLP metrics. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as Family
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from leewatch.instruments import Metric, Snapshot
from leewatch.telemetry.spans import SCOPE

_NOT_MEASURED: Any = None
"""Smallest and largest value: the fields are optional on the wire."""
_UNITS = {"seconds": "s", "bytes": "By"}
CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_data(
    metrics: Sequence[Metric], snapshot: Snapshot, resource: Resource, start_ns: int, now_ns: int
) -> MetricsData:
    """All values of a snapshot. start_ns: since when counters count."""
    families = [_family(metric, snapshot, start_ns, now_ns) for metric in metrics]
    scope = ScopeMetrics(InstrumentationScope(SCOPE), [family for family in families if family.data.data_points], "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _family(metric: Metric, snapshot: Snapshot, start_ns: int, now_ns: int) -> Family:
    unit = next((unit for word, unit in _UNITS.items() if word in metric.name.split("_")[-2:]), "1")
    if metric.kind == "histogram":
        points = [
            HistogramDataPoint(
                dict(labels),
                start_ns,
                now_ns,
                int(sum(counts[:-1])),
                counts[-1],
                [int(count) for count in counts[:-1]],
                list(metric.buckets),
                _NOT_MEASURED,
                _NOT_MEASURED,
            )
            for (owner, labels), counts in snapshot.histograms.items()
            if owner is metric
        ]
        return Family(metric.name, metric.help, unit, Histogram(points, CUMULATIVE))
    begun = start_ns if metric.kind == "counter" else 0
    numbers = [
        NumberDataPoint(dict(labels), begun, now_ns, value)
        for (owner, labels), value in snapshot.values.items()
        if owner is metric
    ]
    if metric.kind == "counter":
        return Family(metric.name, metric.help, unit, Sum(numbers, CUMULATIVE, is_monotonic=True))
    return Family(metric.name, metric.help, unit, Gauge(numbers))
