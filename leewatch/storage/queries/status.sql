-- name: progress
-- What each analyzer last did; lag is how far behind it is while rows wait, seconds.
SELECT name, if(backlog > 0, greatest(0., dateDiff('millisecond', done_until, now64(3, 'UTC')) / 1000), 0.) AS lag_seconds,
       sampling, backlog, error
FROM progress FINAL
ORDER BY name;

-- name: active_alerts
-- Alerts that are pending or firing now.
SELECT fingerprint, argMax(rule, at) AS rule, argMax(alert_events.state, at) AS state, argMax(severity, at) AS severity,
       argMax(title, at) AS title, argMax(alert_events.since, at) AS since, argMax(url, at) AS url
FROM alert_events
GROUP BY fingerprint
HAVING state IN ('pending', 'firing')
ORDER BY since;
