"""Data points of OTLP metrics: how they are judged, where they stand in a batch (pure).

A point has no id. What names it is its position: its number among the points of its batch. The database counts positions
itself; a part of a batch carries the position of its first point in a field of ours (`POSITION_FIELD`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isnan
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from leewatch.semconv.landing import EARLIEST_NS, FUTURE_NS
from leewatch.semconv.metrics import POSITION_FIELD
from leewatch.semconv.protobuf import varint

_NEVER = 1 << 64
REASON = (
    "data point(s) refused: a metric needs a name; explicit_bounds must increase strictly; bucket_counts must have one "
    "element more than explicit_bounds, or both none (opentelemetry-proto metrics.proto)"
)


def metrics_of(request: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
    """(metric, its data points, scope, resource) of every metric that has a kind."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is not None:
                    yield metric, getattr(metric, kind).data_points, scope, resource


def check(request: Any) -> tuple[int, int, int, int]:
    """Points received, points refused, first and last time in ns of the others."""
    received = rejected = last = 0
    first = _NEVER
    for metric, points, _, _ in metrics_of(request):
        received += len(points)
        good = valid_points(metric, points)
        rejected += len(points) - len(good)
        for point in good:
            at = point.time_unix_nano
            if EARLIEST_NS <= at < first:
                first = at
            if at > last:
                last = at
    return received, rejected, first, last


def valid_points(metric: Any, points: Any) -> Any:
    """The points of a metric that can be stored and read again."""
    if not metric.name:
        return []
    if metric.WhichOneof("data") != "histogram":
        return points
    sane: set[tuple[float, ...]] = set()  # bounds are nearly always those of the point before
    return [point for point in points if _buckets_agree(point, sane)]


def _buckets_agree(point: Any, sane: set[tuple[float, ...]]) -> bool:
    bounds = tuple(point.explicit_bounds)
    counts = len(point.bucket_counts)
    if counts != len(bounds) + 1 and (counts or bounds):
        return False
    if bounds not in sane:
        if any(map(isnan, bounds)) or not all(lower < upper for lower, upper in pairwise(bounds)):
            return False
        sane.add(bounds)
    return True


def stored_time(point: Any, received_ns: int) -> int:
    """Time of a point as the views choose it: ns since the epoch."""
    at = int(point.time_unix_nano)
    return at if EARLIEST_NS <= at <= received_ns + FUTURE_NS else received_ns


def walk(request: Any, base: int = 0) -> Iterator[tuple[int, Any, Any, Any, Any]]:
    """(position, point, metric, scope, resource) of every point. base: position of the first one, where none is told."""
    position, group = base, None
    for metric, points, scope, resource in metrics_of(request):
        if resource is not group:
            group, told = resource, position_of(resource)
            position = position if told is None else told
        for point in points:
            yield position, point, metric, scope, resource
            position += 1


def position_of(resource: Any) -> int | None:
    """Position of the first point of a part of a batch; None in a request as it was sent."""
    fields: Any = UnknownFieldSet(resource)
    for field in fields:
        if field.field_number == POSITION_FIELD and isinstance(field.data, int) and field.data > 0:
            return int(field.data) - 1
    return None


def alone(request: Any, position: int, point: Any, metric: Any, scope: Any, resource: Any) -> bytes:
    """Bytes of a request that holds one point, and where it stood. request: an empty one."""
    outer = request.resource_metrics.add(schema_url=resource.schema_url)
    outer.resource.CopyFrom(resource.resource)
    inner = outer.scope_metrics.add(schema_url=scope.schema_url)
    inner.scope.CopyFrom(scope.scope)
    kind = metric.WhichOneof("data")
    copy = inner.metrics.add(name=metric.name, description=metric.description, unit=metric.unit)
    copy.metadata.extend(metric.metadata)
    of_kind, source = getattr(copy, kind), getattr(metric, kind)
    for field, value in source.ListFields():
        if field.name != "data_points":
            setattr(of_kind, field.name, value)
    of_kind.data_points.append(point)
    outer.MergeFromString(varint(POSITION_FIELD << 3) + varint(position + 1))
    return bytes(request.SerializeToString())
