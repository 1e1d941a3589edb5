"""OTLP requests as the database reads them: `.proto` text, column types and SQL that turns values into text.

OTLP's AnyValue nests without limit; a table's columns do not. Each kind of attribute list gets its own depth: down to there
arrays and maps are decoded, below it they arrive as protobuf bytes and are shown base64-encoded, so nothing is dropped.
Field numbers: opentelemetry-proto 1.x `common.proto`, `trace.proto`, `logs.proto`. Only fields that are read are declared;
the database skips the others.
"""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from dataclasses import dataclass

SPAN_DEPTH = 3
"""Depth of span attributes: lists of objects with lists of scalars."""
EVENT_DEPTH = 1
"""Depth of span-event attributes: the SDKs allow lists of scalars; messages in events are JSON strings."""
PLAIN_DEPTH = 1
"""Depth of resource, scope and link attributes: scalars, lists and maps of scalars."""
LOG_DEPTH = 5
"""Depth of bodies and attributes of log records: structured messages with tool calls."""

EXTRA_FIELDS = {"project": 1000, "received_at": 1001, "batch": 1002, "redaction_key": 1003}
"""Fields that the collector appends to a request's bytes: string project, uint64 received_at (Unix ns), string batch, and where
values are hashed the key (string, 16 bytes), which is stored nowhere in the database."""

_ENUM = (
    "Enum8('none'=0,'string_value'=1,'bool_value'=2,'int_value'=3,'double_value'=4,'array_value'=5,"
    "'kvlist_value'=6,'bytes_value'=7)"
)
_UNSET = "''"
EXTRA_COLUMNS = "project String, received_at UInt64, batch String, redaction_key String"
EXTRA_PROTO = " ".join(
    f"{'uint64' if name == 'received_at' else 'string'} {name} = {number};" for name, number in EXTRA_FIELDS.items()
)


@dataclass(frozen=True, slots=True)
class Landing:
    """A landing table: `columns` of the table, `proto` text and name of the message it is filled from."""

    table: str
    columns: str
    proto: str
    message: str


def any_value_proto(depth: int) -> str:
    """Messages A0..A{depth} (a value with that many levels below it) and K0..K{depth} (key and value)."""
    lines: list[str] = []
    for level in range(depth + 1):
        array, kvlist = (f"L{level}", f"M{level}") if level else ("bytes", "bytes")
        lines.append(
            f"message A{level} {{ oneof value {{ string string_value = 1; bool bool_value = 2; int64 int_value = 3; "
            f"double double_value = 4; {array} array_value = 5; {kvlist} kvlist_value = 6; bytes bytes_value = 7; }} }}"
        )
        lines.append(f"message K{level} {{ string key = 1; A{level} value = 2; }}")
        if level:
            lines.append(f"message L{level} {{ repeated A{level - 1} values = 1; }}")
            lines.append(f"message M{level} {{ repeated K{level - 1} values = 1; }}")
    return "\n".join(lines)


def any_value_type(depth: int) -> str:
    """Column type of a value with `depth` levels below it; `value` says which of the others was set."""
    array, kvlist = "String", "String"
    if depth:
        below = any_value_type(depth - 1)
        array = f"Tuple(values Array({below}))"
        kvlist = f"Tuple(values Array(Tuple(key String, value {below})))"
    return (
        "Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, "
        f"array_value {array}, kvlist_value {kvlist}, bytes_value String, value {_ENUM})"
    )


def attributes_type(depth: int) -> str:
    """Column type of a list of keys and values."""
    return f"Array(Tuple(key String, value {any_value_type(depth)}))"


def texts(values: str, depth: int) -> str:
    """SQL: Array(String) of an array of values: strings as they are, unset is '', the rest as JSON text (bytes: base64)."""
    return f"arrayMap(v -> {_mapped('v', depth, 's', 'toString(d)', 'base64Encode(y)', _UNSET)}, [{values}])[1]"


def attribute_map(attributes: str, depth: int) -> str:
    """SQL map of an attribute list, keys to text; arrays and maps stand behind the others, whose conversion is much cheaper."""
    value = f"{attributes}.value"
    plain = (
        "arrayMap((t, s, b, i, d, y) -> multiIf(t = 1, s, t = 3, toString(i), t = 2, toString(b), t = 4, toString(d), t = 7, "
        f"base64Encode(y), ''), arrayMap(t -> toInt8(t), {value}.value), {value}.string_value, {value}.bool_value, {value}.int_value, "
        f"{value}.double_value, {value}.bytes_value)"
    )
    nested = f"arrayFilter(kv -> kv.value.value IN ('array_value', 'kvlist_value'), {attributes})"
    kept = "t NOT IN ('array_value', 'kvlist_value')"
    keys = f"arrayConcat(arrayFilter((k, t) -> {kept}, {attributes}.key, {value}.value), {nested}.key)"
    all_texts = f"arrayConcat(arrayFilter((p, t) -> {kept}, {plain}, {value}.value), {texts(f'{nested}.value', depth)})"
    return f"CAST(({keys}, {all_texts}), 'Map(LowCardinality(String), String)')"


