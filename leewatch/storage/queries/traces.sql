-- Spans and traces as the dashboard shows them.

-- name: texts_of_spans
-- Full texts of the given spans of the given traces.
SELECT trace_id, span_id, prompt_text, response_text, context_text
FROM span_content
WHERE trace_id IN {traces:Array(String)} AND span_id IN {spans:Array(String)}

-- name: span_list
-- Spans that match the filters, newest first. text is looked for in the previews and in the stored prompt and response.
SELECT
    project, service, ts, duration_ms, trace_id, span_id, name, kind, model, status, error_type, error_message,
    total_tokens, session_id, user_id, prompt_preview, response_preview, content_dropped
FROM llm_spans FINAL
WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    AND ({project:String} = '' OR project = {project:String})
    AND ({service:String} = '' OR service = {service:String})
    AND ({model:String} = '' OR model = {model:String})
    AND ({kind:String} = '' OR kind = {kind:String})
    AND ({status:String} = '' OR {status:String} = if(status = 'ERROR' OR error_type != '', 'error', 'ok'))
    AND ({session:String} = '' OR session_id = {session:String})
    AND ({user:String} = '' OR user_id = {user:String})
    AND ({topic:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM span_topics FINAL
        WHERE topic_id = toUInt32OrZero({topic:String}) AND ({service:String} = '' OR service = {service:String})
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
    AND ({score:String} = '' OR (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM scores FINAL
        WHERE name = {score:String} AND value >= {minimum:Float64}
            AND ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')))
    AND ({text:String} = ''
        OR trace_id = {text:String}
        OR positionCaseInsensitiveUTF8(prompt_preview, {text:String}) > 0
        OR positionCaseInsensitiveUTF8(response_preview, {text:String}) > 0
        OR (trace_id, span_id) IN (
            SELECT trace_id, span_id FROM llm_content
            WHERE ts >= fromUnixTimestamp64Milli({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
                AND (positionCaseInsensitiveUTF8(coalesce(prompt_text, ''), {text:String}) > 0
                    OR positionCaseInsensitiveUTF8(coalesce(response_text, ''), {text:String}) > 0)))
ORDER BY ts DESC
LIMIT {size:UInt32} OFFSET {offset:UInt64}

-- name: scores_of_spans
-- Scores of the given spans.
SELECT trace_id, span_id, name, value, label, explanation, details, reason, scorer, version, source
FROM scores FINAL
WHERE trace_id IN {traces:Array(String)} AND ({every:Bool} OR span_id IN {spans:Array(String)})
ORDER BY name

-- name: trace_spans
-- Every span of one trace as it was sent, found by the time range that the trace index holds.
WITH
    (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS first,
    (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS last
SELECT
    toTimeZone(Timestamp, 'UTC') AS ts, SpanId AS span_id, ParentSpanId AS parent_span_id, SpanName AS name, SpanKind AS span_kind,
    ServiceName AS service, Duration AS duration_ns, StatusCode AS status_code, StatusMessage AS status_message,
    SpanAttributes AS attributes, ResourceAttributes AS resource, ScopeName AS scope, ScopeVersion AS scope_version
FROM otel_traces
WHERE TraceId = {trace:String} AND Timestamp >= first - INTERVAL 1 SECOND AND Timestamp <= last + INTERVAL 1 SECOND
ORDER BY Timestamp
LIMIT 2000

-- name: trace_llm_spans
-- The normalized rows of one trace's LLM spans.
SELECT *
FROM llm_spans_priced
WHERE trace_id = {trace:String}
ORDER BY ts
LIMIT 2000

-- name: trace_content
-- Full content of every LLM span of one trace.
SELECT *
FROM span_content
WHERE trace_id = {trace:String} AND ({project:String} = '' OR project = {project:String})
LIMIT 2000
