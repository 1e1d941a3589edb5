-- What of each service's telemetry is understood, and what is missing, of spans that began in [since, until). '' means every project
-- or service.

-- name: spans
-- For each service: spans by kind, dialects, and how many LLM calls lack what pages and analyzers need.
SELECT
    project, service, count() AS spans, arraySort(groupUniqArrayIf(toString(dialect), dialect != '')) AS dialects,
    sumMap(map(toString(kind), toUInt64(1))) AS kinds,
    countIf(kind = 'llm') AS calls,
    countIf(kind = 'llm' AND model = '') AS no_model,
    countIf(kind = 'llm' AND isNull(input_tokens) AND isNull(output_tokens)) AS no_tokens,
    countIf(kind = 'llm' AND NOT (asked OR content_dropped)) AS no_prompt,
    countIf(kind = 'llm' AND NOT (answered OR content_dropped) AND status != 'ERROR') AS no_response,
    countIf(kind = 'llm' AND session_id = '') AS no_session,
    countIf(kind = 'llm' AND user_id = '') AS no_user,
    countIf(kind = 'llm' AND content_redacted) AS masked_by_sender,
    countIf(kind = 'llm' AND content_dropped AND NOT content_redacted) AS dropped_here,
    countIf(kind = 'llm' AND NOT (asked OR answered OR content_redacted OR content_dropped) AND elsewhere) AS uploaded_elsewhere,
    countIf(kind = 'llm' AND NOT (asked OR answered OR content_redacted OR content_dropped OR elsewhere)) AS not_sent
FROM
(
    SELECT project, service, kind, dialect, model, input_tokens, output_tokens, status, session_id, user_id, content_redacted, content_dropped, trace_id, span_id,
        hasAny(mapKeys(metadata), {references:Array(String)}) AS elsewhere
    FROM llm_spans FINAL
    WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
) AS spans
LEFT JOIN
(
    SELECT project, trace_id, span_id,
        max(isNotNull(prompt_text) OR isNotNull(input_messages) OR arrayExists(e -> e.2 != 'gen_ai.choice', event_messages)) AS asked,
        max(isNotNull(response_text) OR isNotNull(output_messages) OR arrayExists(e -> e.2 = 'gen_ai.choice', event_messages)) AS answered
    FROM llm_content
    WHERE ts >= {since:DateTime64(3, 'UTC')} - INTERVAL 1 HOUR AND ts < {until:DateTime64(3, 'UTC')} + INTERVAL 1 HOUR
    GROUP BY project, trace_id, span_id
) AS content USING (project, trace_id, span_id)
GROUP BY project, service
ORDER BY project, service;

-- name: keys
-- Attribute keys of spans under the prefixes of the attribute families, and how many spans of each service carry them.
SELECT Project AS project, ServiceName AS service, key, count() AS spans
FROM otel_traces
ARRAY JOIN mapKeys(SpanAttributes) AS key
WHERE Timestamp >= {since:DateTime64(3, 'UTC')} AND Timestamp < {until:DateTime64(3, 'UTC')}
  AND ({project:String} = '' OR Project = {project:String}) AND ({service:String} = '' OR ServiceName = {service:String})
  AND match(key, {prefixes:String})
GROUP BY project, service, key
ORDER BY project, service, spans DESC, key;
