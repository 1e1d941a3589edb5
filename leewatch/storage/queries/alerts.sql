-- Queries of the alert rules. Times are ms since the epoch; `by` and `filter` hold positions (from 1) in the list of dimensions
-- project, service, model, environment, provider, prompt_name, prompt_version, feature, kind. Rows that arrived more than
-- `late` seconds after their event time are left out everywhere: imported history must not page.

-- name: span_metrics
-- One row per group: figures of its spans in the window [start, end). A group seen since `known_since` without a span has n = 0.
SELECT
    arrayMap(i -> dimensions[i], {by:Array(UInt8)}) AS labels,
    countIf(inside) AS n,
    countIf(inside AND failed) AS errors,
    quantilesExactInclusiveIf(0.5, 0.95, 0.99)(ifNull(milliseconds, 0), inside AND milliseconds IS NOT NULL) AS quantiles,
    countIf(inside AND milliseconds IS NOT NULL) AS timed,
    countIf(inside AND ifNull(if({high:Bool}, milliseconds > {threshold:Float64}, milliseconds >= {threshold:Float64}), false)) AS slow,
    sumIf(ifNull(input_tokens, 0), inside) AS input_tokens,
    sumIf(ifNull(output_tokens, 0), inside) AS output_tokens,
    sumIf(ifNull(cost_usd, 0), inside) AS cost
