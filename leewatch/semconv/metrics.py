"""OTLP metrics in the database: the landing table, and SQL that makes one row per data point in the table of its kind.

The landing row becomes one row per metric in a table that stores nothing (`otlp_metric_groups`), from which five views take
their kind. Field numbers: opentelemetry-proto 1.x `metrics.proto`. A data point's identity is (batch, position): its number
among the points of its batch, in order. A request that was taken apart says in each group where its points stood.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.landing import LONGEST_NS, RECEIVED, REQUEST, SANE
from leewatch.semconv.protobuf import (
    ATTRIBUTES,
    EXTRA_COLUMNS,
    EXTRA_PROTO,
    VALUE_PROTO,
    Landing,
    attribute_map,
)

KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
"""Fields of the message Metric, and ends of the names of the tables `otel_metrics_*`."""
POSITION_FIELD = 1000
"""Field of a ResourceMetrics that the collector adds to a part of a batch: 1 + number of its first point in the batch."""
GROUPS = "otlp_metric_groups"

_SHARED = (
    "project, batch, received, resource, resource_schema, scope_name, scope_version, scope_attributes, scope_dropped, "
    "scope_schema, first"
)
_COUNT = " + ".join(f"length(m.{kind}.data_points)" for kind in KINDS)
_MAP = "Map(LowCardinality(String), String)"
_VALUE = "as_double Float64, as_int Int64, value Enum8('none' = 0, 'as_double' = {double}, 'as_int' = 6)"
_TIMES = "start_time_unix_nano UInt64, time_unix_nano UInt64"
_EXEMPLARS = (
    f"exemplars Array(Tuple(filtered_attributes {ATTRIBUTES}, time_unix_nano UInt64, {_VALUE.format(double=3)}, "
    "span_id String, trace_id String))"
)
_DISTRIBUTION = "count UInt64, sum Nullable(Float64), min Nullable(Float64), max Nullable(Float64), flags UInt32"
_BUCKETS = "Tuple(offset Int32, bucket_counts Array(UInt64))"
_NUMBERS = f"Array(Tuple(attributes {ATTRIBUTES}, {_TIMES}, {_VALUE.format(double=4)}, {_EXEMPLARS}, flags UInt32))"
_POINTS = {
    "gauge": f"Tuple(data_points {_NUMBERS})",
    "sum": f"Tuple(data_points {_NUMBERS}, aggregation_temporality Int32, is_monotonic Bool)",
    "histogram": (
        f"Tuple(data_points Array(Tuple(attributes {ATTRIBUTES}, {_TIMES}, {_DISTRIBUTION}, bucket_counts Array(UInt64), "
        f"explicit_bounds Array(Float64), {_EXEMPLARS})), aggregation_temporality Int32)"
    ),
    "exponential_histogram": (
        f"Tuple(data_points Array(Tuple(attributes {ATTRIBUTES}, {_TIMES}, {_DISTRIBUTION}, scale Int32, zero_count UInt64, "
        f"zero_threshold Float64, positive {_BUCKETS}, negative {_BUCKETS}, {_EXEMPLARS})), aggregation_temporality Int32)"
    ),
    "summary": (
        f"Tuple(data_points Array(Tuple(attributes {ATTRIBUTES}, {_TIMES}, count UInt64, sum Float64, "
        "quantile_values Array(Tuple(quantile Float64, value Float64)), flags UInt32)))"
    ),
}
_METRIC = (
    "Tuple(name String, description String, unit String, " + ", ".join(f"{k} {t}" for k, t in _POINTS.items()) + ")"
)
GROUP_COLUMNS = (
    f"project String, batch String, received UInt64, resource {_MAP}, resource_schema String, scope_name String, "
    f"scope_version String, scope_attributes {_MAP}, scope_dropped UInt32, scope_schema String, first UInt64, metric {_METRIC}"
)
"""Columns of the table between the landing table and the views of the five kinds: one row per metric."""

_PROTO = f"""syntax = "proto3";
{VALUE_PROTO}
message Resource {{ repeated KeyValue attributes = 1; }}
message Scope {{ string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }}
message Exemplar {{ repeated KeyValue filtered_attributes = 7; fixed64 time_unix_nano = 2;
  oneof value {{ double as_double = 3; sfixed64 as_int = 6; }} bytes span_id = 4; bytes trace_id = 5; }}
message NumberPoint {{ repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  oneof value {{ double as_double = 4; sfixed64 as_int = 6; }} repeated Exemplar exemplars = 5; uint32 flags = 8; }}
message HistogramPoint {{ repeated KeyValue attributes = 9; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  fixed64 count = 4; optional double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7;
  repeated Exemplar exemplars = 8; uint32 flags = 10; optional double min = 11; optional double max = 12; }}
