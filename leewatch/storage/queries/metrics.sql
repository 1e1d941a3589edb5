-- Queries over OTLP metrics for the dashboard. Times are ms since the epoch, `bucket` is in seconds; an empty text or list means no
-- restriction. metric_masses and metric_increases are views that handle temporality and resets (leewatch/semconv/metric_views.py).

-- name: metric_names
-- Every metric of the window: its kind, unit, services, how many series and points it has, and when the last one came.
SELECT
    MetricName AS name,
    kind,
    any(MetricUnit) AS unit,
    anyIf(MetricDescription, MetricDescription != '') AS description,
    arraySort(groupUniqArrayIf(20)(toString(ServiceName), ServiceName != '')) AS services,
    uniq(series) AS series,
    count() AS points,
    max(TimeUnix) AS last
FROM
(
    SELECT 'gauge' AS kind, MetricName, MetricUnit, MetricDescription, ServiceName, Project, TimeUnix, cityHash64(ServiceName, ResourceAttributes, Attributes) AS series FROM otel_metrics_gauge
    UNION ALL
    SELECT if(IsMonotonic, 'counter', 'gauge'), MetricName, MetricUnit, MetricDescription, ServiceName, Project, TimeUnix, cityHash64(ServiceName, ResourceAttributes, Attributes) FROM otel_metrics_sum
    UNION ALL
    SELECT 'histogram', MetricName, MetricUnit, MetricDescription, ServiceName, Project, TimeUnix, cityHash64(ServiceName, ResourceAttributes, Attributes) FROM otel_metrics_histogram
    UNION ALL
    SELECT 'histogram', MetricName, MetricUnit, MetricDescription, ServiceName, Project, TimeUnix, cityHash64(ServiceName, ResourceAttributes, Attributes) FROM otel_metrics_exponential_histogram
    UNION ALL
    SELECT 'summary', MetricName, MetricUnit, MetricDescription, ServiceName, Project, TimeUnix, cityHash64(ServiceName, ResourceAttributes, Attributes) FROM otel_metrics_summary
)
WHERE TimeUnix >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND TimeUnix < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND ({project:String} = '' OR Project = {project:String})
GROUP BY name, kind
ORDER BY name, kind
LIMIT 2000

-- name: metric_quantiles
-- Quantiles 0.5, 0.95 and 0.99 of histograms by bucket and labels, interpolated between the bounds of their buckets and within
-- their minimum and maximum. `labels` are the values of `keys`: service, name or an attribute. Histograms in ms become s.
WITH
    arraySort(arrayDistinct(arrayConcat(lows, highs))) AS knots,
    arrayMap(x -> arraySum((l, h, m) -> m * multiIf(x >= h, 1., x <= l, 0., (x - l) / (h - l)), lows, highs, masses), knots) AS below,
    arrayMap(q -> (q * observations, arrayFirstIndex(b -> b >= q * observations - 1e-9, below)), [0.5, 0.95, 0.99]) AS found,
    arrayMap(f -> if(f.2 <= 1, knots[1], knots[f.2 - 1] + (knots[f.2] - knots[f.2 - 1]) * (f.1 - below[f.2 - 1]) / (below[f.2] - below[f.2 - 1])), found) AS quantiles
SELECT
    bucket_start, labels, observations, total,
    quantiles[1] AS p50, quantiles[2] AS p95, quantiles[3] AS p99
FROM
(
    SELECT
        bucket_start, labels,
        groupArrayIf(if(low = -inf AND lowest = -inf, if(high > 0, 0., high), greatest(low, lowest)) AS lower, mass != 0) AS lows,
        groupArrayIf(greatest(lower, if(high = inf AND highest = inf, low, least(high, highest))), mass != 0) AS highs,
        groupArrayIf(toFloat64(mass), mass != 0) AS masses,
        sum(mass) AS observations,
        sum(sums) AS total
    FROM
    (
        SELECT
            *,
            min(bottom) OVER (PARTITION BY bucket_start, labels) AS lowest,
            max(top) OVER (PARTITION BY bucket_start, labels) AS highest
        FROM
        (
            SELECT
                if({bucket:UInt32} = 0, fromUnixTimestamp64Milli({start:Int64}, 'UTC'), toDateTime64(toStartOfInterval(at, toIntervalSecond({bucket:UInt32}), 'UTC'), 3, 'UTC')) AS bucket_start,
                arrayMap(k -> multiIf(k = 'service', toString(service), k = 'name', toString(name), k = 'model', if(attributes['gen_ai.response.model'] != '', attributes['gen_ai.response.model'], attributes['gen_ai.request.model']), attributes[k]), {keys:Array(String)}) AS labels,
                low * factor AS low, high * factor AS high,
                sum(mass) AS mass,
                sum(sum_increase * factor) AS sums,
                if(countIf(isNaN(least)) = 0, min(least * factor), -inf) AS bottom,
                if(countIf(isNaN(greatest)) = 0, max(greatest * factor), inf) AS top
            FROM
            (
                SELECT *, if(unit = 'ms', 0.001, 1.) AS factor
                FROM metric_masses(names = {names:Array(String)}, since = {start:Int64}, until = {end:Int64})
            )
            WHERE ({project:String} = '' OR project = {project:String})
                AND ({service:String} = '' OR service = {service:String})
            GROUP BY bucket_start, labels, low, high
        )
    )
    GROUP BY bucket_start, labels
    HAVING observations > 0
)
ORDER BY bucket_start, labels

