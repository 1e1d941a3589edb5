-- name: alert_states
-- Newest state of every alert, and whether that state was delivered to somebody.
SELECT e.fingerprint AS fingerprint, e.rule AS rule, e.labels['service'] AS service, e.state AS state, e.title AS title,
       e.what AS what, e.how_bad AS how_bad, e.url AS url, e.at AS at,
       (e.fingerprint, e.state) IN (SELECT fingerprint, state FROM deliveries WHERE ok) AS delivered
FROM alert_events AS e
ORDER BY e.fingerprint, e.at DESC
LIMIT 1 BY e.fingerprint;

-- name: fired
-- Every (rule, service) whose alert fired and was delivered.
SELECT DISTINCT rule, labels['service'] AS service
FROM alert_events
WHERE state = 'firing' AND fingerprint IN (SELECT fingerprint FROM deliveries WHERE ok AND state = 'firing');

-- name: scored
-- LLM spans stored, and how many of them have scores.
SELECT (SELECT count() FROM llm_spans WHERE kind = 'llm') AS spans,
       (SELECT uniqExact(trace_id, span_id) FROM scores) AS scored;
