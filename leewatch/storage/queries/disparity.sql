-- Differences of a score between segments of the traffic.

-- name: segments
-- Sums of one score by segment, and by trace within it: weights, weighted values (of the score, or of whether it reaches `above`), and the squares that standard errors need.
SELECT segment, sum(rows) AS rows, count() AS traces, sum(w) AS weight, sum(a) AS total,
       sum(a * a) AS values_squared, sum(a * w) AS mixed, sum(w * w) AS weights_squared
FROM
(
    SELECT segment, project, trace_id, count() AS rows, sum(weight) AS w, sum(weight * y) AS a
    FROM
    (
        SELECT scored.project AS project, scored.trace_id AS trace_id, scored.weight AS weight, scored.y AS y,
               multiIf(
                   {key:String} = 'project', toString(spans.project), {key:String} = 'service', toString(spans.service),
                   {key:String} = 'provider', toString(spans.provider), {key:String} = 'model', toString(spans.model),
                   {key:String} = 'prompt_name', toString(spans.prompt_name), {key:String} = 'prompt_version', toString(spans.prompt_version),
                   {key:String} = 'environment', toString(spans.environment), {key:String} = 'service_version', toString(spans.service_version),
                   {key:String} = 'release', toString(spans.release), {key:String} = 'feature', toString(spans.feature),
                   {key:String} = 'experiment_id', toString(spans.experiment_id), {key:String} = 'variant', toString(spans.variant),
                   {key:String} = 'agent_name', toString(spans.agent_name), {key:String} = 'workflow_name', toString(spans.workflow_name),
                   {key:String} = 'user_id', spans.user_id, {key:String} = 'language', languages.label,
                   startsWith({key:String}, 'metadata.'), spans.metadata[substring({key:String}, 10)],
                   attributes.value) AS segment
        FROM
        (
            SELECT project, trace_id, span_id, toFloat64(weight) AS weight,
                   if({share:Bool}, toFloat64(assumeNotNull(value) >= {above:Float64}), assumeNotNull(value)) AS y
            FROM scores FINAL
            WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
              AND name = {score:String} AND target = 'span' AND isNotNull(value) AND weight > 0
              AND ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
        ) AS scored
        INNER JOIN
        (
            SELECT * FROM llm_spans FINAL
            WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
        ) AS spans ON spans.project = scored.project AND spans.trace_id = scored.trace_id AND spans.span_id = scored.span_id
        LEFT JOIN
        (
            SELECT project, trace_id, span_id, toString(label) AS label
            FROM scores FINAL
            WHERE {key:String} = 'language' AND name = 'span.prompt_language' AND target = 'span'
              AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
        ) AS languages ON languages.project = scored.project AND languages.trace_id = scored.trace_id AND languages.span_id = scored.span_id
        LEFT JOIN
        (
            SELECT TraceId, SpanId, any(SpanAttributes[substring({key:String}, 12)]) AS value
            FROM otel_traces
            WHERE startsWith({key:String}, 'attributes.')
              AND Timestamp >= {since:DateTime64(3, 'UTC')} AND Timestamp < {until:DateTime64(3, 'UTC')}
            GROUP BY TraceId, SpanId
        ) AS attributes ON attributes.TraceId = scored.trace_id AND attributes.SpanId = scored.span_id
    )
    WHERE segment != ''
    GROUP BY segment, project, trace_id
)
GROUP BY segment
ORDER BY weight DESC, segment
LIMIT {limit:UInt32};
