"""OTLP requests from plain values, as an application's SDK would send them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from leewatch.semconv import wire
from leewatch.semconv.protobuf import EXTRA_FIELDS, varint

_ids = itertools.count(1)
DEFAULT_RESOURCE = {"service.name": "shop"}


def any_value(value: Any) -> AnyValue:
    """OTLP value of a str, bool, int, float, bytes, None (unset), sequence or mapping."""
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))


def key_values(values: Mapping[str, Any]) -> list[KeyValue]:
    """OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def traces(spans: Iterable[Mapping[str, Any]], resource: Mapping[str, Any] | None = None) -> ExportTraceServiceRequest:
    """One request. Keys of a span, all optional: name, attributes, events [{name, attributes, time}],
    links [{trace_id, span_id}], trace_id, span_id, parent_span_id (hex; else unused ones), start, end (ns), status,
    status_message.
    """
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(key_values(DEFAULT_RESOURCE if resource is None else resource))
    scope = group.scope_spans.add()
    scope.scope.name = "leewatch.testing"
    for given in spans:
        start = given.get("start", time.time_ns() - 1_000_000_000)
        span = scope.spans.add(
            name=given.get("name", "chat"),
            trace_id=bytes.fromhex(given.get("trace_id") or f"{next(_ids):032x}"),
            span_id=bytes.fromhex(given.get("span_id") or f"{next(_ids):016x}"),
            parent_span_id=bytes.fromhex(given.get("parent_span_id", "")),
            kind=3,
            start_time_unix_nano=start,
            end_time_unix_nano=given.get("end", start + 1_000_000_000),
            attributes=key_values(given.get("attributes", {})),
        )
        span.status.code = given.get("status", 0)
        span.status.message = given.get("status_message", "")
        for event in given.get("events", ()):
            span.events.add(
                name=event["name"],
                time_unix_nano=event.get("time", start),
                attributes=key_values(event.get("attributes", {})),
            )
        for link in given.get("links", ()):
            span.links.add(trace_id=bytes.fromhex(link["trace_id"]), span_id=bytes.fromhex(link["span_id"]))
    return request


def logs(records: Iterable[Mapping[str, Any]], resource: Mapping[str, Any] | None = None) -> ExportLogsServiceRequest:
    """One request. Keys of a record, all optional: event_name, body, attributes, trace_id, span_id (hex), time, observed (ns)."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(key_values(DEFAULT_RESOURCE if resource is None else resource))
    scope = group.scope_logs.add()
    for given in records:
        scope.log_records.add(
            event_name=given.get("event_name", ""),
            body=any_value(given.get("body")),
            attributes=key_values(given.get("attributes", {})),
            trace_id=bytes.fromhex(given.get("trace_id", "")),
            span_id=bytes.fromhex(given.get("span_id", "")),
            time_unix_nano=given.get("time", time.time_ns()),
            observed_time_unix_nano=given.get("observed", time.time_ns()),
        )
    return request


def metrics(
    given: Iterable[Mapping[str, Any]], resource: Mapping[str, Any] | None = None
) -> ExportMetricsServiceRequest:
    """One request. Keys of a metric: name, kind (gauge, sum, histogram, exponential_histogram, summary), points; optional: unit,
    temporality (1 delta, 2 cumulative; default 2), monotonic. A point is the fields of its message, but for `attributes`.
    """
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(key_values(DEFAULT_RESOURCE if resource is None else resource))
    scope = group.scope_metrics.add()
    scope.scope.name = "leewatch.testing"
    for item in given:
        metric = scope.metrics.add(name=item["name"], unit=item.get("unit", ""))
        of_kind = getattr(metric, item["kind"])
        of_kind.SetInParent()
        if item["kind"] not in {"gauge", "summary"}:
            of_kind.aggregation_temporality = item.get("temporality", 2)
        if item["kind"] == "sum":
            of_kind.is_monotonic = item.get("monotonic", False)
        for point in item["points"]:
            fields = {"time_unix_nano": time.time_ns(), **point}
            of_kind.data_points.add(**{**fields, "attributes": key_values(point.get("attributes", {}))})
    return request


def batch_body(
    requests: Sequence[ExportTraceServiceRequest | ExportLogsServiceRequest | ExportMetricsServiceRequest],
    batch: str,
    project: str = "default",
    received_at: int | None = None,
    redaction_key: str = "",
) -> bytes:
    """The body of one insert into a landing table: the requests' bytes and the fields that a collector appends."""
    fields = {"project": project, "received_at": time.time_ns() if received_at is None else received_at, "batch": batch}
    if redaction_key:
        fields["redaction_key"] = redaction_key
    return b"".join(map(_canonical, requests)) + b"".join(
        _field(EXTRA_FIELDS[name], value) for name, value in fields.items()
    )


def _canonical(request: Any) -> bytes:
    (signal,) = (name for name, kind in wire.REQUESTS.items() if isinstance(request, kind))
    return wire.write(signal, wire.read(signal, request.SerializeToString()))


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + bytes(data)