-- name: metric_levels
-- Levels (gauges, sums that go up and down) by bucket and label: mean per series over the bucket, then folded over the series of a
-- label by `fold` (avg or sum). `factors` scale each of `names`. `states`: only points whose state or mode is one of them.
SELECT
    bucket_start,
    label,
    any(name) AS name,
    if({fold:String} = 'sum', sum(level), avg(level)) AS value
FROM
(
    SELECT
        toStartOfInterval(TimeUnix, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
        any(MetricName) AS name,
        cityHash64(Project, ServiceName, MetricName, ResourceAttributes, Attributes) AS series,
        any(multiIf(
            {subject:String} = 'series', arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(Attributes), mapValues(Attributes)), ', '),
            {subject:String} = 'service', toString(ServiceName),
            {subject:String} = 'host', host,
            concat(host, ' · ', gpu))) AS label,
        avg(Value * {factors:Array(Float64)}[indexOf({names:Array(String)}, MetricName)]) AS level
    FROM
    (
        SELECT
            Project, ServiceName, MetricName, ResourceAttributes, Attributes, TimeUnix, Value,
            [Attributes['state'], Attributes['cpu.mode'], Attributes['system.cpu.state'], Attributes['system.memory.state'], Attributes['hw.gpu.task']] AS state,
            arrayFirst(t -> t != '', [ResourceAttributes['host.name'], Attributes['Hostname'], ResourceAttributes['k8s.node.name'], ResourceAttributes['service.instance.id'], toString(ServiceName), 'host']) AS host,
            arrayFirst(t -> t != '', [Attributes['gpu'], Attributes['gpu.index'], Attributes['gpu_index'], Attributes['hw.name'], Attributes['hw.id'], Attributes['gpu.uuid'], Attributes['UUID']]) AS id,
            if(match(id, '^[0-9]*$'), concat('GPU ', id), substring(id, 1, 16)) AS gpu
        FROM
        (
            SELECT Project, ServiceName, MetricName, ResourceAttributes, Attributes, TimeUnix, Value
            FROM otel_metrics_gauge
            WHERE has({names:Array(String)}, MetricName) AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
                AND TimeUnix >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND TimeUnix < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            UNION ALL
            SELECT Project, ServiceName, MetricName, ResourceAttributes, Attributes, TimeUnix, Value
            FROM otel_metrics_sum
            WHERE has({names:Array(String)}, MetricName) AND bitAnd(Flags, 1) = 0 AND isFinite(Value) AND NOT IsMonotonic
                AND TimeUnix >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND TimeUnix < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        )
    )
    WHERE ({project:String} = '' OR Project = {project:String})
        AND ({service:String} = '' OR ServiceName = {service:String})
        AND (empty({states:Array(String)}) OR hasAny(state, {states:Array(String)}))
        AND (MetricName NOT IN ('hw.temperature', 'hw.power') OR Attributes['hw.type'] = 'gpu' OR ResourceAttributes['hw.type'] = 'gpu')
        AND Attributes['hw.gpu.task'] IN ('', 'general')
    GROUP BY bucket_start, series
)
GROUP BY bucket_start, label
ORDER BY bucket_start, label

-- name: metric_rates
-- Counters by bucket and label (the attributes of the series): increase per second over the part of the bucket inside the window.
SELECT
    toStartOfInterval(at, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    arrayStringConcat(arrayMap((k, v) -> concat(k, '=', v), mapKeys(attributes), mapValues(attributes)), ', ') AS label,
    sum(increase) / greatest(1., least(toFloat64(toUnixTimestamp(bucket_start) + {bucket:UInt32}), {end:Int64} / 1000)
        - greatest(toFloat64(toUnixTimestamp(bucket_start)), {start:Int64} / 1000)) AS value
FROM metric_increases(names = {names:Array(String)}, since = {start:Int64}, until = {end:Int64})
WHERE ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
GROUP BY bucket_start, label
ORDER BY bucket_start, label
