-- name: candidates
-- LLM spans of a slice of ingestion time that lack scores of a scorer's present version or embeddings, newest first. `total` counts them all, `oldest` is when the first of them all came in.
-- Whose texts were dropped keeps the scores of earlier versions: there is nothing to score again.
WITH
    (
        SELECT (min(ts), max(ts)) FROM llm_spans
        WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
    ) AS bounds
SELECT spans.project AS project, spans.service AS service, toUnixTimestamp64Nano(spans.ts) AS ts_ns, spans.trace_id AS trace_id,
       spans.span_id AS span_id, spans.session_id AS session_id, spans.ingested_at AS ingested_at,
       spans.content_redacted AS content_redacted, spans.content_dropped AS content_dropped, spans.texts > 0 AS had_texts, spans.status AS status,
       if(spans.content_dropped, scored.any_version, scored.present) AS scorers, embedded.fields AS fields, count() OVER () AS total,
       min(spans.ingested_at) OVER () AS oldest
FROM
(
    SELECT project, service, ts, trace_id, span_id, session_id, ingested_at, content_redacted, content_dropped,
           prompt_length + response_length + context_length AS texts, status
    FROM llm_spans
    WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
    ORDER BY ingested_at DESC
    LIMIT 1 BY project, trace_id, span_id
) AS spans
LEFT JOIN
(
    SELECT project, trace_id, span_id,
           groupUniqArrayIf(toString(scorer), has({versions:Array(String)}, concat(scorer, '@', version))) AS present,
           groupUniqArrayIf(toString(scorer), has({scorers:Array(String)}, scorer)) AS any_version
    FROM scores
    WHERE source = 'scorer' AND target = 'span' AND ts >= bounds.1 AND ts <= bounds.2
    GROUP BY project, trace_id, span_id
) AS scored USING (project, trace_id, span_id)
LEFT JOIN
(
    SELECT project, trace_id, span_id, groupUniqArray(toString(field)) AS fields
    FROM embeddings
    WHERE model = {model:String} AND ts >= bounds.1 AND ts <= bounds.2
    GROUP BY project, trace_id, span_id
) AS embedded USING (project, trace_id, span_id)
WHERE length(scorers) < length({versions:Array(String)}) OR length(embedded.fields) < 2
ORDER BY ingested_at DESC, trace_id, span_id
LIMIT {limit:UInt32};

-- name: first_ingested
-- When the oldest LLM span came in; NULL when there is none.
SELECT minOrNull(ingested_at) AS first FROM llm_spans WHERE kind = 'llm';

-- name: contents_waiting
-- The same of spans whose content is dropped once it is scored. The table is there only while a project does so.
SELECT trace_id, span_id, prompt_text, response_text, context_text,
       prompt_text != '' OR input_messages != '' AS asked,
       response_text != '' OR output_messages != '' AS answered
FROM span_content_waiting
WHERE project = {project:String} AND trace_id IN {traces:Array(String)};

-- name: forget
-- Takes out of memory the content of spans that came in before a moment: all of them are scored.
ALTER TABLE llm_content_waiting DELETE WHERE ingested_at < {until:DateTime64(3, 'UTC')};

-- name: waiting_rows
-- Rows in memory that came in before a moment.
SELECT count() AS rows FROM llm_content_waiting WHERE ingested_at < {until:DateTime64(3, 'UTC')};

-- name: contents
-- Texts of the spans of some traces, '' where there is none; `answered` tells whether any output message is known.
SELECT trace_id, span_id, prompt_text, response_text, context_text,
       prompt_text != '' OR input_messages != '' AS asked,
       response_text != '' OR output_messages != '' AS answered
FROM span_content
WHERE project = {project:String} AND trace_id IN {traces:Array(String)};

-- name: done_until
-- Ingestion time up to which a job has done everything.
SELECT done_until FROM progress FINAL WHERE name = {job:String};

-- name: drift_series
-- Services with embeddings in a span of event time, and their fields.
SELECT DISTINCT project, service, field
FROM embeddings
WHERE model = {model:String} AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND field IN {fields:Array(String)} AND notEmpty(vector)
ORDER BY project, service, field;

-- name: drift_history
-- End of the last window that was decided for each series, whatever the decision.
SELECT project, service, field, max(window_end) AS decided_until
FROM drift_results
WHERE segment_key = '' AND kind = {kind:String}
GROUP BY project, service, field;

