"""SQL that takes OTLP requests in the landing tables apart: one row per span or log record, attributes as text.

Two views in a row, with a table between them that stores nothing: the first turns nested values into text, the second makes
rows and names the columns. As one SELECT with a subquery the database needs several times as long to analyze it, at each insert.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.protobuf import EVENT_DEPTH, LOG_DEPTH, PLAIN_DEPTH, SPAN_DEPTH, attribute_map, texts

EARLIEST_NS = 946_684_800_000_000_000
"""2000-01-01: a clock that says earlier is wrong."""
FUTURE_NS = 86_400_000_000_000
"""What starts more than a day after its receipt has a wrong clock."""
LONGEST_NS = 1 << 62
"""A longer duration comes from a wrong clock."""

_MAP = "Map(LowCardinality(String), String)"
_EVENTS = f"Array(DateTime64(9)), Array(String), Array({_MAP})"
_LINKS = f"Array(String), Array(String), Array(String), Array({_MAP})"
_SPAN_TYPE = (
    f"Tuple(String, String, String, String, String, Int32, UInt64, UInt64, {_MAP}, Int32, String, {_EVENTS}, {_LINKS})"
)
_RECORD_TYPE = f"Tuple(UInt64, UInt64, String, String, UInt32, String, Int32, String, {_MAP}, String)"
_BATCH_COLUMNS = "project String, batch String, received UInt64, redaction_key String"
SPAN_GROUPS = f"{_BATCH_COLUMNS}, item Tuple({_MAP}, Array(Tuple(String, String, {_MAP}, Array({_SPAN_TYPE}))))"
"""Columns of the table between the two views of traces: one row per resource."""
RECORD_GROUPS = (
    f"{_BATCH_COLUMNS}, item Tuple({_MAP}, Array(Tuple(String, String, {_MAP}, Array({_RECORD_TYPE}), String)), String)"
)
"""Columns of the table between the two views of logs."""

REQUEST = (
    "if(project = '', 'default', project) AS project, batch, "
    "if(received_at = 0, toUInt64(toUnixTimestamp64Nano(now64(9))), received_at) AS received"
)
RECEIVED = "fromUnixTimestamp64Milli(toInt64(intDiv(received, 1000000)), 'UTC')"
SANE = f"BETWEEN {EARLIEST_NS} AND received + {FUTURE_NS}"


def span_groups_select() -> str:
    """Rows of otlp_span_groups."""
    return f"SELECT {REQUEST}, redaction_key, arrayJoin({_requests('resource_spans', 'scope_spans', 'spans', _span())}) AS item FROM otlp_traces"


def record_groups_select() -> str:
    """Rows of otlp_record_groups."""
    items = _requests("resource_logs", "scope_logs", "log_records", _record(), schemas=True)
    return f"SELECT {REQUEST}, redaction_key, arrayJoin({items}) AS item FROM otlp_logs"


def spans_select(more: str = "") -> str:
    """Rows of otel_traces, and `more` columns. A start that makes no sense becomes the time of receipt, an impossible duration 0; both are flagged."""
    # The difference of two UInt64 is an Int64, which a long one overflows.
    no_duration = f"start = 0 OR finish < start OR toUInt64(finish - start) >= {LONGEST_NS}"
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64(if(start {SANE}, start, received))) AS Timestamp,
    span.1 AS TraceId, span.2 AS SpanId, span.3 AS ParentSpanId, span.4 AS TraceState, span.5 AS SpanName,
    transform(span.6, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified') AS SpanKind,
    resource['service.name'] AS ServiceName, resource AS ResourceAttributes,
    scope.1 AS ScopeName, scope.2 AS ScopeVersion, scope.3 AS ScopeAttributes,
    span.9 AS SpanAttributes,
    if({no_duration}, 0, finish - start) AS Duration,
    transform(span.10, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode, span.11 AS StatusMessage,
    span.12 AS `Events.Timestamp`, span.13 AS `Events.Name`, span.14 AS `Events.Attributes`,
    span.15 AS `Links.TraceId`, span.16 AS `Links.SpanId`, span.17 AS `Links.TraceState`, span.18 AS `Links.Attributes`,
    project AS Project, batch AS Batch, {RECEIVED} AS ReceivedAt,
    NOT (start {SANE}) OR {no_duration} AS ClockSkewed{more}
FROM (
    SELECT project, batch, received, redaction_key, resource, scope, arrayJoin(scope.4) AS span, span.7 AS start, span.8 AS finish
    FROM (
        SELECT project, batch, received, redaction_key, item.1 AS resource, arrayJoin(item.2) AS scope
        FROM otlp_span_groups
    )
)"""