message Buckets {{ sint32 offset = 1; repeated uint64 bucket_counts = 2; }}
message ExponentialPoint {{ repeated KeyValue attributes = 1; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  fixed64 count = 4; optional double sum = 5; sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9;
  uint32 flags = 10; repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zero_threshold = 14; }}
message AtQuantile {{ double quantile = 1; double value = 2; }}
message SummaryPoint {{ repeated KeyValue attributes = 7; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3;
  fixed64 count = 4; double sum = 5; repeated AtQuantile quantile_values = 6; uint32 flags = 8; }}
message Gauge {{ repeated NumberPoint data_points = 1; }}
message Sum {{ repeated NumberPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }}
message Histogram {{ repeated HistogramPoint data_points = 1; int32 aggregation_temporality = 2; }}
message ExponentialHistogram {{ repeated ExponentialPoint data_points = 1; int32 aggregation_temporality = 2; }}
message Summary {{ repeated SummaryPoint data_points = 1; }}
message Metric {{ string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9;
  ExponentialHistogram exponential_histogram = 10; Summary summary = 11; }}
message ScopeMetrics {{ Scope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }}
message ResourceMetrics {{ Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3;
  uint64 position = {POSITION_FIELD}; }}
message MetricsRequest {{ repeated ResourceMetrics resource_metrics = 1; {EXTRA_PROTO} }}
"""


def landing() -> Landing:
    """Landing table of ExportMetricsServiceRequest."""
    columns = (
        f"resource_metrics Array(Tuple(resource Tuple(attributes {ATTRIBUTES}), scope_metrics Array(Tuple("
        f"scope Tuple(name String, version String, attributes {ATTRIBUTES}, dropped_attributes_count UInt32), "
        f"metrics Array({_METRIC}), schema_url String)), schema_url String, position UInt64)), {EXTRA_COLUMNS}"
    )
    return Landing("otlp_metrics", columns, _PROTO, "MetricsRequest")


def group_columns(keyed: bool = False) -> str:
    """Columns of otlp_metric_groups. keyed: with the key of redaction's tokens."""
    return f"{GROUP_COLUMNS}, redaction_key String" if keyed else GROUP_COLUMNS


def groups_select(keyed: bool = False) -> str:
    """Rows of otlp_metric_groups. Only the members still needed pass each arrayJoin, which repeats them."""
    key = ", redaction_key" if keyed else ""
    of_scope = f"arraySum(m -> {_COUNT}, s.metrics)"
    of_resource = f"arraySum(s -> {of_scope}, r.scope_metrics)"
    resource_map = attribute_map("r.resource.attributes")
    scope_map = attribute_map("s.scope.attributes")
    resources = _before(f"arrayMap(r -> {of_resource}, resource_metrics)")
    scopes = _before(f"arrayMap(s -> {of_scope}, scopes)")
    metrics = _before(f"arrayMap(m -> {_COUNT}, metrics)")
    return f"""SELECT {_SHARED.replace("first", "begin + item.1 AS first")}, item.2 AS metric{key}
FROM (
    SELECT project, batch, received{key}, resource, resource_schema, s.scope.name AS scope_name, s.scope.version AS scope_version,
        {scope_map} AS scope_attributes, s.scope.dropped_attributes_count AS scope_dropped, s.schema_url AS scope_schema,
        begin, s.metrics AS metrics, arrayJoin(arrayZip({metrics}, metrics)) AS item
    FROM (
        SELECT project, batch, received{key}, resource, resource_schema, base + joined.1 AS begin, joined.2 AS s
        FROM (
            SELECT project, batch, received{key}, {resource_map} AS resource, r.schema_url AS resource_schema,
                if(r.position > 0, r.position - 1, before) AS base, r.scope_metrics AS scopes,
                arrayJoin(arrayZip({scopes}, scopes)) AS joined
            FROM (
                SELECT project, batch, received{key}, joined.1 AS before, joined.2 AS r
                FROM (
                    SELECT {REQUEST}{key}, arrayJoin(arrayZip({resources}, resource_metrics)) AS joined FROM otlp_metrics
                )
            )
        )
    )
)"""


