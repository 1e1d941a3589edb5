"""The generated database objects, and how a collector inserts into them.

A collector sends, for each batch of concatenated OTLP requests of one project, `INGEST[signal]` with the body

    request bytes + ... + request bytes + EXTRA_FIELDS (string project, uint64 received_at in Unix ns, string batch)

and the settings `ingest_settings(signal)` plus `insert_deduplication_token=<batch>`. The landing tables store nothing; views do:

    otlp_traces -> otel_traces -> otel_traces_trace_id_ts
                               -> llm_records (stores nothing) -> llm_spans, llm_content
                -> batches
    otlp_logs   -> otel_logs   -> llm_content
                -> batches

The same token again adds no row to any of them. `batches` is written from the landing row, in parallel with the others: after
a crash its row alone proves nothing, so verify (TraceId, SpanId) in otel_traces and run `repair_statement` for each of REPAIRED.
"""

from __future__ import annotations

from dataclasses import dataclass

from leewatch.semconv import events, normalize, protobuf
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.protobuf import EVENT_DEPTH, EXTRA_FIELDS, LOG_DEPTH, PLAIN_DEPTH, SPAN_DEPTH

__all__ = ["EXTRA_FIELDS", "INGEST", "REPAIRED", "SqlObject", "ingest_settings", "objects", "repair_statement"]

INGEST = {
    "traces": "INSERT INTO otlp_traces FORMAT ProtobufSingle",
    "logs": "INSERT INTO otlp_logs FORMAT ProtobufSingle",
}
REPAIRED = ("otel_traces_trace_id_ts", "llm_spans", "llm_content", "llm_content_from_logs")
"""What `repair_statement` takes."""

EARLIEST_NS = 946_684_800_000_000_000
"""2000-01-01: a clock that says earlier is wrong."""
FUTURE_NS = 86_400_000_000_000
"""A span that starts more than a day after its receipt has a wrong clock."""

_LANDINGS = {"traces": protobuf.traces(), "logs": protobuf.logs()}
_VIEW_SETTINGS = "output_format_json_escape_forward_slashes = 0"


@dataclass(frozen=True, slots=True)
class SqlObject:
    """A table or view: the statements that create and drop it."""

    name: str
    create: str
    drop: str


def ingest_settings(signal: str) -> dict[str, str]:
    """Settings of an insert of this signal (traces or logs): how to read the bytes, and exactly-once views."""
    landing = _LANDINGS[signal]
    return {
        "format_schema_source": "string",
        "format_schema": landing.proto,
        "format_schema_message_name": landing.message,
        "input_format_protobuf_oneof_presence": "1",
        "async_insert": "0",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        "output_format_json_escape_forward_slashes": "0",
    }


def objects() -> list[SqlObject]:
    """All generated objects, in the order in which they are created; drop them in the reverse order."""
    traces, logs = _LANDINGS["traces"], _LANDINGS["logs"]
    record_columns = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)
    return [
        _table(traces.table, traces.columns),
        _table(logs.table, logs.columns),
        _table("llm_records", record_columns),
        _view("otel_traces_mv", "otel_traces", _spans_select()),
        _view("otel_logs_mv", "otel_logs", _logs_select()),
        _view("otel_traces_trace_id_ts_mv", "otel_traces_trace_id_ts", _trace_times("otel_traces")),
        _view("llm_records_mv", "llm_records", normalize.select("otel_traces")),
        _view("llm_spans_mv", "llm_spans", _part("spans", "llm_records")),
        _view("llm_content_mv", "llm_content", _part("content", "llm_records")),
        _view("llm_content_logs_mv", "llm_content", events.content_select("otel_logs")),
        _view("batches_traces_mv", "batches", _ledger("traces")),
        _view("batches_logs_mv", "batches", _ledger("logs")),
        SqlObject(
            "span_content", f"CREATE VIEW span_content AS {events.read_view()}", "DROP VIEW IF EXISTS span_content"
        ),
    ]


