-- name: candidates
-- LLM spans that analyzers have yet to look at (`missing`), by ingestion and receipt, live ones first. `total` counts them all, `oldest` is when the first of them all came in.
-- `rates`: of analyzers that judge a sample of the calls received when this one was. `place` in [0,1): the sample of rate r holds the
-- spans of place < r. `live`: happened no longer than `late` seconds before it was received, and was received since `live_since`.
-- Spans received since `decided` wait until their rates are; a wrong clock may put them an hour ahead at most.
-- Whose texts were dropped keeps the scores of earlier versions: there is nothing to score again.
WITH
    (
        SELECT (min(ts), max(ts)) FROM llm_spans
        WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
          AND received_at >= {received_since:DateTime64(3, 'UTC')} AND received_at < {received_until:DateTime64(3, 'UTC')}
    ) AS bounds
SELECT spans.project AS project, spans.service AS service, toUnixTimestamp64Nano(spans.ts) AS ts_ns, spans.trace_id AS trace_id,
       spans.span_id AS span_id, spans.session_id AS session_id, spans.ingested_at AS ingested_at,
       spans.content_redacted AS content_redacted, spans.content_dropped AS content_dropped, spans.texts > 0 AS had_texts, spans.status AS status,
       spans.model AS llm_model, spans.reason AS finish_reason, embedded.fields AS fields,
       NOT spans.late AND spans.received_at >= {live_since:DateTime64(3, 'UTC')} AS live,
       if(spans.late OR windows.until <= spans.received_at, CAST(map(), 'Map(LowCardinality(String), Float64)'), windows.rates) AS rates,
       sipHash64(spans.trace_id) / 18446744073709551616. AS place,
       arrayConcat(if(spans.content_dropped, scored.any_version, scored.present), if(length(embedded.fields) >= 2, ['embeddings'], [])) AS done,
       arrayFilter(name -> NOT has(done, name) AND ({everything:Bool} OR NOT mapContains(rates, name) OR place < rates[name]),
                   {analyzers:Array(String)}) AS missing,
       count() OVER () AS total, min(spans.ingested_at) OVER () AS oldest
FROM
(
    SELECT project, service, ts, trace_id, span_id, session_id, ingested_at, received_at, content_redacted, content_dropped,
           prompt_length + response_length + context_length AS texts, status, model, toString(finish_reason[1]) AS reason,
           received_at > ts + toIntervalSecond({late:UInt32}) AS late, 1 AS one
    FROM llm_spans
    WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
      AND received_at >= {received_since:DateTime64(3, 'UTC')} AND received_at < {received_until:DateTime64(3, 'UTC')}
      AND (received_at < {decided:DateTime64(3, 'UTC')} OR received_at > {decided:DateTime64(3, 'UTC')} + INTERVAL 1 HOUR)
    ORDER BY ingested_at DESC
    LIMIT 1 BY project, trace_id, span_id
) AS spans
ASOF LEFT JOIN
(
    SELECT 1 AS one, since, until, rates FROM sampling FINAL WHERE notEmpty(rates)
) AS windows ON spans.one = windows.one AND spans.received_at >= windows.since
LEFT JOIN
(
    SELECT project, trace_id, span_id,
           groupUniqArrayIf(toString(scorer), has({versions:Array(String)}, concat(scorer, '@', version))) AS present,
           groupUniqArrayIf(toString(scorer), has({analyzers:Array(String)}, scorer)) AS any_version
    FROM scores
    WHERE source = 'scorer' AND target = 'span' AND ts >= bounds.1 AND ts <= bounds.2
    GROUP BY project, trace_id, span_id
) AS scored ON scored.project = spans.project AND scored.trace_id = spans.trace_id AND scored.span_id = spans.span_id
LEFT JOIN
(
    SELECT project, trace_id, span_id, groupUniqArray(toString(field)) AS fields
    FROM embeddings
    WHERE model = {model:String} AND ts >= bounds.1 AND ts <= bounds.2
    GROUP BY project, trace_id, span_id
) AS embedded ON embedded.project = spans.project AND embedded.trace_id = spans.trace_id AND embedded.span_id = spans.span_id
WHERE notEmpty(missing)
ORDER BY live DESC, if(live, 1, -1) * toUnixTimestamp64Milli(spans.ingested_at), trace_id, span_id
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

