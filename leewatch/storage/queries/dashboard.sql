-- Queries of the dashboard. Times are ms since the epoch; an empty text means no restriction; every chart comes in buckets of
-- `bucket` seconds, at most 300 of them.

-- name: facets
-- Values that the filters offer: projects, services and models of the window.
SELECT facet, value, count() AS spans
FROM
(
    SELECT pair.1 AS facet, pair.2 AS value
    FROM llm_spans
    ARRAY JOIN [('project', toString(project)), ('service', toString(service)), ('model', toString(model))] AS pair
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
)
WHERE value != ''
GROUP BY facet, value
ORDER BY facet, spans DESC, value
LIMIT 200 BY facet

-- name: overview_totals
-- Figures of the window and of the one before it. Requests are LLM calls; tokens and cost sum leaf spans only.
SELECT
    if(ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC'), 'current', 'previous') AS period,
    countIf(kind = 'llm') AS requests,
    countIf(kind = 'llm' AND (status = 'ERROR' OR error_type != '')) AS errors,
    quantileTDigestIf(0.5)(duration_ms, kind = 'llm') AS p50,
    quantileTDigestIf(0.95)(duration_ms, kind = 'llm') AS p95,
    quantileTDigestIf(0.99)(duration_ms, kind = 'llm') AS p99,
    quantileTDigestIf(0.5)(ttft_ms, kind = 'llm' AND isNotNull(ttft_ms)) AS ttft_p50,
    sumIf(coalesce(input_tokens, 0), leaf) AS input_tokens,
    sumIf(coalesce(output_tokens, 0), leaf) AS output_tokens,
    sumIf(coalesce(cost_usd, 0), leaf) AS cost,
    countIf(leaf AND isNull(cost_usd) AND total_tokens > 0) AS unpriced,
    uniqExact(trace_id) AS traces
FROM
(
    SELECT *, kind IN ('llm', 'embedding', 'reranker') AND NOT usage_is_aggregate AS leaf
    FROM llm_spans_priced
    WHERE ts >= fromUnixTimestamp64Milli(2 * {start:Int64} - {end:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND ({project:String} = '' OR project = {project:String})
        AND ({service:String} = '' OR service = {service:String})
        AND ({model:String} = '' OR model = {model:String})
)
GROUP BY period

-- name: traffic
-- LLM calls per minute by service and bucket; the first and last bucket count only the part inside the window.
SELECT
    toStartOfInterval(ts, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    service,
    count() AS requests,
    countIf(status = 'ERROR' OR error_type != '') AS errors,
    requests * 60 / greatest(1., least(toFloat64(toUnixTimestamp(bucket_start) + {bucket:UInt32}), {end:Int64} / 1000)
        - greatest(toFloat64(toUnixTimestamp(bucket_start)), {start:Int64} / 1000)) AS per_minute
FROM llm_spans FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND kind = 'llm'
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR model = {model:String})
GROUP BY bucket_start, service
ORDER BY bucket_start, service

-- name: latency
-- Latency quantiles and time to first token of LLM calls by bucket, ms, and the share of calls that failed.
SELECT
    toStartOfInterval(ts, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    quantileTDigest(0.5)(duration_ms) AS p50,
    quantileTDigest(0.95)(duration_ms) AS p95,
    quantileTDigest(0.99)(duration_ms) AS p99,
    quantileTDigestIf(0.5)(ttft_ms, isNotNull(ttft_ms)) AS ttft_p50,
    quantileTDigestIf(0.95)(ttft_ms, isNotNull(ttft_ms)) AS ttft_p95,
    countIf(status = 'ERROR' OR error_type != '') / count() AS error_rate,
    count() AS requests
FROM llm_spans FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND kind = 'llm'
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR model = {model:String})
GROUP BY bucket_start
ORDER BY bucket_start

-- name: usage
-- Tokens and cost of leaf spans by bucket and model; the models beyond the seven that used most tokens are one series.
WITH top AS
(
    SELECT model
    FROM llm_spans
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND ({project:String} = '' OR project = {project:String})
        AND ({service:String} = '' OR service = {service:String})
    GROUP BY model
    ORDER BY sum(coalesce(total_tokens, 0)) DESC
    LIMIT 7
)
SELECT
    toStartOfInterval(ts, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    multiIf(model = '', 'not named', model IN top, toString(model), 'other') AS series,
    sum(coalesce(input_tokens, 0)) AS input_tokens,
    sum(coalesce(output_tokens, 0)) AS output_tokens,
    sum(coalesce(cost_usd, 0)) AS cost
FROM llm_spans_priced
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND kind IN ('llm', 'embedding', 'reranker') AND NOT usage_is_aggregate
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR model = {model:String})
GROUP BY bucket_start, series
ORDER BY bucket_start, series

-- name: by_service_model
-- One row per service and model: calls, failures, latency, tokens and cost of the window.
SELECT
    service,
    model,
    countIf(kind = 'llm') AS requests,
    countIf(kind = 'llm' AND (status = 'ERROR' OR error_type != '')) AS errors,
    quantileTDigestIf(0.5)(duration_ms, kind = 'llm') AS p50,
    quantileTDigestIf(0.95)(duration_ms, kind = 'llm') AS p95,
    sum(coalesce(input_tokens, 0)) AS input_tokens,
    sum(coalesce(output_tokens, 0)) AS output_tokens,
    sum(coalesce(cost_usd, 0)) AS cost,
    countIf(isNotNull(cost_usd)) AS priced
FROM llm_spans_priced
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND kind IN ('llm', 'embedding', 'reranker') AND NOT usage_is_aggregate
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR model = {model:String})
GROUP BY service, model
ORDER BY requests DESC, service, model
LIMIT 50

-- name: alerts_now
-- The newest event of every alert: active ones first, then the latest.
SELECT
    fingerprint,
    argMax(rule, at) AS rule,
    argMax(state, at) AS state,
    argMax(severity, at) AS severity,
    max(at) AS changed_at,
    argMax(since, at) AS since,
    argMax(labels, at) AS labels,
    argMax(value, at) AS value,
    argMax(threshold, at) AS threshold,
    argMax(title, at) AS title,
    argMax(what, at) AS what,
    argMax(location, at) AS location,
    argMax(how_bad, at) AS how_bad,
    argMax(example, at) AS example,
    argMax(url, at) AS url,
    argMax(reason, at) AS reason
FROM alert_events
GROUP BY fingerprint
HAVING state != 'inactive'
ORDER BY indexOf(['firing', 'pending'], state) = 0, indexOf(['critical', 'warning', 'info'], severity), changed_at DESC
LIMIT 200

-- name: alert_timeline
-- Every change of state of one alert, newest first.
SELECT at, state, severity, value, threshold, reason, how_bad
FROM alert_events
WHERE fingerprint = {fingerprint:String}
ORDER BY at DESC
LIMIT 100

-- name: alert_deliveries
-- Messages that were sent about one alert, newest first.
SELECT at, channel, state, ok, attempt, error, title
FROM deliveries
WHERE fingerprint = {fingerprint:String}
ORDER BY at DESC, attempt DESC
LIMIT 50

-- name: silences
-- Silences that have not ended.
SELECT id, created_at, created_by, comment, matchers, starts_at, ends_at
FROM silences FINAL
WHERE NOT deleted AND ends_at > fromUnixTimestamp64Milli({now:Int64}, 'UTC')
ORDER BY ends_at

-- name: drift_state
-- The newest test of every service and field in the window, with how many tests of the window found drift.
SELECT
    project,
    service,
    field,
    argMax(kind, window_end) AS kind,
    argMax(method, window_end) AS method,
    max(window_end) AS last_end,
    argMax(p_value, window_end) AS p_value,
    argMax(threshold, window_end) AS threshold,
    argMax(drifted, window_end) AS drifted,
    argMax(effect, window_end) AS effect,
    argMax(effect_text, window_end) AS effect_text,
    argMax(n_current, window_end) AS n_current,
    count() AS tests,
    countIf(drift_results.drifted) AS drifted_tests
FROM drift_results FINAL
WHERE window_end > fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND segment_key = '' AND drift_results.method != 'skipped'
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
GROUP BY project, service, field
ORDER BY drifted DESC, drifted_tests DESC, kind, service, field
LIMIT 200

-- name: drift_timeline
-- Tests of one service and field by bucket: the smallest p-value of the bucket with its threshold, and the largest effect.
SELECT
    toStartOfInterval(window_end, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    max(window_end) AS last_end,
    min(p_value) AS p,
    argMin(threshold, p_value) AS alpha,
    max(effect) AS largest_effect,
    max(drifted) AS any_drift,
    count() AS tests
FROM drift_results FINAL
WHERE window_end > fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND segment_key = '' AND service = {service:String} AND field = {field:String} AND drift_results.method != 'skipped'
    AND ({project:String} = '' OR project = {project:String})
GROUP BY bucket_start
ORDER BY bucket_start

-- name: drift_windows
-- The latest tests of one service and field that can be looked at, newest first.
SELECT *
FROM drift_results FINAL
WHERE window_end > fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND window_start < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND segment_key = '' AND service = {service:String} AND field = {field:String} AND drift_results.method != 'skipped'
    AND ({project:String} = '' OR project = {project:String})
ORDER BY window_end DESC
LIMIT 300

-- name: drift_segments
-- Tests of the segments (model, prompt version ...) of one window.
SELECT segment_key, segment, p_value, threshold, drifted, effect, effect_text, n_reference, n_current
FROM drift_results FINAL
WHERE service = {service:String} AND field = {field:String} AND segment_key != ''
    AND window_end = fromUnixTimestamp64Milli({at:Int64}, 'UTC')
    AND ({project:String} = '' OR project = {project:String})
ORDER BY p_value, segment_key, segment
LIMIT 50

-- name: drift_report
-- The report whose window ends last, not after the given time.
SELECT window_start, window_end, html
FROM drift_reports FINAL
WHERE service = {service:String} AND window_end <= fromUnixTimestamp64Milli({at:Int64}, 'UTC')
    AND ({project:String} = '' OR project = {project:String})
ORDER BY window_end DESC
LIMIT 1

-- name: embedding_sample
-- A repeatable sample of vectors of two time spans, reference and current, with the start of the text they stand for.
WITH drawn AS
(
    SELECT part, trace_id, span_id, vector
    FROM
    (
        SELECT if(ts >= fromUnixTimestamp64Milli({current_start:Int64}, 'UTC'), 'current', 'reference') AS part, trace_id, span_id, vector, weight
        FROM embeddings FINAL
        WHERE service = {service:String} AND field = {field:String} AND notEmpty(vector) AND weight > 0
            AND ({project:String} = '' OR project = {project:String})
            AND (ts >= fromUnixTimestamp64Milli({reference_start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({reference_end:Int64}, 'UTC')
                OR ts >= fromUnixTimestamp64Milli({current_start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({current_end:Int64}, 'UTC'))
    )
    ORDER BY cityHash64(trace_id, span_id) / weight
    LIMIT {size:UInt32} BY part
)
SELECT part, trace_id, span_id, vector, preview
FROM drawn
LEFT JOIN
(
    SELECT trace_id, span_id, any(if({field:String} = 'prompt', prompt_preview, response_preview)) AS preview
    FROM llm_spans
    WHERE (trace_id, span_id) IN (SELECT trace_id, span_id FROM drawn)
    GROUP BY trace_id, span_id
) AS texts USING (trace_id, span_id)
