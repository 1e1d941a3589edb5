-- When analyzers looked at a sample of the calls, and what makes it whole again.

-- name: arrived
-- Live LLM calls received since a moment, as far as stored, and when the last of them was; a clock may be ahead by `ahead` seconds.
SELECT uniq(trace_id, span_id) AS calls, max(received_at) AS newest
FROM llm_spans
WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE
  AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {now:DateTime64(3, 'UTC')} + toIntervalSecond({ahead:UInt32})
  AND received_at <= ts + toIntervalSecond({late:UInt32});

-- name: first_received
-- When the last of the first `count` live LLM calls since a moment was received.
SELECT max(received_at) AS last
FROM
(
    SELECT received_at FROM llm_spans
    WHERE kind = 'llm' AND ingested_at >= {since:DateTime64(3, 'UTC')} - INTERVAL 10 MINUTE
      AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
      AND received_at <= ts + toIntervalSecond({late:UInt32})
    ORDER BY received_at
    LIMIT {count:UInt32}
);

-- name: decided
-- Until when rates are decided, by receipt.
SELECT until FROM sampling FINAL WHERE since = toDateTime64(0, 3, 'UTC');

-- name: latest_rates
-- The rates of the newest time that was sampled, and when it ended.
SELECT until, rates FROM sampling FINAL WHERE notEmpty(rates) ORDER BY since DESC LIMIT 1;

-- name: sampled_times
-- Times in which some of the analyzers looked at a sample, newest first.
SELECT since, until, rates, calls
FROM sampling FINAL
WHERE hasAny(mapKeys(rates), {analyzers:Array(String)})
  AND until > {since:DateTime64(3, 'UTC')} AND since < {until:DateTime64(3, 'UTC')}
ORDER BY since DESC
LIMIT {limit:UInt32};

-- name: whole_scores
-- Gives the scores of a time that was sampled their weight as part of all calls. A scorer's own sampling stays in its weight.
INSERT INTO scores
SELECT * REPLACE (if(weight = 0, 1, round(weight * {rate:Float64}, 4)) AS weight, now64(3, 'UTC') AS scored_at)
FROM
(
SELECT * FROM scores FINAL
WHERE source = 'scorer' AND target = 'span' AND scorer = {analyzer:String}
  AND (weight > 0.999 / {rate:Float64} OR (weight = 0 AND reason != 'not sampled'))
  AND ts >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({late:UInt32}) AND ts < {until:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
  AND (project, trace_id, span_id) IN
  (
      SELECT project, trace_id, span_id FROM llm_spans
      WHERE kind = 'llm' AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
        AND received_at <= ts + toIntervalSecond({late:UInt32})
        AND ts >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({late:UInt32}) AND ts < {until:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
  )
);

-- name: whole_embeddings
-- The same for embeddings.
INSERT INTO embeddings
SELECT * REPLACE (1 AS weight, now64(3, 'UTC') AS created_at)
FROM
(
SELECT * FROM embeddings FINAL
WHERE model = {model:String} AND weight != 1
  AND ts >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({late:UInt32}) AND ts < {until:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
  AND (project, trace_id, span_id) IN
  (
      SELECT project, trace_id, span_id FROM llm_spans
      WHERE kind = 'llm' AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
        AND received_at <= ts + toIntervalSecond({late:UInt32})
        AND ts >= {since:DateTime64(3, 'UTC')} - toIntervalSecond({late:UInt32}) AND ts < {until:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
  )
);

-- name: calls_by_hour
-- LLM calls by the hour in which they were received, newest first.
SELECT toStartOfHour(received_at) AS hour, uniq(trace_id, span_id) AS calls
FROM llm_spans
WHERE kind = 'llm' AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
GROUP BY hour
ORDER BY hour DESC;

-- name: backfill_runs
-- Whether `leewatch backfill` is at work.
SELECT count() > 0 AS running FROM progress FINAL WHERE name = 'backfill' AND backlog > 0 AND at > now64(3) - INTERVAL 2 MINUTE;
