-- What only several rows together tell of a span. Each statement writes a new version of the rows that it changes; run again it changes
-- nothing. [since, until) is time of ingestion.

-- name: facts
-- Rows that log records left about spans; 0 where none are sent.
SELECT count() AS rows FROM llm_span_facts;

-- name: fill
-- Spans that lack what log records say of them: the error, why the answer ended, tokens. A span that says so itself is left alone.
INSERT INTO llm_spans
WITH
    keys AS
    (
        SELECT project, trace_id, span_id FROM llm_span_facts
        WHERE ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
        UNION DISTINCT
        SELECT project, trace_id, span_id FROM llm_spans
        WHERE ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
    ),
    said AS
    (
        SELECT project, trace_id, span_id, ifNull(anyLast(f.error_type), '') AS error_type, ifNull(anyLast(f.error_message), '') AS error_message,
               arrayMap(r -> r.2, arraySort(groupUniqArrayArray(f.finish_reasons))) AS reasons, anyLast(f.input_tokens) AS input_tokens,
               anyLast(f.output_tokens) AS output_tokens, min(f.ts) AS first, max(f.ts) AS last
        FROM llm_span_facts AS f
        WHERE (project, trace_id, span_id) IN (SELECT project, trace_id, span_id FROM keys)
        GROUP BY project, trace_id, span_id
    )
SELECT s.* REPLACE (
    if(s.status = 'UNSET' AND said.error_type != '', 'ERROR', s.status) AS status,
    if(s.error_type IN ('', '_OTHER') AND said.error_type != '', said.error_type, s.error_type) AS error_type,
    if(s.error_message = '', said.error_message, s.error_message) AS error_message,
    if(empty(s.finish_reason), said.reasons, s.finish_reason) AS finish_reason,
    coalesce(s.input_tokens, said.input_tokens) AS input_tokens,
    coalesce(s.output_tokens, said.output_tokens) AS output_tokens,
    coalesce(s.total_tokens, said.input_tokens + ifNull(said.output_tokens, 0)) AS total_tokens,
    now64(3, 'UTC') AS ingested_at
)
FROM
(
    SELECT * FROM llm_spans
    WHERE ts >= (SELECT min(first) FROM said) - INTERVAL 1 DAY AND ts <= (SELECT max(last) FROM said) + INTERVAL 1 DAY
      AND trace_id IN (SELECT trace_id FROM said) AND (project, trace_id, span_id) IN (SELECT project, trace_id, span_id FROM said)
    ORDER BY llm_spans.ingested_at DESC
    LIMIT 1 BY project, trace_id, span_id
) AS s
INNER JOIN said ON s.project = said.project AND s.trace_id = said.trace_id AND s.span_id = said.span_id
WHERE (s.status != 'OK' AND s.error_type IN ('', '_OTHER') AND said.error_type != '')
   OR (empty(s.finish_reason) AND notEmpty(said.reasons))
   OR (s.input_tokens IS NULL AND said.input_tokens IS NOT NULL)
   OR (s.output_tokens IS NULL AND said.output_tokens IS NOT NULL);

-- name: demote
-- Of spans that report one answer of a provider (a client library's own span beside or inside an instrumentation's) all but one become
-- steps: the one with texts stays the call, else the outermost. One answer: the same response id at the same time, or a span inside
-- another of the same model and input tokens.
INSERT INTO llm_spans
WITH
    recent AS
    (
        SELECT project, service, response_id, kind, trace_id, span_id, parent_span_id, ts, end_ts, model, input_tokens,
               (prompt_length + response_length > 0, -toUnixTimestamp64Nano(ts), span_id) AS rank
        FROM llm_spans
        WHERE ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
        ORDER BY ingested_at DESC
        LIMIT 1 BY project, trace_id, span_id
    ),
    same AS
    (
        SELECT project, groupArray((ts, end_ts, rank, (trace_id, span_id))) AS spans
        FROM recent
        WHERE kind = 'llm' AND response_id != ''
        GROUP BY project, service, response_id
        HAVING count() > 1
    ),
    lesser AS
    (
        SELECT project, a.4.1 AS trace_id, a.4.2 AS span_id
        FROM same
        ARRAY JOIN spans AS a
        WHERE arrayExists(b -> b.4 != a.4 AND b.1 <= a.2 AND a.1 <= b.2 AND b.3 > a.3, spans)
        UNION DISTINCT
        SELECT inner.project, inner.trace_id, if(inner.rank < outer.rank, inner.span_id, outer.span_id)
        FROM (SELECT * FROM recent WHERE kind = 'llm' AND parent_span_id != '' AND input_tokens > 0) AS inner
        INNER JOIN (SELECT * FROM recent WHERE kind = 'llm' AND input_tokens > 0) AS outer
            ON inner.project = outer.project AND inner.trace_id = outer.trace_id AND inner.parent_span_id = outer.span_id
        WHERE inner.input_tokens = outer.input_tokens AND inner.model = outer.model
    )
SELECT s.* REPLACE ('chain' AS kind, true AS usage_is_aggregate, now64(3, 'UTC') AS ingested_at)
FROM
(
    SELECT * FROM llm_spans
    WHERE ingested_at >= {since:DateTime64(3, 'UTC')} AND ingested_at < {until:DateTime64(3, 'UTC')}
      AND (project, trace_id, span_id) IN (SELECT project, trace_id, span_id FROM lesser)
    ORDER BY llm_spans.ingested_at DESC
    LIMIT 1 BY project, trace_id, span_id
) AS s
WHERE s.kind = 'llm';