-- name: drift_flagged
-- Windows of one series, or of all of a service's when the field is empty, that were found drifted, in order.
SELECT DISTINCT window_start, window_end
FROM drift_results FINAL
WHERE project = {project:String} AND service = {service:String} AND ({field:String} = '' OR field = {field:String})
  AND kind = {kind:String} AND segment_key = '' AND drifted AND window_end > {since:DateTime64(3, 'UTC')}
ORDER BY window_start;

-- name: embedding_counts
-- Rows of one series in each window of event time, numbered from 1970.
SELECT intDiv(toUnixTimestamp(ts), {seconds:UInt32}) AS number, count() AS rows
FROM
(
    SELECT ts FROM embeddings FINAL
    WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector)
    LIMIT 1 BY trace_id, cityHash64(vector)
)
GROUP BY number
ORDER BY number;

-- name: embedding_sample
-- A sample of one series' rows in a span of event time, fixed by the rows themselves: equal texts of one trace count once.
SELECT trace_id, span_id, vector
FROM
(
    SELECT ts, trace_id, span_id, vector FROM embeddings FINAL
    WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector)
      AND NOT arrayExists(w -> ts >= fromUnixTimestamp64Milli(w.1, 'UTC') AND ts < fromUnixTimestamp64Milli(w.2, 'UTC'),
                          arrayZip({excluded_starts:Array(Int64)}, {excluded_ends:Array(Int64)}))
    LIMIT 1 BY trace_id, cityHash64(vector)
)
ORDER BY cityHash64(trace_id, span_id), trace_id, span_id
LIMIT {limit:UInt32};

-- name: model_pairs
-- Providers and models that were seen on spans with a price.
SELECT DISTINCT provider, model FROM llm_spans WHERE model != '' AND kind IN ('llm', 'embedding', 'reranker');

-- name: tabular_services
-- Services with LLM calls in a span of event time.
SELECT DISTINCT project, service
FROM llm_spans
WHERE kind = 'llm' AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
ORDER BY project, service;

-- name: tabular_counts
-- LLM calls of a service in each window of event time, numbered from 1970.
SELECT intDiv(toUnixTimestamp(ts), {seconds:UInt32}) AS number, uniqExact(trace_id, span_id) AS rows
FROM llm_spans
WHERE project = {project:String} AND service = {service:String} AND kind = 'llm'
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
GROUP BY number
ORDER BY number;

-- name: tabular_sample
-- Measurements of a sample of a service's LLM calls in a span of event time, fixed by the rows themselves.
SELECT trace_id, span_id, duration_ms, ttft_ms, input_tokens, output_tokens, finish_reason[1] AS finish_reason, error_type
FROM
(
    SELECT * FROM llm_spans
    WHERE project = {project:String} AND service = {service:String} AND kind = 'llm'
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND NOT arrayExists(w -> ts >= fromUnixTimestamp64Milli(w.1, 'UTC') AND ts < fromUnixTimestamp64Milli(w.2, 'UTC'),
                          arrayZip({excluded_starts:Array(Int64)}, {excluded_ends:Array(Int64)}))
    ORDER BY ingested_at DESC
    LIMIT 1 BY trace_id, span_id
)
ORDER BY cityHash64(trace_id, span_id), trace_id, span_id
LIMIT {limit:UInt32};

-- name: tabular_scores
-- Scores of the same sample of calls.
SELECT trace_id, span_id, toString(scores.name) AS score, argMax(scores.value, scored_at) AS newest
FROM scores
WHERE project = {project:String} AND service = {service:String} AND source = 'scorer' AND target = 'span'
  AND isNotNull(scores.value) AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND (trace_id, span_id) IN
  (
      SELECT trace_id, span_id
      FROM
      (
          SELECT trace_id, span_id FROM llm_spans
          WHERE project = {project:String} AND service = {service:String} AND kind = 'llm'
            AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
            AND NOT arrayExists(w -> ts >= fromUnixTimestamp64Milli(w.1, 'UTC') AND ts < fromUnixTimestamp64Milli(w.2, 'UTC'),
                                arrayZip({excluded_starts:Array(Int64)}, {excluded_ends:Array(Int64)}))
          LIMIT 1 BY trace_id, span_id
      )
      ORDER BY cityHash64(trace_id, span_id), trace_id, span_id
      LIMIT {limit:UInt32}
  )
GROUP BY trace_id, span_id, score;
