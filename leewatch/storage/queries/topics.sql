-- Topics: what the job of the analyzers reads, and their figures as the dashboard and the command show them.

-- name: topic_arrivals
-- Services whose prompts were embedded since a moment, when the last of each was, and when the first of them happened.
SELECT project, service, max(created_at) AS newest, min(ts) AS oldest
FROM embeddings
WHERE created_at >= {since:DateTime64(3, 'UTC')} AND field = {field:String} AND model = {model:String} AND notEmpty(vector)
GROUP BY project, service
ORDER BY project, service;

-- name: topic_prompts
-- Embedded prompts of a service in a span of event time.
SELECT uniq(trace_id, span_id) AS prompts
FROM embeddings
WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector);

-- name: topics_known
-- Every topic that a service ever had, the rows of all encoders.
SELECT * FROM topics FINAL
WHERE project = {project:String} AND service = {service:String} AND field = {field:String}
ORDER BY topic_id;

-- name: topic_vectors
-- A page of a service's prompts of a span of event time that were embedded since a moment, in order of time, after the last of the page
-- before. Unless `again`, those that have no topic yet, nor the note that they are far from every one.
SELECT trace_id, span_id, toUnixTimestamp64Nano(ts) AS ts_ns, vector
FROM embeddings
WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
  AND created_at >= {embedded:DateTime64(3, 'UTC')} AND ts >= {since:DateTime64(3, 'UTC')} AND notEmpty(vector)
  AND (toUnixTimestamp64Nano(ts), trace_id, span_id) > ({after_ns:Int64}, {after_trace:String}, {after_span:String})
  AND ({again:Bool} OR (trace_id, span_id) NOT IN (
      SELECT trace_id, span_id FROM span_topics
      WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND ts >= {since:DateTime64(3, 'UTC')}))
ORDER BY ts, trace_id, span_id
LIMIT 1 BY trace_id, span_id
LIMIT {limit:UInt32};

-- name: topic_waiting
-- Services of a window with embedded prompts but without a topic, and how many prompts they have.
SELECT project, service, uniq(trace_id, span_id) AS prompts
FROM embeddings
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND field = 'prompt' AND notEmpty(vector)
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND (project, service) NOT IN (SELECT project, service FROM topics)
GROUP BY project, service
ORDER BY prompts DESC, project, service

-- name: topic_labels
-- Labels of the topics of a service.
SELECT topic_id, label
FROM topics FINAL
WHERE topic_id > 0 AND service = {service:String} AND ({project:String} = '' OR project = {project:String})
ORDER BY topic_id

-- name: topic_figures
-- Every topic with calls in the window or in the one before it: share, rate of errors, cost, latency and scores of the window. Calls count
-- by the weight of their embedding; calls with a score by the larger of that and of the score's weight, for samples are nested.
WITH calls AS
(
    SELECT *
    FROM
    (
        SELECT project, service, trace_id, span_id, topic_id
        FROM span_topics FINAL
        WHERE ts >= fromUnixTimestamp64Milli(2 * {start:Int64} - {end:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND field = 'prompt'
            AND ({project:String} = '' OR project = {project:String})
            AND ({service:String} = '' OR service = {service:String})
    ) AS assigned
    INNER JOIN
    (
        SELECT project, trace_id, span_id, toFloat64(weight) AS w
        FROM embeddings FINAL
        WHERE ts >= fromUnixTimestamp64Milli(2 * {start:Int64} - {end:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND field = 'prompt' AND weight > 0
            AND ({project:String} = '' OR project = {project:String})
            AND ({service:String} = '' OR service = {service:String})
    ) AS embedded USING (project, trace_id, span_id)
    INNER JOIN
    (
        SELECT
            project, trace_id, span_id, ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AS now, duration_ms, cost_usd,
            status = 'ERROR' OR error_type != '' AS failed
        FROM llm_spans_priced
        WHERE ts >= fromUnixTimestamp64Milli(2 * {start:Int64} - {end:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND kind = 'llm'
            AND ({project:String} = '' OR project = {project:String})
            AND ({service:String} = '' OR service = {service:String})
            AND ({model:String} = '' OR model = {model:String})
    ) AS spans USING (project, trace_id, span_id)
    LEFT JOIN
    (
        SELECT
            project, trace_id, span_id,
            anyIf(value, name = 'prompt.toxicity') AS prompt_toxicity, anyIf(weight, name = 'prompt.toxicity') AS prompt_toxicity_w,
            anyIf(value, name = 'response.toxicity') AS response_toxicity, anyIf(weight, name = 'response.toxicity') AS response_toxicity_w,
            anyIf(value, name = 'response.hallucination') AS hallucination, anyIf(weight, name = 'response.hallucination') AS hallucination_w
        FROM scores FINAL
        WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
            AND name IN ('prompt.toxicity', 'response.toxicity', 'response.hallucination')
            AND source = 'scorer' AND target = 'span' AND isNotNull(value) AND weight > 0
            AND ({project:String} = '' OR project = {project:String})
            AND ({service:String} = '' OR service = {service:String})
        GROUP BY project, trace_id, span_id
    ) AS scored USING (project, trace_id, span_id)
)
SELECT
    figures.*, label, keywords, examples, x, y, retired, first_seen,
    calls / nullIf(sum(calls) OVER (PARTITION BY project, service), 0) AS share,
    calls_before / nullIf(sum(calls_before) OVER (PARTITION BY project, service), 0) AS share_before
FROM
(
    SELECT
        project, service, topic_id,
        countIf(now) AS seen,
        sumIf(w, now) AS calls,
        sumIf(w, NOT now) AS calls_before,
        sumIf(w, now AND failed) / nullIf(sumIf(w, now), 0) AS error_rate,
        sumIf(w * cost_usd, now AND isNotNull(cost_usd)) AS cost,
        countIf(now AND isNotNull(cost_usd)) AS priced,
        if(seen > 0, quantileTDigestWeightedIf(0.95)(duration_ms, toUInt32(round(w * 10)), now), NULL) AS p95,
        countIf(now AND isNotNull(prompt_toxicity)) AS prompt_toxicity_scored,
        sumIf(greatest(w, prompt_toxicity_w), now AND prompt_toxicity >= {threshold:Float64})
            / nullIf(sumIf(greatest(w, prompt_toxicity_w), now AND isNotNull(prompt_toxicity)), 0) AS prompt_toxicity_rate,
        countIf(now AND isNotNull(response_toxicity)) AS response_toxicity_scored,
        sumIf(greatest(w, response_toxicity_w), now AND response_toxicity >= {threshold:Float64})
            / nullIf(sumIf(greatest(w, response_toxicity_w), now AND isNotNull(response_toxicity)), 0) AS response_toxicity_rate,
        countIf(now AND isNotNull(hallucination)) AS hallucination_scored,
        sumIf(greatest(w, hallucination_w), now AND hallucination >= {threshold:Float64})
            / nullIf(sumIf(greatest(w, hallucination_w), now AND isNotNull(hallucination)), 0) AS hallucination_rate
    FROM calls
    GROUP BY project, service, topic_id
) AS figures
LEFT JOIN
(
    SELECT project, service, topic_id, label, keywords, examples, x, y, retired, first_seen
    FROM topics FINAL
    WHERE field = 'prompt'
) AS known USING (project, service, topic_id)
ORDER BY project, service, topic_id = 0, calls DESC, topic_id
