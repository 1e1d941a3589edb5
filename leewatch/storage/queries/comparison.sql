-- name: comparison_calls
-- A sample, fixed by the calls themselves, of the LLM calls with the given values of some columns in a span of event time, with prompt vectors and scores. `prompt_key` is equal for equal prompts, 0 where the prompt is not known.
WITH calls AS
(
    SELECT * FROM
    (
        SELECT project, trace_id, span_id, session_id, duration_ms, ttft_ms, input_tokens, output_tokens, cost_usd,
               (status = 'ERROR' OR error_type != '') AS error_rate, has(finish_reason, 'length') AS truncated,
               if(response_length > 0, response_length, NULL) AS response_length,
               if(prompt_preview = '', 0, cityHash64(prompt_preview, prompt_length)) AS prompt_key
        FROM llm_spans_priced
        WHERE kind = 'llm' AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
          AND arrayAll((k, v) -> v = multiIf(
                  k = 'project', toString(project), k = 'service', toString(service), k = 'provider', toString(provider),
                  k = 'model', toString(model), k = 'request_model', toString(request_model),
                  k = 'response_model', toString(response_model), k = 'prompt_name', toString(prompt_name),
                  k = 'prompt_version', toString(prompt_version), k = 'environment', toString(environment),
                  k = 'service_version', toString(service_version), k = 'release', toString(release),
                  k = 'feature', toString(feature), k = 'experiment_id', toString(experiment_id),
                  k = 'variant', toString(variant), k = 'agent_name', toString(agent_name),
                  k = 'workflow_name', toString(workflow_name), k = 'tool_name', toString(tool_name),
                  k = 'operation', toString(operation), k = 'user_id', user_id, k = 'session_id', session_id,
                  k = 'status', toString(status), k = 'dialect', toString(dialect),
                  metadata[substring(k, 10)]), {keys:Array(String)}, {values:Array(String)})
        ORDER BY ingested_at DESC
        LIMIT 1 BY project, trace_id, span_id
    )
    ORDER BY cityHash64(trace_id, span_id), trace_id, span_id
    LIMIT {limit:UInt32}
)
SELECT calls.project AS project, calls.trace_id AS trace_id, calls.span_id AS span_id, calls.session_id AS session_id,
       calls.duration_ms AS duration_ms, calls.ttft_ms AS ttft_ms, calls.input_tokens AS input_tokens, calls.output_tokens AS output_tokens,
       calls.cost_usd AS cost_usd, calls.error_rate AS error_rate, calls.truncated AS truncated, calls.response_length AS response_length,
       calls.prompt_key AS prompt_key,
       embedded.vector AS vector, scored.scores AS scores
FROM calls
LEFT JOIN
(
    SELECT project, trace_id, span_id, any(vector) AS vector
    FROM embeddings
    WHERE model = {model:String} AND field = 'prompt' AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (project, trace_id, span_id) IN (SELECT project, trace_id, span_id FROM calls)
    GROUP BY project, trace_id, span_id
) AS embedded USING (project, trace_id, span_id)
LEFT JOIN
(
    SELECT project, trace_id, span_id, groupArray((score, origin, newest, sampled)) AS scores
    FROM
    (
        SELECT project, trace_id, span_id, toString(name) AS score, toString(source) AS origin,
               argMax(value, scored_at) AS newest, argMax(weight, scored_at) AS sampled
        FROM scores
        WHERE target = 'span' AND isNotNull(value) AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
          AND (project, trace_id, span_id) IN (SELECT project, trace_id, span_id FROM calls)
        GROUP BY project, trace_id, span_id, score, origin
    )
    GROUP BY project, trace_id, span_id
) AS scored USING (project, trace_id, span_id)
ORDER BY cityHash64(trace_id, span_id), trace_id, span_id;