def _json(values: str, depth: int) -> str:
    """SQL: Array(String) of JSON of values inside an array or map; nan and inf become strings, unset is null."""
    number = "if(isFinite(d), toString(d), toJSONString(toString(d)))"
    return _mapped(values, depth, "toJSONString(s)", number, "toJSONString(base64Encode(y))", "'null'")


def _mapped(values: str, depth: int, string: str, double: str, octets: str, unset: str) -> str:
    """SQL: one text per value. Members are taken out of the array once, not per use: large types make each mention dear.

    Arrays and maps go through one list of (key, value), so that the text grows with depth and not with 2^depth.
    """
    if depth:
        keys = "arrayConcat(arrayWithConstant(length(a), ''), arrayMap(k -> concat(toJSONString(k), ':'), m.key))"
        items = f"arrayMap((k, j) -> concat(k, j), {keys}, {_json('arrayConcat(a, m.value)', depth - 1)})"
        nested = f"concat(if(t = 6, '{{', '['), arrayStringConcat({items}, ','), if(t = 6, '}}', ']'))"
        below = f"{values}.array_value.values, {values}.kvlist_value.values"
    else:
        raw = "base64Encode(concat(a, m))"
        nested = raw if string == "s" else f"toJSONString({raw})"
        below = f"{values}.array_value, {values}.kvlist_value"
    return (
        f"arrayMap((t, s, b, i, d, y, a, m) -> multiIf(t = 1, {string}, t = 3, toString(i), t = 2, toString(b), t = 4, {double}, "
        f"t IN (5, 6), {nested}, t = 7, {octets}, {unset}), arrayMap(t -> toInt8(t), {values}.value), {values}.string_value, "
        f"{values}.bool_value, {values}.int_value, {values}.double_value, {values}.bytes_value, {below})"
    )


def traces() -> Landing:
    """Landing table of ExportTraceServiceRequest."""
    plain, event, span = (attributes_type(depth) for depth in (PLAIN_DEPTH, EVENT_DEPTH, SPAN_DEPTH))
    columns = (
        f"resource_spans Array(Tuple(resource Tuple(attributes {plain}), scope_spans Array(Tuple("
        f"scope Tuple(name String, version String, attributes {plain}), spans Array(Tuple("
        "trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32, "
        f"start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {span}, "
        f"events Array(Tuple(time_unix_nano UInt64, name String, attributes {event})), "
        f"links Array(Tuple(trace_id String, span_id String, trace_state String, attributes {plain})), "
        f"status Tuple(message String, code Int32))))))), {EXTRA_COLUMNS}"
    )
    proto = f"""syntax = "proto3";
{any_value_proto(SPAN_DEPTH)}
message Resource {{ repeated K{PLAIN_DEPTH} attributes = 1; }}
message Scope {{ string name = 1; string version = 2; repeated K{PLAIN_DEPTH} attributes = 3; }}
message Event {{ fixed64 time_unix_nano = 1; string name = 2; repeated K{EVENT_DEPTH} attributes = 3; }}
message Link {{ bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated K{PLAIN_DEPTH} attributes = 4; }}
message Status {{ string message = 2; int32 code = 3; }}
message Span {{ bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated K{SPAN_DEPTH} attributes = 9;
  repeated Event events = 11; repeated Link links = 13; Status status = 15; }}
message ScopeSpans {{ Scope scope = 1; repeated Span spans = 2; }}
message ResourceSpans {{ Resource resource = 1; repeated ScopeSpans scope_spans = 2; }}
message TracesRequest {{ repeated ResourceSpans resource_spans = 1; {EXTRA_PROTO} }}
"""
    return Landing("otlp_traces", columns, proto, "TracesRequest")


def logs() -> Landing:
    """Landing table of ExportLogsServiceRequest."""
    plain, record = attributes_type(PLAIN_DEPTH), attributes_type(LOG_DEPTH)
    columns = (
        f"resource_logs Array(Tuple(resource Tuple(attributes {plain}), scope_logs Array(Tuple("
        f"scope Tuple(name String, version String, attributes {plain}), log_records Array(Tuple("
        "time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String, "
        f"body {any_value_type(LOG_DEPTH)}, attributes {record}, flags UInt32, trace_id String, span_id String, "
        f"event_name String)), schema_url String)), schema_url String)), {EXTRA_COLUMNS}"
    )
    proto = f"""syntax = "proto3";
{any_value_proto(LOG_DEPTH)}
message Resource {{ repeated K{PLAIN_DEPTH} attributes = 1; }}
message Scope {{ string name = 1; string version = 2; repeated K{PLAIN_DEPTH} attributes = 3; }}
message LogRecord {{ fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; A{LOG_DEPTH} body = 5;
  repeated K{LOG_DEPTH} attributes = 6; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11; string event_name = 12; }}
message ScopeLogs {{ Scope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }}
message ResourceLogs {{ Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }}
message LogsRequest {{ repeated ResourceLogs resource_logs = 1; {EXTRA_PROTO} }}
"""
    return Landing("otlp_logs", columns, proto, "LogsRequest")