def points_select(kind: str, keyed: str = "") -> str:
    """Rows of otel_metrics_{kind}, one of KINDS. A time that makes no sense becomes that of receipt, such a start the epoch.

    keyed: name of a column with the key of redaction's tokens; '': none.
    """
    key = ", redaction_key" if keyed else ""
    of_kind = f"metric.{kind}"
    extras = {
        "gauge": [],
        "sum": ["aggregation_temporality", "is_monotonic"],
        "summary": [],
    }.get(kind, ["aggregation_temporality"])
    named = "".join(f", {of_kind}.{name} AS {name}" for name in extras)
    return f"""SELECT
    resource AS ResourceAttributes, resource_schema AS ResourceSchemaUrl,
    scope_name AS ScopeName, scope_version AS ScopeVersion, scope_attributes AS ScopeAttributes,
    scope_dropped AS ScopeDroppedAttrCount, scope_schema AS ScopeSchemaUrl,
    resource['service.name'] AS ServiceName,
    name AS MetricName, description AS MetricDescription, unit AS MetricUnit,
    {attribute_map("p.attributes")} AS Attributes,
    {_time(f"if(p.start_time_unix_nano {SANE}, p.start_time_unix_nano, 0)")} AS StartTimeUnix,
    {_time(f"if(p.time_unix_nano {SANE}, p.time_unix_nano, received)")} AS TimeUnix,
    {_own_columns(kind)},
    p.flags AS Flags,
    project AS Project, batch AS Batch, toUInt32(position) AS Position, {RECEIVED} AS ReceivedAt{f"{key} AS {keyed}" if keyed else ""}
FROM (
    SELECT {_SHARED}{key}, name, description, unit{"".join(f", {name}" for name in extras)}, item.1 AS position, item.2 AS p
    FROM (
        SELECT {_SHARED}{key}, metric.name AS name, metric.description AS description, metric.unit AS unit{named},
            arrayJoin(arrayZip(arrayMap(n -> n + first - 1, arrayEnumerate({of_kind}.data_points)), {of_kind}.data_points)) AS item
        FROM {GROUPS}
        WHERE notEmpty({of_kind}.data_points)
    )
)"""


def ledger_select() -> str:
    """The row of batches of a request: how many data points it holds."""
    count = f"arraySum(r -> arraySum(s -> arraySum(m -> {_COUNT}, s.metrics), r.scope_metrics), resource_metrics)"
    return f"SELECT batch, 'metrics' AS signal, if(project = '', 'default', project) AS project, {count} AS spans FROM otlp_metrics"


def _own_columns(kind: str) -> str:
    """SQL: the columns that not all kinds have."""
    number = "if(p.value = 'as_int', toFloat64(p.as_int), p.as_double) AS Value"
    distribution = (
        "p.count AS Count, ifNull(p.sum, 0) AS Sum, ifNull(p.min, 0) AS Min, ifNull(p.max, 0) AS Max, "
        "isNotNull(p.sum) AS HasSum, isNotNull(p.min) AND isNotNull(p.max) AS HasMinMax"
    )
    temporality = "aggregation_temporality AS AggregationTemporality"
    columns = {
        "gauge": [number, _exemplars()],
        "sum": [number, _exemplars(), temporality, "is_monotonic AS IsMonotonic"],
        "histogram": [
            distribution,
            "p.bucket_counts AS BucketCounts, p.explicit_bounds AS ExplicitBounds",
            _exemplars(),
            temporality,
        ],
        "exponential_histogram": [
            distribution,
            "p.scale AS Scale, p.zero_count AS ZeroCount, p.zero_threshold AS ZeroThreshold",
            "p.positive.offset AS PositiveOffset, p.positive.bucket_counts AS PositiveBucketCounts",
            "p.negative.offset AS NegativeOffset, p.negative.bucket_counts AS NegativeBucketCounts",
            _exemplars(),
            temporality,
        ],
        "summary": [
            "p.count AS Count, p.sum AS Sum",
            "p.quantile_values.quantile AS `ValueAtQuantiles.Quantile`",
            "p.quantile_values.value AS `ValueAtQuantiles.Value`",
        ],
    }
    return ",\n    ".join(columns[kind])


def _exemplars() -> str:
    return (
        f"arrayMap(e -> {attribute_map('e.filtered_attributes')}, p.exemplars) AS `Exemplars.FilteredAttributes`, "
        f"arrayMap(e -> {_time(f'least(e.time_unix_nano, {LONGEST_NS})')}, p.exemplars) AS `Exemplars.TimeUnix`, "
        "arrayMap(e -> if(e.value = 'as_int', toFloat64(e.as_int), e.as_double), p.exemplars) AS `Exemplars.Value`, "
        "arrayMap(e -> lower(hex(e.span_id)), p.exemplars) AS `Exemplars.SpanId`, "
        "arrayMap(e -> lower(hex(e.trace_id)), p.exemplars) AS `Exemplars.TraceId`"
    )


def _time(ns: str) -> str:
    return f"fromUnixTimestamp64Nano(toInt64({ns}))"


def _before(counts: str) -> str:
    """SQL: for each member of an array of counts the sum of those before it."""
    return f"arrayMap(c -> arrayPushFront(arrayPopBack(arrayCumSum(c)), 0), [{counts}])[1]"