def logs_select(more: str = "") -> str:
    """Rows of otel_logs, and `more` columns. A record without a sane time has the time it was observed, else the time of receipt."""
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64(multiIf(record.1 {SANE}, record.1, record.2 {SANE}, record.2, received))) AS Timestamp,
    record.3 AS TraceId, record.4 AS SpanId, toUInt8(record.5 % 256) AS TraceFlags,
    record.6 AS SeverityText, toUInt8(record.7) AS SeverityNumber,
    resource['service.name'] AS ServiceName, record.8 AS Body,
    resource_schema AS ResourceSchemaUrl, resource AS ResourceAttributes,
    scope.5 AS ScopeSchemaUrl, scope.1 AS ScopeName, scope.2 AS ScopeVersion, scope.3 AS ScopeAttributes,
    record.9 AS LogAttributes, record.10 AS EventName,
    project AS Project, batch AS Batch, {RECEIVED} AS ReceivedAt{more}
FROM (
    SELECT project, batch, received, redaction_key, resource, resource_schema, scope, arrayJoin(scope.4) AS record
    FROM (
        SELECT project, batch, received, redaction_key, item.1 AS resource, item.3 AS resource_schema, arrayJoin(item.2) AS scope
        FROM otlp_record_groups
    )
)"""


def ledger_select(signal: str) -> str:
    """The row of batches of a request: how many spans or log records it holds."""
    landing, groups, scopes, items = {
        "traces": ("otlp_traces", "resource_spans", "scope_spans", "spans"),
        "logs": ("otlp_logs", "resource_logs", "scope_logs", "log_records"),
    }[signal]
    count = f"arraySum(g -> arraySum(s -> length(s.{items}), g.{scopes}), {groups})"
    return f"SELECT batch, '{signal}' AS signal, if(project = '', 'default', project) AS project, {count} AS spans FROM {landing}"


def _requests(groups: str, scopes: str, items: str, item: str, schemas: bool = False) -> str:
    """SQL: Array((resource map, Array((scope name, version, map, Array(item), schema)), schema))."""
    scope_schema, schema = (", s.schema_url", ", r.schema_url") if schemas else ("", "")
    scope = (
        f"(s.scope.name, s.scope.version, {attribute_map('s.scope.attributes', PLAIN_DEPTH)}, "
        f"arrayMap(x -> {item}, s.{items}){scope_schema})"
    )
    resource = f"({attribute_map('r.resource.attributes', PLAIN_DEPTH)}, arrayMap(s -> {scope}, r.{scopes}){schema})"
    return f"arrayMap(r -> {resource}, {groups})"


def _span() -> str:
    """SQL: span x as a flat tuple."""
    times = "arrayMap(e -> fromUnixTimestamp64Nano(toInt64(least(e.time_unix_nano, 9223372036854775807))), x.events)"
    parent = "if(x.parent_span_id = repeat('\\0', 8), '', lower(hex(x.parent_span_id)))"  # all zero: none
    return (
        f"(lower(hex(x.trace_id)), lower(hex(x.span_id)), {parent}, x.trace_state, x.name, x.kind, "
        f"x.start_time_unix_nano, x.end_time_unix_nano, {attribute_map('x.attributes', SPAN_DEPTH)}, x.status.code, "
        f"x.status.message, {times}, arrayMap(e -> e.name, x.events), "
        f"arrayMap(e -> {attribute_map('e.attributes', EVENT_DEPTH)}, x.events), "
        "arrayMap(l -> lower(hex(l.trace_id)), x.links), arrayMap(l -> lower(hex(l.span_id)), x.links), "
        f"arrayMap(l -> l.trace_state, x.links), arrayMap(l -> {attribute_map('l.attributes', PLAIN_DEPTH)}, x.links))"
    )


def _record() -> str:
    """SQL: log record x as a flat tuple."""
    return (
        "(x.time_unix_nano, x.observed_time_unix_nano, lower(hex(x.trace_id)), lower(hex(x.span_id)), x.flags, x.severity_text, "
        f"x.severity_number, {texts('[x.body]', LOG_DEPTH)}[1], {attribute_map('x.attributes', LOG_DEPTH)}, x.event_name)"
    )
