-- name: progress
-- What each analyzer last did; lag is how far behind it is while rows wait, seconds.
SELECT name, if(backlog > 0, greatest(0., dateDiff('millisecond', done_until, now64(3, 'UTC')) / 1000), 0.) AS lag_seconds,
       sampling, backlog, error
FROM progress FINAL
ORDER BY name;

-- name: orphans
-- Log records with content of LLM calls, received in the hour before `wait` seconds ago, whose span has not come. A span is
-- looked for among those that began within two days.
WITH content AS
(
    SELECT TraceId, SpanId
    FROM otel_logs
    WHERE ReceivedAt >= now64(3) - toIntervalSecond({wait:UInt32} + 3600) AND ReceivedAt < now64(3) - toIntervalSecond({wait:UInt32})
      AND SpanId != '' AND startsWith(if(EventName != '', EventName, LogAttributes['event.name']), 'gen_ai.')
      AND if(EventName != '', EventName, LogAttributes['event.name']) != 'gen_ai.evaluation.result'
)
SELECT count() AS records
FROM content
WHERE (TraceId, SpanId) NOT IN
(
    SELECT TraceId, SpanId FROM otel_traces
    WHERE Timestamp >= now() - INTERVAL 2 DAY AND TraceId IN (SELECT TraceId FROM content)
);

-- name: active_alerts
-- Alerts that are pending or firing now.
SELECT fingerprint, argMax(rule, at) AS rule, argMax(alert_events.state, at) AS state, argMax(severity, at) AS severity,
       argMax(title, at) AS title, argMax(alert_events.since, at) AS since, argMax(url, at) AS url
FROM alert_events
GROUP BY fingerprint
HAVING state IN ('pending', 'firing')
ORDER BY since;