FROM
(
    SELECT
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions,
        ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS inside,
        error_type != '' OR status = 'ERROR' AS failed,
        if({ttft:Bool}, ttft_ms, toNullable(duration_ms)) AS milliseconds,
        input_tokens,
        output_tokens,
        cost_usd
    FROM llm_spans_priced
    WHERE ts >= fromUnixTimestamp64Milli({known_since:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND received_at <= ts + toIntervalSecond({late:Int64})
      AND has({kinds:Array(String)}, toString(kind))
      AND NOT ({leaves:Bool} AND usage_is_aggregate)
)
WHERE arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
GROUP BY labels

-- name: score_metrics
-- One row per group: weighted figures of one score over its spans in the window [start, end).
SELECT
    arrayMap(i -> dimensions[i], {by:Array(UInt8)}) AS labels,
    count() AS n,
    pow(sum(weight), 2) / sum(pow(weight, 2)) AS effective,
    sum(weight * value) / sum(weight) AS mean,
    sumIf(weight, value >= {above:Float64}) / sum(weight) AS share,
    if(n > 1, sqrt(greatest(sum(weight * pow(value, 2)) / sum(weight) - pow(mean, 2), 0) * n / (n - 1)), 0) AS deviation
FROM
(
    SELECT
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions,
        toFloat64(weight) AS weight,
        assumeNotNull(value) AS value
    FROM
    (
        SELECT project, trace_id, span_id, weight, value
        FROM scores FINAL
        WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
          AND name = {score:String} AND target = 'span' AND value IS NOT NULL AND weight > 0
    ) AS scored
    INNER JOIN
    (
        SELECT *
        FROM llm_spans FINAL
        WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
          AND received_at <= ts + toIntervalSecond({late:Int64})
    ) AS spans USING (project, trace_id, span_id)
)
WHERE arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
GROUP BY labels

-- name: drift_windows
-- The newest drift test of a field per group, the drifted one first where several methods tested the same window. Positions
-- count project, service, segment.
SELECT
    arrayMap(i -> [toString(project), toString(service), toString(segment)][i], {by:Array(UInt8)}) AS labels,
    toUnixTimestamp64Milli(window_start) AS start_ms,
    toUnixTimestamp64Milli(window_end) AS end_ms,
    method,
    n_reference,
    n_current,
    p_value,
    threshold,
    drifted,
    effect,
    effect_text,
    clusters
FROM drift_results FINAL
WHERE method != 'skipped' AND field = {field:String} AND segment_key = {segment_key:String}
  AND window_end >= fromUnixTimestamp64Milli({known_since:Int64}, 'UTC')
  AND window_end <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
  AND created_at <= window_end + toIntervalSecond({late:Int64})
  AND ({project:String} = '' OR project = {project:String})
  AND ({service:String} = '' OR service = {service:String})
ORDER BY window_end DESC, drifted DESC, p_value ASC
LIMIT 1 BY labels

-- name: worst_scored_span
-- The span of a group whose score lies furthest on the bad side.
SELECT spans.project AS project, spans.trace_id AS trace_id, spans.span_id AS span_id, value AS badness
FROM
(
    SELECT project, trace_id, span_id, value
    FROM scores FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND name = {score:String} AND target = 'span' AND value IS NOT NULL
) AS scored
INNER JOIN
(
    SELECT
        project, trace_id, span_id,
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions
    FROM llm_spans FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND received_at <= ts + toIntervalSecond({late:Int64})
) AS spans USING (project, trace_id, span_id)
WHERE arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
ORDER BY if({high:Bool}, badness, -badness) DESC, trace_id, span_id
LIMIT 1

-- name: worst_span
-- The span of a group that is worst by a metric; for errors the newest that failed.
SELECT project, trace_id, span_id, error_type, error_message, toFloat64(badness) AS badness
FROM
(
    SELECT
        *,
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions,
        multiIf(
            {metric:String} = 'error_rate', if(error_type != '' OR status = 'ERROR', toFloat64(toUnixTimestamp64Milli(ts)), NULL),
            {metric:String} = 'ttft_p95', ttft_ms,
            {metric:String} = 'input_tokens', toFloat64(input_tokens),
            {metric:String} = 'output_tokens', toFloat64(output_tokens),
            {metric:String} = 'cost', cost_usd,
            {metric:String} = 'requests', toFloat64(toUnixTimestamp64Milli(ts)),
            duration_ms
        ) AS badness
    FROM llm_spans_priced
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND received_at <= ts + toIntervalSecond({late:Int64})
      AND has({kinds:Array(String)}, toString(kind))
)
WHERE badness IS NOT NULL
  AND arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
ORDER BY if({high:Bool}, badness, -badness) DESC, trace_id, span_id
LIMIT 1

-- name: score_buckets
-- Per bucket of `step` ms from `start`: weighted scores of a group, and the weighted sum of what is held against its threshold.
SELECT
    intDiv(toUnixTimestamp64Milli(at) - {start:Int64}, {step:Int64}) AS bucket,
    sum(toFloat64(weight)) AS n,
    sum(weight * if({share:Bool}, toFloat64(given >= {above:Float64}), given)) AS total
FROM
(
    SELECT project, trace_id, span_id, weight, assumeNotNull(value) AS given
    FROM scores FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND name = {score:String} AND target = 'span' AND value IS NOT NULL AND weight > 0
) AS scored
INNER JOIN
(
    SELECT
        project, trace_id, span_id, toDateTime64(ts, 3, 'UTC') AS at,
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions
    FROM llm_spans FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND received_at <= ts + toIntervalSecond({late:Int64})
) AS spans USING (project, trace_id, span_id)
WHERE arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
GROUP BY bucket
ORDER BY bucket

-- name: span_buckets
-- Per bucket of `step` ms from `start`: spans of a group, and how many failed or took longer than the threshold.
SELECT
    intDiv(toUnixTimestamp64Milli(toDateTime64(ts, 3, 'UTC')) - {start:Int64}, {step:Int64}) AS bucket,
    count() AS n,
    countIf(if({failed:Bool}, error_type != '' OR status = 'ERROR', milliseconds > {threshold:Float64})) AS total
FROM
(
    SELECT
        ts, error_type, status,
        if({ttft:Bool}, ttft_ms, toNullable(duration_ms)) AS milliseconds,
        [toString(project), toString(service), toString(model), toString(environment), toString(provider), toString(prompt_name), toString(prompt_version), toString(feature), toString(kind)] AS dimensions
    FROM llm_spans FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
      AND received_at <= ts + toIntervalSecond({late:Int64})
      AND has({kinds:Array(String)}, toString(kind))
)
WHERE ({failed:Bool} OR milliseconds IS NOT NULL)
  AND arrayAll((i, value) -> dimensions[i] = value, {filter:Array(UInt8)}, {filter_values:Array(String)})
GROUP BY bucket
ORDER BY bucket

-- name: span_text
-- Prompt and response of one span.
SELECT prompt_text, response_text
FROM span_content
WHERE project = {project:String} AND trace_id = {trace_id:String} AND span_id = {span_id:String}
LIMIT 1

-- name: latest_alerts
-- The newest state of every alert that is active or changed since `changed_since`, and when it last began to fire.
SELECT
    fingerprint, rule, labels, state, severity, value, threshold, title, what, location, how_bad, example, url, reason,
    toUnixTimestamp64Milli(at) AS at_ms,
    toUnixTimestamp64Milli(since) AS since_ms,
    fired_ms
FROM
(
    SELECT *, maxIf(toUnixTimestamp64Milli(at), state = 'firing') OVER (PARTITION BY fingerprint) AS fired_ms
    FROM alert_events
    ORDER BY at DESC
    LIMIT 1 BY fingerprint
)
WHERE state IN ('pending', 'firing') OR at >= fromUnixTimestamp64Milli({changed_since:Int64}, 'UTC')
ORDER BY at DESC

-- name: sent
-- What every channel was last told of every alert, and when telling it last failed.
SELECT
    fingerprint,
    channel,
    argMaxIf(state, at, ok) AS told_state,
    toUnixTimestamp64Milli(maxIf(at, ok)) AS told_ms,
    argMaxIf(handle, at, ok) AS told_handle,
    toUnixTimestamp64Milli(maxIf(at, NOT ok)) AS failed_ms
FROM deliveries
WHERE at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY fingerprint, channel

-- name: active_silences
-- Silences and acknowledgements that have not ended.
SELECT
    id, matchers, created_by, comment,
    toUnixTimestamp64Milli(starts_at) AS starts_ms,
    toUnixTimestamp64Milli(ends_at) AS ends_ms,
    toUnixTimestamp64Milli(created_at) AS created_ms
FROM silences FINAL
WHERE NOT deleted AND ends_at > fromUnixTimestamp64Milli({now:Int64}, 'UTC')
ORDER BY id

-- name: saved_rules
-- Rules that were saved from the dashboard, as JSON.
SELECT name, definition FROM rules FINAL WHERE NOT deleted ORDER BY name
