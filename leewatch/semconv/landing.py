"""SQL that takes OTLP requests in the landing tables apart: one row per resource, per scope, then per span or log record.

Views in a row, with tables between them that store nothing. One SELECT would do, but the database needs several times as long
to analyze it, at each insert; so it does for functions inside functions over the whole request.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.protobuf import RECORD, SCOPE_LOGS, SCOPE_SPANS, SPAN, attribute_map, texts

EARLIEST_NS = 946_684_800_000_000_000
"""2000-01-01: a clock that says earlier is wrong."""
FUTURE_NS = 86_400_000_000_000
"""What starts more than a day after its receipt has a wrong clock."""
LONGEST_NS = 1 << 62
"""A longer duration comes from a wrong clock."""

_MAP = "Map(LowCardinality(String), String)"
_BATCH_COLUMNS = "project String, batch String, received UInt64, redaction_key String"
_SCOPE_COLUMNS = f"resource {_MAP}, scope_name String, scope_version String, scope_attributes {_MAP}"
BETWEEN = {
    "otlp_span_resources": f"{_BATCH_COLUMNS}, resource {_MAP}, scopes {SCOPE_SPANS}",
    "otlp_span_scopes": f"{_BATCH_COLUMNS}, {_SCOPE_COLUMNS}, spans Array({SPAN})",
    "otlp_record_resources": f"{_BATCH_COLUMNS}, resource {_MAP}, resource_schema String, scopes {SCOPE_LOGS}",
    "otlp_record_scopes": f"{_BATCH_COLUMNS}, resource_schema String, {_SCOPE_COLUMNS}, scope_schema String, records Array({RECORD})",
}
"""Tables between the views, without storage, and their columns."""

REQUEST = (
    "if(project = '', 'default', project) AS project, batch, "
    "if(received_at = 0, toUInt64(toUnixTimestamp64Nano(now64(9))), received_at) AS received"
)
RECEIVED = "fromUnixTimestamp64Milli(toInt64(intDiv(received, 1000000)), 'UTC')"
SANE = f"BETWEEN {EARLIEST_NS} AND received + {FUTURE_NS}"


def between_selects() -> dict[str, str]:
    """SELECT that fills each table of BETWEEN."""
    resource = attribute_map("r.resource.attributes")
    scope = (
        "project, batch, received, redaction_key, resource, s.scope.name AS scope_name, s.scope.version AS scope_version, "
        f"{attribute_map('s.scope.attributes')} AS scope_attributes"
    )
    return {
        "otlp_span_resources": f"SELECT {REQUEST}, redaction_key, {resource} AS resource, r.scope_spans AS scopes FROM otlp_traces ARRAY JOIN resource_spans AS r",
        "otlp_span_scopes": f"SELECT {scope}, s.spans AS spans FROM otlp_span_resources ARRAY JOIN scopes AS s",
        "otlp_record_resources": (
            f"SELECT {REQUEST}, redaction_key, {resource} AS resource, r.schema_url AS resource_schema, r.scope_logs AS scopes "
            "FROM otlp_logs ARRAY JOIN resource_logs AS r"
        ),
        "otlp_record_scopes": (
            f"SELECT {scope}, resource_schema, s.schema_url AS scope_schema, s.log_records AS records "
            "FROM otlp_record_resources ARRAY JOIN scopes AS s"
        ),
    }


def spans_select(more: str = "") -> str:
    """Rows of otel_traces, and `more` columns. A start that makes no sense becomes the time of receipt, an impossible duration 0; both are flagged."""
    start, finish = "x.start_time_unix_nano", "x.end_time_unix_nano"
    # The difference of two UInt64 is an Int64, which a long one overflows.
    no_duration = f"{start} = 0 OR {finish} < {start} OR toUInt64({finish} - {start}) >= {LONGEST_NS}"
    parent = "if(x.parent_span_id = repeat('\\0', 8), '', lower(hex(x.parent_span_id)))"  # all zero: none
    times = "arrayMap(t -> fromUnixTimestamp64Nano(toInt64(least(t, 9223372036854775807))), x.events.time_unix_nano)"
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64(if({start} {SANE}, {start}, received))) AS Timestamp,
    lower(hex(x.trace_id)) AS TraceId, lower(hex(x.span_id)) AS SpanId, {parent} AS ParentSpanId,
    x.trace_state AS TraceState, x.name AS SpanName,
    transform(x.kind, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified') AS SpanKind,
    resource['service.name'] AS ServiceName, resource AS ResourceAttributes,
    scope_name AS ScopeName, scope_version AS ScopeVersion, scope_attributes AS ScopeAttributes,
    {attribute_map("x.attributes")} AS SpanAttributes,
    if({no_duration}, 0, {finish} - {start}) AS Duration,
    transform(x.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode, x.status.message AS StatusMessage,
    {times} AS `Events.Timestamp`, x.events.name AS `Events.Name`,
    arrayMap(e -> {attribute_map("e")}, x.events.attributes) AS `Events.Attributes`,
    arrayMap(i -> lower(hex(i)), x.links.trace_id) AS `Links.TraceId`, arrayMap(i -> lower(hex(i)), x.links.span_id) AS `Links.SpanId`,
    x.links.trace_state AS `Links.TraceState`, arrayMap(e -> {attribute_map("e")}, x.links.attributes) AS `Links.Attributes`,
    project AS Project, batch AS Batch, {RECEIVED} AS ReceivedAt,
    NOT ({start} {SANE}) OR {no_duration} AS ClockSkewed{more}
FROM otlp_span_scopes ARRAY JOIN spans AS x"""


def logs_select(more: str = "") -> str:
    """Rows of otel_logs, and `more` columns. A record without a sane time has the time it was observed, else the time of receipt."""
    sent, seen = "x.time_unix_nano", "x.observed_time_unix_nano"
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64(multiIf({sent} {SANE}, {sent}, {seen} {SANE}, {seen}, received))) AS Timestamp,
    lower(hex(x.trace_id)) AS TraceId, lower(hex(x.span_id)) AS SpanId, toUInt8(x.flags % 256) AS TraceFlags,
    x.severity_text AS SeverityText, toUInt8(x.severity_number) AS SeverityNumber,
    resource['service.name'] AS ServiceName, {texts("[x.body]")}[1] AS Body,
    resource_schema AS ResourceSchemaUrl, resource AS ResourceAttributes,
    scope_schema AS ScopeSchemaUrl, scope_name AS ScopeName, scope_version AS ScopeVersion, scope_attributes AS ScopeAttributes,
    {attribute_map("x.attributes")} AS LogAttributes, x.event_name AS EventName,
    project AS Project, batch AS Batch, {RECEIVED} AS ReceivedAt{more}
FROM otlp_record_scopes ARRAY JOIN records AS x"""


def ledger_select(signal: str) -> str:
    """The row of batches of a request: how many spans or log records it holds."""
    landing, groups, scopes, items = {
        "traces": ("otlp_traces", "resource_spans", "scope_spans", "spans"),
        "logs": ("otlp_logs", "resource_logs", "scope_logs", "log_records"),
    }[signal]
    count = f"arraySum(g -> arraySum(s -> length(s.{items}), g.{scopes}), {groups})"
    return f"SELECT batch, '{signal}' AS signal, if(project = '', 'default', project) AS project, {count} AS spans FROM {landing}"