def repair_statement(table: str) -> str:
    """INSERT that adds to `table` what the batch {batch:String} should have brought and did not.

    table: one of REPAIRED. Reads otel_traces (otel_logs); run it only when those are complete. Running it again adds no row to
    llm_spans, and rows that merge away to the other two.
    """
    batch = "Batch = {batch:String}"
    records = f"({normalize.select('otel_traces', batch)})"
    selects = {
        "otel_traces_trace_id_ts": _trace_times("otel_traces", batch),
        "llm_spans": f"{_part('spans', records)} WHERE (trace_id, span_id) NOT IN "
        "(SELECT trace_id, span_id FROM llm_spans WHERE batch = {batch:String})",
        "llm_content": _part("content", records),
        "llm_content_from_logs": events.content_select("otel_logs", batch),
    }
    target = "llm_content" if table == "llm_content_from_logs" else table
    columns = _target_columns(table)
    return f"INSERT INTO {target}{columns} {selects[table]} SETTINGS {_VIEW_SETTINGS}"


def _target_columns(table: str) -> str:
    names = {
        "otel_traces_trace_id_ts": ["TraceId", "Start", "End", "ReceivedAt"],
        "llm_spans": [column.name for column in COLUMNS if column.table in ("spans", "both")],
        "llm_content": [column.name for column in COLUMNS if column.table in ("content", "both")],
        "llm_content_from_logs": list(events.CONTENT_COLUMNS),
    }
    return f" ({', '.join(names[table])})"


def _table(name: str, columns: str) -> SqlObject:
    return SqlObject(name, f"CREATE TABLE {name} ({columns}) ENGINE = Null", f"DROP TABLE IF EXISTS {name}")


def _view(name: str, target: str, select: str) -> SqlObject:
    return SqlObject(name, f"CREATE MATERIALIZED VIEW {name} TO {target} AS {select}", f"DROP VIEW IF EXISTS {name}")


