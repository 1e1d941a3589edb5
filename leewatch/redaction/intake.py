"""The step between the landing tables and the raw tables where telemetry is redacted. It exists only when a policy asks for it.

    otlp_traces -> ... -> otel_traces_intake -> otel_traces
    otlp_logs   -> ... -> otel_logs_intake   -> otel_logs
    otlp_metrics -> ... -> otel_metrics_gauge_intake -> otel_metrics_gauge, and so for every kind

The intake tables store nothing and have the columns of the raw tables, so another collector can write to them too.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leewatch.redaction.expressions import KEY, redacted
from leewatch.redaction.plan import Plan

_LOW = "LowCardinality(String)"
_MAP = f"Map({_LOW}, String)"
_OURS = (
    ("Project", f"{_LOW} DEFAULT 'default'"),
    ("Batch", "String"),
    ("ReceivedAt", "DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')"),
)


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw table: columns with types, and which of them hold text: maps, lists of maps, plain texts."""

    table: str
    columns: tuple[tuple[str, str], ...]
    maps: tuple[str, ...]
    lists: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def intake(self) -> str:
        """Name of the table before it."""
        return f"{self.table}_intake"


TRACES = Raw(
    "otel_traces",
    (
        ("Timestamp", "DateTime64(9)"), ("TraceId", "String"), ("SpanId", "String"), ("ParentSpanId", "String"), ("TraceState", "String"),
        ("SpanName", _LOW), ("SpanKind", _LOW), ("ServiceName", _LOW), ("ResourceAttributes", _MAP), ("ScopeName", "String"),
        ("ScopeVersion", "String"), ("SpanAttributes", _MAP), ("Duration", "UInt64"), ("StatusCode", _LOW), ("StatusMessage", "String"),
        ("Events.Timestamp", "Array(DateTime64(9))"), ("Events.Name", f"Array({_LOW})"), ("Events.Attributes", f"Array({_MAP})"),
        ("Links.TraceId", "Array(String)"), ("Links.SpanId", "Array(String)"), ("Links.TraceState", "Array(String)"),
        ("Links.Attributes", f"Array({_MAP})"), ("ScopeAttributes", _MAP), *_OURS, ("ClockSkewed", "Bool DEFAULT false"),
    ),
    maps=("SpanAttributes", "ResourceAttributes", "ScopeAttributes"),
    lists=("Events.Attributes", "Links.Attributes"),
    texts=("StatusMessage", "SpanName"),
)  # fmt: skip
LOGS = Raw(
    "otel_logs",
    (
        ("Timestamp", "DateTime64(9)"), ("TraceId", "String"), ("SpanId", "String"), ("TraceFlags", "UInt8"), ("SeverityText", _LOW),
        ("SeverityNumber", "UInt8"), ("ServiceName", _LOW), ("Body", "String"), ("ResourceSchemaUrl", _LOW), ("ResourceAttributes", _MAP),
        ("ScopeSchemaUrl", _LOW), ("ScopeName", "String"), ("ScopeVersion", _LOW), ("ScopeAttributes", _MAP), ("LogAttributes", _MAP),
        ("EventName", "String"), *_OURS,
    ),
    maps=("LogAttributes", "ResourceAttributes", "ScopeAttributes"),
    lists=(),
    texts=("Body",),
)  # fmt: skip


_EXEMPLARS = (
    ("Exemplars.FilteredAttributes", f"Array({_MAP})"), ("Exemplars.TimeUnix", "Array(DateTime64(9))"), ("Exemplars.Value", "Array(Float64)"),
    ("Exemplars.SpanId", "Array(String)"), ("Exemplars.TraceId", "Array(String)"),
)  # fmt: skip
_VALUE = (("Value", "Float64"), ("Flags", "UInt32"), *_EXEMPLARS)
_TEMPORALITY = ("AggregationTemporality", "Int32")
_DISTRIBUTION = (
    ("Count", "UInt64"), ("Sum", "Float64"), ("Min", "Float64"), ("Max", "Float64"), ("HasSum", "Bool DEFAULT true"),
    ("HasMinMax", "Bool DEFAULT Min != 0 OR Max != 0"), ("Flags", "UInt32"), _TEMPORALITY, *_EXEMPLARS,
)  # fmt: skip
_BUCKETS = ("BucketCounts", "Array(UInt64)")
_OF_KIND: Mapping[str, tuple[tuple[str, str], ...]] = {
    "gauge": _VALUE,
    "sum": (*_VALUE, _TEMPORALITY, ("IsMonotonic", "Bool")),
    "histogram": (*_DISTRIBUTION, _BUCKETS, ("ExplicitBounds", "Array(Float64)")),
    "exponential_histogram": (
        *_DISTRIBUTION, ("Scale", "Int32"), ("ZeroCount", "UInt64"), ("ZeroThreshold", "Float64"), ("PositiveOffset", "Int32"),
        ("PositiveBucketCounts", "Array(UInt64)"), ("NegativeOffset", "Int32"), ("NegativeBucketCounts", "Array(UInt64)"),
    ),
    "summary": (
        ("Count", "UInt64"), ("Sum", "Float64"), ("ValueAtQuantiles.Quantile", "Array(Float64)"),
        ("ValueAtQuantiles.Value", "Array(Float64)"), ("Flags", "UInt32"),
    ),
}  # fmt: skip