-- name: recent_answers
-- The newest embedded prompts of each service whose texts are kept: what answers are compared with after a start.
SELECT spans.project AS project, spans.service AS service, spans.model AS llm_model, spans.trace_id AS trace_id, spans.span_id AS span_id,
       prompts.vector AS vector
FROM
(
    SELECT project, service, trace_id, span_id, vector
    FROM embeddings
    WHERE field = 'prompt' AND model = {model:String} AND ts >= {since:DateTime64(3, 'UTC')} AND notEmpty(vector)
    ORDER BY ts DESC
    LIMIT {per_service:UInt32} BY project, service
    LIMIT {limit:UInt32}
) AS prompts
INNER JOIN
(
    SELECT project, service, trace_id, span_id, model
    FROM llm_spans
    WHERE kind = 'llm' AND ts >= {since:DateTime64(3, 'UTC')} AND NOT content_dropped AND NOT content_redacted
    ORDER BY ingested_at DESC
    LIMIT 1 BY project, trace_id, span_id
) AS spans USING (project, service, trace_id, span_id)
LIMIT 1 BY project, trace_id, span_id;

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
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector) AND weight > 0
    LIMIT 1 BY trace_id, cityHash64(vector)
)
GROUP BY number
ORDER BY number;

-- name: embedding_sample
-- A sample of one series' rows in a span of event time, fixed by the rows themselves: equal texts of one trace count once.
-- Where only a part of the calls was embedded, rows are drawn in proportion to their weights: those of the smallest hash / weight (Ohlsson,
-- J. Official Statistics 14 (1998), 149-162), and no more than leave every probability of being drawn below 1.
WITH
    (
        SELECT sum(toFloat64(weight)) / max(weight) FROM embeddings FINAL
        WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
          AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector)
    ) AS most
SELECT trace_id, span_id, vector
FROM
(
    SELECT trace_id, span_id, vector, row_number() OVER (ORDER BY place, trace_id, span_id) AS number
    FROM
    (
        SELECT ts, trace_id, span_id, vector, cityHash64(trace_id, span_id) / weight AS place FROM embeddings FINAL
        WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
          AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector) AND weight > 0
          AND NOT arrayExists(w -> ts >= fromUnixTimestamp64Milli(w.1, 'UTC') AND ts < fromUnixTimestamp64Milli(w.2, 'UTC'),
                              arrayZip({excluded_starts:Array(Int64)}, {excluded_ends:Array(Int64)}))
        LIMIT 1 BY trace_id, cityHash64(vector)
    )
    ORDER BY place, trace_id, span_id
    LIMIT {limit:UInt32}
)
WHERE number <= most
ORDER BY number;

-- name: drift_dimensions
-- What the calls of some traces are told apart by.
SELECT trace_id, span_id, model, provider, prompt_name, prompt_version, service_version, release, environment, feature, variant,
       operation, languages.label AS language
FROM llm_spans
LEFT ANY JOIN
(
    SELECT trace_id, span_id, argMax(scores.label, scored_at) AS label
    FROM scores
    WHERE project = {project:String} AND service = {service:String} AND name = 'span.prompt_language' AND target = 'span'
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND trace_id IN {traces:Array(String)}
    GROUP BY trace_id, span_id
) AS languages USING (trace_id, span_id)
WHERE project = {project:String} AND service = {service:String} AND kind = 'llm'
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND trace_id IN {traces:Array(String)}
ORDER BY ingested_at DESC
LIMIT 1 BY trace_id, span_id;

-- name: embedding_first
-- When the first row of one series in a span of event time is; NULL when there is none.
SELECT minOrNull(ts) AS first
FROM embeddings
WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector);

