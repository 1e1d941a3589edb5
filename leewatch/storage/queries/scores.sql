-- Scores as the dashboard shows them. A row counts `weight` times: 1 / the probability that its span was scored; 0 while the rest
-- of its time is still being filled in.

-- name: score_names
-- Every score of the window: spans that have it, estimates of mean and rate, range, and the share of calls that was looked at.
SELECT
    name,
    countIf(isNotNull(value)) AS given,
    sumIf(weight, isNull(value)) AS not_given,
    sum(weight * value) / nullIf(sumIf(weight, isNotNull(value)), 0) AS mean,
    min(value) AS low,
    max(value) AS high,
    ifNull(sumIf(weight, value >= {threshold:Float64}) / nullIf(sumIf(weight, isNotNull(value)), 0), 0) AS rate,
    countIf(weight > 0) / greatest(1, sum(weight)) AS sampled
FROM scores FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM llm_spans WHERE model = {model:String}
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
GROUP BY name
ORDER BY name

-- name: score_series
-- Every score by bucket: mean and share at or above the threshold.
SELECT
    toStartOfInterval(ts, toIntervalSecond({bucket:UInt32}), 'UTC') AS bucket_start,
    name,
    sum(weight * assumeNotNull(value)) / sum(weight) AS mean,
    sumIf(weight, value >= {threshold:Float64}) / sum(weight) AS rate,
    count() AS n
FROM scores FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND isNotNull(value) AND weight > 0
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM llm_spans WHERE model = {model:String}
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
GROUP BY bucket_start, name
ORDER BY bucket_start, name

-- name: score_distribution
-- Spans with one score in 20 bins of equal width between low and high, by service; estimated where only a sample was scored.
SELECT
    service,
    least(19, greatest(0, toInt32(floor((value - {low:Float64}) / ({high:Float64} - {low:Float64}) * 20)))) AS bin,
    sum(weight) AS spans
FROM scores FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND name = {score:String} AND isNotNull(value)
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM llm_spans WHERE model = {model:String}
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
GROUP BY service, bin
ORDER BY service, bin

-- name: score_groups
-- One score by service and model.
SELECT
    service,
    model,
    countIf(isNotNull(value)) AS given,
    sumIf(weight, isNull(value)) AS not_given,
    sum(weight * value) / nullIf(sumIf(weight, isNotNull(value)), 0) AS mean,
    ifNull(sumIf(weight, value >= {threshold:Float64}) / nullIf(sumIf(weight, isNotNull(value)), 0), 0) AS rate
FROM
(
    SELECT project, service, trace_id, span_id, value, weight
    FROM scores FINAL
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
        AND name = {score:String}
        AND ({project:String} = '' OR project = {project:String})
        AND ({service:String} = '' OR service = {service:String})
) AS given_scores
LEFT ANY JOIN
(
    SELECT trace_id, span_id, model
    FROM llm_spans
    WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
) AS spans USING (trace_id, span_id)
WHERE {model:String} = '' OR model = {model:String}
GROUP BY service, model
ORDER BY rate DESC, service, model
LIMIT 50

-- name: score_worst
-- The spans with the highest values of one score, with what was found in them.
SELECT project, service, ts, trace_id, span_id, value, label, explanation, details
FROM scores FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND name = {score:String} AND isNotNull(value)
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM llm_spans WHERE model = {model:String}
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
ORDER BY value DESC, ts DESC
LIMIT 12

-- name: score_reasons
-- Why one score could not be given, with how often; estimated where only a sample was looked at.
SELECT reason, service, sum(weight) AS spans
FROM scores FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND name = {score:String} AND isNull(value)
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
GROUP BY reason, service
ORDER BY spans DESC
LIMIT 20

-- name: score_errors
-- Standard errors of the estimated means and rates, from sampling by trace, and how many independent calls would leave as much open: Hajek's estimator under Poisson sampling,
-- sum w (w - 1) e^2 / (sum w)^2 with e = sum over a trace of (value - mean) (Sarndal, Swensson & Wretman 1992, sections 5.7 and 5.8).
WITH
    given AS
    (
        SELECT name, trace_id, toFloat64(weight) AS w, assumeNotNull(value) AS v, v >= {threshold:Float64} AS bad
        FROM scores FINAL
        WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND isNotNull(value) AND weight > 0
            AND ({project:String} = '' OR project = {project:String})
            AND ({service:String} = '' OR service = {service:String})
            AND ({model:String} = '' OR (trace_id, span_id) IN (
                SELECT trace_id, span_id FROM llm_spans WHERE model = {model:String}
                    AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
    ),
    estimates AS
    (
        SELECT name, sum(w) AS total, sum(w * v) / total AS mean, sumIf(w, bad) / total AS rate FROM given GROUP BY name
    )
SELECT name, sqrt(sum(w * (w - 1) * pow(of_mean, 2))) / any(total) AS mean_error,
       sqrt(sum(w * (w - 1) * pow(of_rate, 2))) / any(total) AS rate_error,
       pow(any(total), 2) / sum(w * (w - 1) * calls) AS effective
FROM
(
    SELECT name, trace_id, max(w) AS w, count() AS calls, sum(v - mean) AS of_mean, sum(bad - rate) AS of_rate, any(total) AS total
    FROM given INNER JOIN estimates USING (name)
    GROUP BY name, trace_id
)
GROUP BY name
ORDER BY name
