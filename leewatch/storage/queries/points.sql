-- Queries of alert rules over OTLP metrics. Times are ms since the epoch. `by` names project or service; `keys` and `values` are
-- attributes (of the point or its resource) that a point must have.

-- name: point_levels
-- Mean, lowest and highest value of gauges and of sums that go up and down, by group.
SELECT
    arrayMap(d -> if(d = 'project', toString(Project), toString(ServiceName)), {by:Array(String)}) AS labels,
    count() AS n,
    avg(Value) AS mean,
    min(Value) AS lowest,
    max(Value) AS highest
FROM
(
    SELECT MetricName, Project, ServiceName, ResourceAttributes, Attributes, TimeUnix, Value, Flags
    FROM otel_metrics_gauge
    WHERE has({names:Array(String)}, MetricName)
    UNION ALL
    SELECT MetricName, Project, ServiceName, ResourceAttributes, Attributes, TimeUnix, Value, Flags
    FROM otel_metrics_sum
    WHERE has({names:Array(String)}, MetricName) AND NOT IsMonotonic
)
WHERE TimeUnix >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND TimeUnix < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
    AND ({project:String} = '' OR Project = {project:String}) AND ({service:String} = '' OR ServiceName = {service:String})
    AND arrayAll((k, v) -> Attributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
GROUP BY labels

-- name: point_rates
-- Increase of counters over the window, by group.
SELECT
    arrayMap(d -> if(d = 'project', toString(project), toString(service)), {by:Array(String)}) AS labels,
    count() AS n,
    sum(increase) AS increase
FROM
(
    SELECT project, service, resource, attributes, metric_increases.increase AS increase
    FROM metric_increases(names = {names:Array(String)}, since = {start:Int64}, until = {end:Int64})
)
WHERE ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
    AND arrayAll((k, v) -> attributes[k] = v OR resource[k] = v, {keys:Array(String)}, {values:Array(String)})
GROUP BY labels

-- name: point_quantiles
-- Observations of histograms, their quantile 0.95 and the share beyond `limit`, by group; interpolated within buckets.
WITH
    arraySort(arrayDistinct(arrayConcat(lows, highs))) AS knots,
    x -> arraySum((l, h, m) -> m * multiIf(x >= h, 1., x <= l, 0., (x - l) / (h - l)), lows, highs, masses) AS below,
    arrayMap(x -> below(x), knots) AS reached,
    arrayFirstIndex(b -> b >= 0.95 * n - 1e-9, reached) AS k
SELECT
    labels,
    n,
    if(k <= 1, knots[1], knots[k - 1] + (knots[k] - knots[k - 1]) * (0.95 * n - reached[k - 1]) / (reached[k] - reached[k - 1])) AS p95,
    1 - below({limit:Float64}) / n AS tail
FROM
(
    SELECT
        labels,
        groupArray(if(low = -inf, if(lowest > -inf, lowest, if(high > 0, 0., high)), greatest(low, lowest)) AS lower) AS lows,
        groupArray(greatest(lower, if(high = inf, if(highest < inf, highest, low), least(high, highest)))) AS highs,
        groupArray(toFloat64(mass)) AS masses,
        sum(mass) AS n
    FROM
    (
        SELECT
            labels, low, high, mass,
            min(bottom) OVER (PARTITION BY labels) AS lowest,
            max(top) OVER (PARTITION BY labels) AS highest
        FROM
        (
            SELECT
                arrayMap(d -> if(d = 'project', toString(project), toString(service)), {by:Array(String)}) AS labels,
                low * factor AS low, high * factor AS high,
                sum(mass) AS mass,
                if(countIf(isNaN(least)) = 0, min(least * factor), -inf) AS bottom,
                if(countIf(isNaN(greatest)) = 0, max(greatest * factor), inf) AS top
            FROM
            (
                SELECT *, if(unit = 'ms', 0.001, 1.) AS factor
                FROM metric_masses(names = {names:Array(String)}, since = {start:Int64}, until = {end:Int64})
            )
            WHERE ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
                AND arrayAll((k, v) -> attributes[k] = v OR resource[k] = v, {keys:Array(String)}, {values:Array(String)})
            GROUP BY labels, low, high
        )
    )
    WHERE mass != 0
    GROUP BY labels
    HAVING n > 0
)