-- name: embedding_rows
-- Rows of one series in a span of event time, at most `limit` of each window, fixed by the rows themselves: number of the window
-- since 1970, hashes of user, session and trace (0 where there is none), vector. Equal texts of one trace count once.
SELECT toUInt32(number) AS number, users, sessions, traces, vector
FROM
(
    SELECT intDiv(toUnixTimestamp(ts), {seconds:UInt32}) AS number, trace_id, span_id, cityHash64(trace_id) AS traces, vector
    FROM embeddings FINAL
    WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector)
    LIMIT 1 BY trace_id, cityHash64(vector)
) AS found
LEFT ANY JOIN
(
    SELECT
        trace_id, span_id,
        if(user_id = '', 0, cityHash64(user_id)) AS users,
        if(session_id = '', 0, cityHash64(session_id)) AS sessions
    FROM llm_spans
    WHERE project = {project:String} AND service = {service:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND (user_id != '' OR session_id != '')
) AS people USING (trace_id, span_id)
ORDER BY number, cityHash64(trace_id, span_id), trace_id, span_id
LIMIT {limit:UInt32} BY number;

-- name: embedding_reference
-- A sample of one series' rows in a span of event time, in the shape of `embedding_rows` with numbers of hours. Whole hours of users,
-- sessions or traces are drawn, by their hash, so that it shows how rows move together.
SELECT toUInt32(number) AS number, users, sessions, traces, vector
FROM
(
    SELECT intDiv(toUnixTimestamp(ts), 3600) AS number, trace_id, span_id, cityHash64(trace_id) AS traces, vector
    FROM embeddings FINAL
    WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND notEmpty(vector)
      AND NOT arrayExists(w -> ts >= fromUnixTimestamp64Milli(w.1, 'UTC') AND ts < fromUnixTimestamp64Milli(w.2, 'UTC'),
                          arrayZip({excluded_starts:Array(Int64)}, {excluded_ends:Array(Int64)}))
    LIMIT 1 BY trace_id, cityHash64(vector)
) AS found
LEFT ANY JOIN
(
    SELECT
        trace_id, span_id,
        if(user_id = '', 0, cityHash64(user_id)) AS users,
        if(session_id = '', 0, cityHash64(session_id)) AS sessions
    FROM llm_spans
    WHERE project = {project:String} AND service = {service:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} AND (user_id != '' OR session_id != '')
) AS people USING (trace_id, span_id)
ORDER BY cityHash64(if(users != 0, users, if(sessions != 0, sessions, traces)), number), trace_id, span_id
LIMIT {limit:UInt32};

-- name: drift_map
-- The newest feature map of a series.
SELECT id, content, fitted_until
FROM drift_maps FINAL
WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND model = {model:String}
ORDER BY fitted_until = {fitted_until:DateTime64(3, 'UTC')} DESC, fitted_until DESC, id
LIMIT 1;

-- name: drift_window_sums
-- Summaries of a series' windows under one map, in order of time.
SELECT window_start, window_end, rows, sums, variances
FROM drift_windows FINAL
WHERE project = {project:String} AND service = {service:String} AND field = {field:String} AND map = {map:String}
  AND window_start >= {since:DateTime64(3, 'UTC')} AND window_end <= {until:DateTime64(3, 'UTC')}
ORDER BY window_start;

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
-- Scores of the same sample of calls, without those that depend on how long the analyzers have run. Where only a part of them was scored, each is kept in proportion to its weight, so that all count the same.
SELECT trace_id, span_id, score, newest
FROM
(
SELECT trace_id, span_id, score, newest, share, max(share) OVER (PARTITION BY score) AS most
FROM
(
SELECT trace_id, span_id, toString(scores.name) AS score, argMax(scores.value, scored_at) AS newest,
       argMax(scores.weight, scored_at) AS share
FROM scores
WHERE project = {project:String} AND service = {service:String} AND source = 'scorer' AND target = 'span'
  AND isNotNull(scores.value) AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND scores.name != 'span.repeated_answer'
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
GROUP BY trace_id, span_id, score
)
)
WHERE share > 0 AND cityHash64(trace_id, span_id, score) / 18446744073709551616. <= share / most;