def _spans_select() -> str:
    """Rows of otel_traces of the landing table: one per span, attributes as text, times made sane."""
    received = "if(received_at = 0, toUInt64(toUnixTimestamp64Nano(now64(9))), received_at)"
    bad = (
        f"s.start_time_unix_nano < {EARLIEST_NS} OR s.start_time_unix_nano >= 9223372036854775808 "
        f"OR s.start_time_unix_nano > received + {FUTURE_NS}"
    )
    no_duration = "s.start_time_unix_nano = 0 OR s.end_time_unix_nano < s.start_time_unix_nano OR s.end_time_unix_nano - s.start_time_unix_nano >= 4611686018427387904"
    event_times = (
        "arrayMap(e -> fromUnixTimestamp64Nano(toInt64(least(e.time_unix_nano, 9223372036854775807))), s.events)"
    )
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64(if(bad_start, received, s.start_time_unix_nano))) AS Timestamp,
    lower(hex(s.trace_id)) AS TraceId,
    lower(hex(s.span_id)) AS SpanId,
    lower(hex(s.parent_span_id)) AS ParentSpanId,
    s.trace_state AS TraceState,
    s.name AS SpanName,
    transform(s.kind, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified') AS SpanKind,
    resource['service.name'] AS ServiceName,
    resource AS ResourceAttributes,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    {protobuf.attribute_map("s.attributes", SPAN_DEPTH)} AS SpanAttributes,
    if(bad_duration, 0, s.end_time_unix_nano - s.start_time_unix_nano) AS Duration,
    transform(s.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode,
    s.status.message AS StatusMessage,
    {event_times} AS `Events.Timestamp`,
    arrayMap(e -> e.name, s.events) AS `Events.Name`,
    arrayMap(e -> {protobuf.attribute_map("e.attributes", EVENT_DEPTH)}, s.events) AS `Events.Attributes`,
    arrayMap(l -> lower(hex(l.trace_id)), s.links) AS `Links.TraceId`,
    arrayMap(l -> lower(hex(l.span_id)), s.links) AS `Links.SpanId`,
    arrayMap(l -> l.trace_state, s.links) AS `Links.TraceState`,
    arrayMap(l -> {protobuf.attribute_map("l.attributes", PLAIN_DEPTH)}, s.links) AS `Links.Attributes`,
    scope AS ScopeAttributes,
    project AS Project,
    batch AS Batch,
    fromUnixTimestamp64Milli(toInt64(intDiv(received, 1000000)), 'UTC') AS ReceivedAt,
    bad_start OR bad_duration AS ClockSkewed
FROM (
  SELECT *, {bad} AS bad_start, {no_duration} AS bad_duration
  FROM (
    SELECT project, batch, received, resource, ss.scope.name AS scope_name, ss.scope.version AS scope_version,
        {protobuf.attribute_map("ss.scope.attributes", PLAIN_DEPTH)} AS scope, arrayJoin(ss.spans) AS s
    FROM (
        SELECT project, batch, received, {protobuf.attribute_map("rs.resource.attributes", PLAIN_DEPTH)} AS resource,
            arrayJoin(rs.scope_spans) AS ss
        FROM (
            SELECT if(project = '', 'default', project) AS project, batch, {received} AS received, arrayJoin(resource_spans) AS rs
            FROM otlp_traces
        )
    )
  )
)"""


def _logs_select() -> str:
    """Rows of otel_logs of the landing table; a record without a time has the time it was observed, else received."""
    received = "if(received_at = 0, toUInt64(toUnixTimestamp64Nano(now64(9))), received_at)"
    sane = f"BETWEEN {EARLIEST_NS} AND received + {FUTURE_NS}"
    time = f"multiIf(r.time_unix_nano {sane}, r.time_unix_nano, r.observed_time_unix_nano {sane}, r.observed_time_unix_nano, received)"
    return f"""SELECT
    fromUnixTimestamp64Nano(toInt64({time})) AS Timestamp,
    lower(hex(r.trace_id)) AS TraceId,
    lower(hex(r.span_id)) AS SpanId,
    toUInt8(r.flags % 256) AS TraceFlags,
    r.severity_text AS SeverityText,
    toUInt8(r.severity_number) AS SeverityNumber,
    resource['service.name'] AS ServiceName,
    {protobuf.value_text("r.body", LOG_DEPTH)} AS Body,
    resource_schema AS ResourceSchemaUrl,
    resource AS ResourceAttributes,
    scope_schema AS ScopeSchemaUrl,
    scope_name AS ScopeName,
    scope_version AS ScopeVersion,
    scope AS ScopeAttributes,
    {protobuf.attribute_map("r.attributes", LOG_DEPTH)} AS LogAttributes,
    r.event_name AS EventName,
    project AS Project,
    batch AS Batch,
    fromUnixTimestamp64Milli(toInt64(intDiv(received, 1000000)), 'UTC') AS ReceivedAt
FROM (
    SELECT project, batch, received, resource, resource_schema, sl.schema_url AS scope_schema,
        sl.scope.name AS scope_name, sl.scope.version AS scope_version,
        {protobuf.attribute_map("sl.scope.attributes", PLAIN_DEPTH)} AS scope, arrayJoin(sl.log_records) AS r
    FROM (
        SELECT project, batch, received, {protobuf.attribute_map("rl.resource.attributes", PLAIN_DEPTH)} AS resource,
            rl.schema_url AS resource_schema, arrayJoin(rl.scope_logs) AS sl
        FROM (
            SELECT if(project = '', 'default', project) AS project, batch, {received} AS received, arrayJoin(resource_logs) AS rl
            FROM otlp_logs
        )
    )
)"""


def _trace_times(source: str, where: str = "") -> str:
    condition = f" AND {where}" if where else ""
    return (
        "SELECT TraceId, toDateTime(min(Timestamp)) AS Start, toDateTime(max(Timestamp)) AS End, toDateTime(max(ReceivedAt)) AS ReceivedAt "
        f"FROM (SELECT TraceId, Timestamp, ReceivedAt FROM {source} WHERE TraceId != ''{condition}) GROUP BY TraceId"
    )


def _part(table: str, source: str) -> str:
    """The columns of one table; a span without any content has no row in llm_content."""
    names = [column.name for column in COLUMNS if column.table in (table, "both")]
    texts = [column.name for column in COLUMNS if column.table == "content"]
    where = f" WHERE coalesce({', '.join(texts)}) IS NOT NULL" if table == "content" else ""
    return f"SELECT {', '.join(names)} FROM {source}{where}"


def _ledger(signal: str) -> str:
    landing, groups, scopes, items = {
        "traces": ("otlp_traces", "resource_spans", "scope_spans", "spans"),
        "logs": ("otlp_logs", "resource_logs", "scope_logs", "log_records"),
    }[signal]
    count = f"arraySum(g -> arraySum(s -> length(s.{items}), g.{scopes}), {groups})"
    return f"SELECT batch, '{signal}' AS signal, if(project = '', 'default', project) AS project, {count} AS spans FROM {landing}"