def metrics(kind: str) -> Raw:
    """The raw table of one kind of data points: gauge, sum, histogram, exponential_histogram or summary."""
    own = _OF_KIND[kind]
    described = (
        ("ResourceAttributes", _MAP), ("ResourceSchemaUrl", "String"), ("ScopeName", "String"), ("ScopeVersion", "String"),
        ("ScopeAttributes", _MAP), ("ScopeDroppedAttrCount", "UInt32"), ("ScopeSchemaUrl", "String"), ("ServiceName", _LOW),
        ("MetricName", _LOW), ("MetricDescription", "String"), ("MetricUnit", "String"), ("Attributes", _MAP),
        ("StartTimeUnix", "DateTime64(9)"), ("TimeUnix", "DateTime64(9)"),
    )  # fmt: skip
    lists = tuple(name for name, _ in own if name == "Exemplars.FilteredAttributes")
    return Raw(
        f"otel_metrics_{kind}",
        (*described, *own, *_OURS, ("Position", "UInt32")),
        maps=("Attributes", "ResourceAttributes", "ScopeAttributes"),
        lists=lists,
        texts=(),
    )


def columns(raw: Raw) -> str:
    """Columns of the intake table; the last holds the key of tokens."""
    return ", ".join(f"`{name}` {type_}" for name, type_ in (*raw.columns, (KEY, "String DEFAULT ''")))


def select(raw: Raw, plan: Plan) -> str:
    """Rows of the raw table from its intake, every text redacted by the policy of the row's project."""
    names = ", ".join(
        f"{_put_back(raw, name)} AS `{name}`"
        if name in (*raw.maps, *raw.lists, *raw.texts)
        else f"t.`{name}` AS `{name}`"
        for name, _ in raw.columns
    )
    return f"SELECT {names} FROM (SELECT *, {_chosen('texts', plan)} AS found FROM (SELECT *, {_gathered(raw)} AS texts FROM {raw.intake})) AS t"


def _gathered(raw: Raw) -> str:
    """SQL: all texts of a row in one array, so that the patterns stand in the view once."""
    maps = [f"mapValues({name})" for name in raw.maps]
    lists = [f"arrayFlatten(arrayMap(m -> mapValues(m), `{name}`))" for name in raw.lists]
    texts = [f"[{', '.join(f'toString({name})' for name in raw.texts)}]"] if raw.texts else []
    return f"arrayConcat({', '.join([*maps, *lists, *texts])})"


def _chosen(texts: str, plan: Plan) -> str:
    """SQL: the texts after the policy of the row's project."""
    if not plan.apart:
        return redacted(texts, plan.rest.rules)
    branches = [
        f"Project IN ({', '.join(repr(name) for name in names)}), {redacted(texts, policy.rules) if policy.rules else texts}"
        for names, policy in plan.apart
    ]
    rest = redacted(texts, plan.rest.rules) if plan.rest.rules else texts
    return f"multiIf({', '.join(branches)}, {rest})"


def _put_back(raw: Raw, name: str) -> str:
    """SQL: the column from its part of the redacted texts."""
    sizes = {column: f"length(t.{column})" for column in raw.maps}
    sizes |= {column: f"arraySum(arrayMap(m -> length(m), t.`{column}`))" for column in raw.lists}
    order: Sequence[str] = (*raw.maps, *raw.lists)
    before = order[: order.index(name)] if name in order else order
    start = " + ".join(["1", *(sizes[column] for column in before)])
    if name in raw.maps:
        return f"CAST((mapKeys(t.{name}), arraySlice(found, {start}, length(t.{name}))), '{_MAP}')"
    if name in raw.texts:
        return f"found[{start} + {raw.texts.index(name)}]"
    offsets = f"arrayMap((n, m) -> n - length(m), arrayCumSum(m -> length(m), t.`{name}`), t.`{name}`)"
    part = f"arraySlice(found, {start} + o, length(m))"
    return f"arrayMap((m, o) -> CAST((mapKeys(m), {part}), '{_MAP}'), t.`{name}`, {offsets})"
