"""OTLP requests as the database reads them: `.proto` text, column types and SQL that turns values into text.

Values are scalars or lists of scalars: `wire` has turned deeper ones into JSON text before. Whatever came deeper all the same
arrives as protobuf bytes and is shown base64-encoded, so nothing is dropped. Field numbers: opentelemetry-proto 1.x
`common.proto`, `trace.proto`, `logs.proto`. Only fields that are read are declared; the database skips the others.
"""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from dataclasses import dataclass

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


def varint(value: int) -> bytes:
    """Base-128 form of a number from 0 up, lowest seven bits first (protobuf encoding; ClickHouse's formats have the same)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, offset behind it) of the base-128 form at an offset. Raises IndexError where the data end in it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


@dataclass(frozen=True, slots=True)
class Landing:
    """A landing table: `columns` of the table, `proto` text and name of the message it is filled from."""

    table: str
    columns: str
    proto: str
    message: str


def _fields(array: str) -> str:
    return (
        "oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; "
        f"{array} array_value = 5; bytes kvlist_value = 6; bytes bytes_value = 7; }}"
    )


VALUE_PROTO = f"""message Scalar {{ {_fields("bytes")} }}
message List {{ repeated Scalar values = 1; }}
message Value {{ {_fields("List")} }}
message KeyValue {{ string key = 1; Value value = 2; }}"""
"""Messages that every request's text needs."""


def _type(array: str) -> str:
    return (
        "Tuple(string_value String, bool_value Bool, int_value Int64, double_value Float64, "
        f"array_value {array}, kvlist_value String, bytes_value String, value {_ENUM})"
    )


VALUE = _type(f"Tuple(values Array({_type('String')}))")
"""Column type of a value; its member `value` says which of the others was set."""
ATTRIBUTES = f"Array(Tuple(key String, value {VALUE}))"
"""Column type of a list of keys and values."""


def texts(values: str) -> str:
    """SQL: Array(String) of an array of values: strings as they are, unset is '', lists as JSON, bytes base64."""
    number = "if(isFinite(d), toString(d), toJSONString(toString(d)))"
    items = _mapped(
        "l", "toJSONString(s)", number, "toJSONString(base64Encode({}))", "toJSONString(base64Encode(l))", "'null'"
    )
    listed = f"concat('[', arrayStringConcat({items}, ','), ']')"
    return _mapped(values, "s", "toString(d)", "base64Encode({})", listed, "''", ".values")


def attribute_map(attributes: str) -> str:
    """SQL map of an attribute list, keys to text."""
    return f"CAST(({attributes}.key, {texts(f'{attributes}.value')}), 'Map(LowCardinality(String), String)')"


def _mapped(values: str, string: str, double: str, octets: str, listed: str, unset: str, inside: str = "") -> str:
    """SQL: one text per value. Members are taken out of the array once, not per use: large types make each mention dear."""
    return (
        f"arrayMap((t, s, b, i, d, y, k, l) -> multiIf(t = 1, {string}, t = 3, toString(i), t = 2, toString(b), t = 4, {double}, "
        f"t = 5, {listed}, t = 7, {octets.format('y')}, t = 6, {octets.format('k')}, {unset}), arrayMap(t -> toInt8(t), {values}.value), "
        f"{values}.string_value, {values}.bool_value, {values}.int_value, {values}.double_value, {values}.bytes_value, "
        f"{values}.kvlist_value, {values}.array_value{inside})"
    )


SPAN = (
    "Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32, "
    f"start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {ATTRIBUTES}, "
    f"events Array(Tuple(time_unix_nano UInt64, name String, attributes {ATTRIBUTES})), "
    f"links Array(Tuple(trace_id String, span_id String, trace_state String, attributes {ATTRIBUTES})), "
    "status Tuple(message String, code Int32))"
)
"""Column type of a span."""
RECORD = (
    "Tuple(time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String, "
    f"body {VALUE}, attributes {ATTRIBUTES}, flags UInt32, trace_id String, span_id String, event_name String)"
)
"""Column type of a log record."""
_SCOPE = f"scope Tuple(name String, version String, attributes {ATTRIBUTES})"
SCOPE_SPANS = f"Array(Tuple({_SCOPE}, spans Array({SPAN})))"
SCOPE_LOGS = f"Array(Tuple({_SCOPE}, log_records Array({RECORD}), schema_url String))"
_RESOURCE = f"resource Tuple(attributes {ATTRIBUTES})"
_SHARED_PROTO = f"""syntax = "proto3";
{VALUE_PROTO}
message Resource {{ repeated KeyValue attributes = 1; }}
message Scope {{ string name = 1; string version = 2; repeated KeyValue attributes = 3; }}"""


def traces() -> Landing:
    """Landing table of ExportTraceServiceRequest."""
    columns = f"resource_spans Array(Tuple({_RESOURCE}, scope_spans {SCOPE_SPANS})), {EXTRA_COLUMNS}"
    proto = f"""{_SHARED_PROTO}
message Event {{ fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }}
message Link {{ bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }}
message Status {{ string message = 2; int32 code = 3; }}
message Span {{ bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  repeated Event events = 11; repeated Link links = 13; Status status = 15; }}
message ScopeSpans {{ Scope scope = 1; repeated Span spans = 2; }}
message ResourceSpans {{ Resource resource = 1; repeated ScopeSpans scope_spans = 2; }}
message TracesRequest {{ repeated ResourceSpans resource_spans = 1; {EXTRA_PROTO} }}
"""
    return Landing("otlp_traces", columns, proto, "TracesRequest")


def logs() -> Landing:
    """Landing table of ExportLogsServiceRequest."""
    columns = f"resource_logs Array(Tuple({_RESOURCE}, scope_logs {SCOPE_LOGS}, schema_url String)), {EXTRA_COLUMNS}"
    proto = f"""{_SHARED_PROTO}
message LogRecord {{ fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; Value body = 5;
  repeated KeyValue attributes = 6; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11; string event_name = 12; }}
message ScopeLogs {{ Scope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }}
message ResourceLogs {{ Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }}
message LogsRequest {{ repeated ResourceLogs resource_logs = 1; {EXTRA_PROTO} }}
"""
    return Landing("otlp_logs", columns, proto, "LogsRequest")
