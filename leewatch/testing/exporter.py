"""What ClickHouse exporters of OpenTelemetry collectors send: rows of otel_traces and otel_logs in their wire formats.

Built from the formats' definitions (ClickHouse docs, "Formats", RowBinary and Native), not by a ClickHouse library.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from leewatch.semconv.protobuf import varint

Row = Mapping[str, Any]
Text = Callable[[AnyValue], str]

_NAME = "LowCardinality(String)"
_MAP = "Map(LowCardinality(String), String)"
SPAN_COLUMNS = {
    "Timestamp": "DateTime64(9)", "TraceId": "String", "SpanId": "String", "ParentSpanId": "String", "TraceState": "String",
    "SpanName": _NAME, "SpanKind": _NAME, "ServiceName": _NAME, "ResourceAttributes": _MAP, "ScopeName": "String",
    "ScopeVersion": "String", "SpanAttributes": _MAP, "Duration": "UInt64", "StatusCode": _NAME, "StatusMessage": "String",
    "Events.Timestamp": "Array(DateTime64(9))", "Events.Name": f"Array({_NAME})", "Events.Attributes": f"Array({_MAP})",
    "Links.TraceId": "Array(String)", "Links.SpanId": "Array(String)", "Links.TraceState": "Array(String)",
    "Links.Attributes": f"Array({_MAP})",
}  # fmt: skip
"""Columns and types that the exporters insert into otel_traces."""
LOG_COLUMNS = {
    "Timestamp": "DateTime64(9)", "TraceId": "String", "SpanId": "String", "TraceFlags": "UInt8", "SeverityText": _NAME,
    "SeverityNumber": "UInt8", "ServiceName": _NAME, "Body": "String", "ResourceSchemaUrl": _NAME, "ResourceAttributes": _MAP,
    "ScopeSchemaUrl": _NAME, "ScopeName": "String", "ScopeVersion": _NAME, "ScopeAttributes": _MAP, "LogAttributes": _MAP,
    "EventName": "String",
}  # fmt: skip
"""Columns and types of otel_logs; EventName is sent by newer releases of the Go exporter only."""
_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS = ("Unset", "Ok", "Error")


def go_text(value: AnyValue) -> str:
    """An attribute as the Go collector writes it: lists and maps as plain JSON, bytes in base64, no value as ''."""
    raw = _plain(value)
    if isinstance(raw, str):
        return raw
    return "" if raw is None else json.dumps(raw, separators=(",", ":"), ensure_ascii=False)


def rotel_text(value: AnyValue) -> str:
    """An attribute as Rotel writes it: lists and maps as OTLP/JSON `{"values":[{"stringValue":...}]}`, bytes in hex."""
    kind = value.WhichOneof("value")
    if kind in {"array_value", "kvlist_value"}:
        nested = MessageToDict(getattr(value, kind))
        return json.dumps({"values": nested.get("values", [])}, separators=(",", ":"), ensure_ascii=False)
    return value.bytes_value.hex() if kind == "bytes_value" else go_text(value)


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def span_rows(request: ExportTraceServiceRequest, text: Text = go_text) -> list[Row]:
    """One row of SPAN_COLUMNS per span."""
    rows: list[Row] = []
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes, text)
        for scope in group.scope_spans:
            for span in scope.spans:
                values = (
                    span.start_time_unix_nano, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(),
                    span.trace_state, span.name, _KINDS[span.kind], resource.get("service.name", ""), resource,
                    scope.scope.name, scope.scope.version, _attributes(span.attributes, text),
                    span.end_time_unix_nano - span.start_time_unix_nano, _STATUS[span.status.code], span.status.message,
                    [event.time_unix_nano for event in span.events], [event.name for event in span.events],
                    [_attributes(event.attributes, text) for event in span.events],
                    [link.trace_id.hex() for link in span.links], [link.span_id.hex() for link in span.links],
                    [link.trace_state for link in span.links], [_attributes(link.attributes, text) for link in span.links],
                )  # fmt: skip
                rows.append(dict(zip(SPAN_COLUMNS, values, strict=True)))
    return rows


def log_rows(request: ExportLogsServiceRequest, text: Text = go_text) -> list[Row]:
    """One row of LOG_COLUMNS per log record."""
    rows: list[Row] = []
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes, text)
        for scope in group.scope_logs:
            for record in scope.log_records:
                values = (
                    record.time_unix_nano or record.observed_time_unix_nano, record.trace_id.hex(), record.span_id.hex(),
                    record.flags & 0xFF, record.severity_text, record.severity_number, resource.get("service.name", ""),
                    text(record.body), group.schema_url, resource, scope.schema_url, scope.scope.name, scope.scope.version,
                    _attributes(scope.scope.attributes, text), _attributes(record.attributes, text), record.event_name,
                )  # fmt: skip
                rows.append(dict(zip(LOG_COLUMNS, values, strict=True)))
    return rows


def _attributes(pairs: Sequence[KeyValue], text: Text) -> dict[str, str]:
    return {pair.key: text(pair.value) for pair in pairs}


# -- formats ----------------------------------------------------------------------------------------------------------


def json_each_row(rows: Sequence[Row], columns: Mapping[str, str]) -> bytes:
    """FORMAT JSONEachRow; times as nanoseconds since the epoch in seconds with a fraction."""
    lines = []
    for row in rows:
        values = {name: row[name] for name in columns}
        for name in (name for name, kind in columns.items() if "DateTime64" in kind):
            value = values[name]
            values[name] = [_seconds(ns) for ns in value] if isinstance(value, list) else _seconds(value)
        lines.append(json.dumps(values))
    return "\n".join(lines).encode()


def _seconds(ns: int) -> str:
    return f"{ns // 10**9}.{ns % 10**9:09d}"


def row_binary(rows: Sequence[Row], columns: Mapping[str, str], header: bool = False) -> bytes:
    """FORMAT RowBinary; with header, RowBinaryWithNamesAndTypes."""
    out = bytearray()
    if header:
        out += varint(len(columns))
        for word in (*columns, *columns.values()):
            out += _string(word)
    for row in rows:
        for name, kind in columns.items():
            out += _value(kind, row[name])
    return bytes(out)


def native(rows: Sequence[Row], columns: Mapping[str, str]) -> bytes:
    """FORMAT Native without a protocol version, all rows in one block."""
    out = bytearray(varint(len(columns)) + varint(len(rows)))
    for name, kind in columns.items():
        out += _string(name) + _string(kind)
        out += _native_prefix(kind) + _native(kind, [row[name] for row in rows])
    return bytes(out)


def _string(value: str) -> bytes:
    data = value.encode()
    return varint(len(data)) + data


def _value(kind: str, value: Any) -> bytes:
    if kind.startswith("Array("):
        return varint(len(value)) + b"".join(_value(kind[6:-1], item) for item in value)
    if kind == _MAP:
        return varint(len(value)) + b"".join(_string(word) for pair in value.items() for word in pair)
    return _fixed(kind, [value]) or _string(value)


def _fixed(kind: str, values: Sequence[Any]) -> bytes:
    code = {"DateTime64(9)": "q", "UInt64": "Q", "UInt8": "B"}.get(kind)
    return struct.pack(f"<{len(values)}{code}", *values) if code else b""


def _native_prefix(kind: str) -> bytes:
    return struct.pack("<Q", 1) if _NAME in kind else b""


def _native(kind: str, values: Sequence[Any]) -> bytes:
    if kind.startswith("Array("):
        return _offsets(values) + _native(kind[6:-1], [item for value in values for item in value])
    if kind == _MAP:
        keys = [key for value in values for key in value]
        return (
            _offsets(values) + _native(_NAME, keys) + _native("String", [v for value in values for v in value.values()])
        )
    if kind == _NAME:
        return _dictionary(values)
    return _fixed(kind, values) or b"".join(_string(value) for value in values)


def _offsets(values: Sequence[Any]) -> bytes:
    total, out = 0, bytearray()
    for value in values:
        total += len(value)
        out += struct.pack("<Q", total)
    return bytes(out)


def _dictionary(values: Sequence[str]) -> bytes:
    if not values:
        return b""
    keys = list(dict.fromkeys(["", *values]))
    places = {key: place for place, key in enumerate(keys)}
    # Flags 0x600: this block brings its own keys; index type 2 is UInt32.
    head = struct.pack("<QQ", 0x600 | 2, len(keys)) + b"".join(_string(key) for key in keys)
    return head + struct.pack(f"<Q{len(values)}I", len(values), *(places[value] for value in values))
