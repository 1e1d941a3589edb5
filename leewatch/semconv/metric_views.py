"""Views that make stored data points comparable: what was counted between two points, whatever the temporality.

Parametrized views (`FROM metric_increases(names = ..., since = ..., until = ...)`; times in ms since the epoch). Rules:
OpenTelemetry metrics data model, sections "Temporality", "Resets and Gaps", "Unknown start time":

- A delta point counts as it is. Points without temporality, and those flagged "no recorded value", count nothing.
- A cumulative point counts what it has more than the one before it in its series. After a reset (another start at or after the
  point before, or less than before) it counts whole.
- The first point of a series counts whole when its start lies in the time looked at, else it only says where the count stands.
  A point whose start is its own time says the same (unknown start).
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

LOOKBACK_SECONDS = 600
"""How far before the time in question the point is looked for from which a cumulative count goes on."""

VALUED = "bitAnd(Flags, 1) = 0"
"""SQL: the point has a value (DataPointFlags)."""

_BEGIN = f"fromUnixTimestamp64Milli({{since:Int64}} - {LOOKBACK_SECONDS * 1000}, 'UTC')"
_SINCE = "fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
_UNTIL = "fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
_WHERE = f"has({{names:Array(String)}}, MetricName) AND TimeUnix >= {_BEGIN} AND TimeUnix < {_UNTIL} AND {VALUED}"
_SERIES = "cityHash64(Project, ServiceName, MetricName, ResourceAttributes, ScopeName, Attributes, AggregationTemporality) AS series"
_PLAIN = "Project, ServiceName, MetricName, MetricUnit, ResourceAttributes, Attributes, StartTimeUnix, TimeUnix, AggregationTemporality"
_BEFORE = "OVER (PARTITION BY series ORDER BY TimeUnix ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)"
_LABELS = (
    "Project AS project, ServiceName AS service, MetricName AS name, MetricUnit AS unit, ResourceAttributes AS resource, "
    "Attributes AS attributes, TimeUnix AS at"
)


def _follows(count: str) -> str:
    """SQL columns: whether there is a point before, whether the count went on from it, and whether this point counts at all."""
    return f"""count() {_BEFORE} > 0 AS follows,
    any(TimeUnix) {_BEFORE} AS before_time, any(StartTimeUnix) {_BEFORE} AS before_start, any({count}) {_BEFORE} AS before_count,
    follows AND {count} >= before_count AND NOT (StartTimeUnix > before_start AND StartTimeUnix >= before_time) AS goes_on,
    multiIf(AggregationTemporality = 1, 1, AggregationTemporality != 2, 0, goes_on, 1,
        StartTimeUnix = TimeUnix, 0, follows, 1, StartTimeUnix >= {_BEGIN}) AS counts,
    AggregationTemporality = 2 AND goes_on AS subtracts"""


def increases() -> str:
    """SELECT of metric_increases(names, since, until): increases of monotonic sums, one row per point that tells one."""
    return f"""SELECT {_LABELS}, if(subtracts, Value - before_count, Value) AS increase
FROM (
    SELECT {_PLAIN}, Value, {_SERIES},
    {_follows("Value")}
    FROM otel_metrics_sum
    WHERE {_WHERE} AND IsMonotonic AND isFinite(Value)
)
WHERE counts AND TimeUnix >= {_SINCE}"""


def masses() -> str:
    """SELECT of metric_masses(names, since, until): observations of both kinds of histograms between points, one row per bucket.

    `mass` observations lie in (low, high]; a row of mass -n takes back what an earlier point had counted, so only sums over rows
    mean something. `sum_increase` stands on one row per point. `least`, `greatest`: bounds of every observation, NaN: not known.
    """
    bounds = (
        "if(empty(BucketCounts), [-inf], arrayPushFront(ExplicitBounds, -inf)) AS lows, "
        "if(empty(BucketCounts), [inf], arrayPushBack(ExplicitBounds, inf)) AS highs, "
        "arrayMap(c -> toInt64(c), if(empty(BucketCounts), [Count], BucketCounts)) AS counted"
    )
    step = "pow(2., -Scale)"
    at = f"pow(2., ({{offset}} + i{{more}}) * {step})"
    positive_low, positive_high = (
        at.format(offset="PositiveOffset", more=" - 1"),
        at.format(offset="PositiveOffset", more=""),
    )
    negative_high, negative_low = (
        at.format(offset="NegativeOffset", more=" - 1"),
        at.format(offset="NegativeOffset", more=""),
    )
    positive, negative = "arrayEnumerate(PositiveBucketCounts)", "arrayEnumerate(NegativeBucketCounts)"
    exponential = (
        f"arrayConcat([if(empty(NegativeBucketCounts), 0., -ZeroThreshold)], arrayMap(i -> {positive_low}, {positive}), "
        f"arrayMap(i -> -{negative_low}, {negative})) AS lows, "
        f"arrayConcat([ZeroThreshold], arrayMap(i -> {positive_high}, {positive}), arrayMap(i -> -{negative_high}, {negative})) AS highs, "
        "arrayMap(c -> toInt64(c), arrayConcat([ZeroCount], PositiveBucketCounts, NegativeBucketCounts)) AS counted"
    )
    extent = "if(HasMinMax, Min, nan) AS least, if(HasMinMax, Max, nan) AS greatest"
    return f"""SELECT {_LABELS}, least, greatest, bucket.1 AS low, bucket.2 AS high, bucket.3 AS mass,
    if(bucket.4 = 1, if(subtracts, Sum - before_sum, Sum), 0) AS sum_increase
FROM (
    SELECT {_PLAIN}, Sum, least, greatest, subtracts, before_sum, arrayJoin(arrayFilter(b -> b.3 != 0 OR b.4 = 1, arrayConcat(
        arrayZip(lows, highs, counted, arrayEnumerate(counted)),
        if(subtracts, arrayMap((l, h, c) -> (l, h, -c, toUInt32(0)), before_lows, before_highs, before_counted), [])))) AS bucket
    FROM (
        SELECT {_PLAIN}, Sum, least, greatest, lows, highs, counted, {_SERIES},
        {_follows("Count")},
        any(lows) {_BEFORE} AS before_lows, any(highs) {_BEFORE} AS before_highs, any(counted) {_BEFORE} AS before_counted,
        any(Sum) {_BEFORE} AS before_sum
        FROM (
            SELECT {_PLAIN}, ScopeName, Count, Sum, {extent}, {bounds} FROM otel_metrics_histogram WHERE {_WHERE}
            UNION ALL
            SELECT {_PLAIN}, ScopeName, Count, Sum, {extent}, {exponential} FROM otel_metrics_exponential_histogram WHERE {_WHERE}
        )
    )
    WHERE counts AND TimeUnix >= {_SINCE}
)"""


VIEWS = {"metric_increases": increases, "metric_masses": masses}
"""Names of the views, and what makes their SELECT."""
