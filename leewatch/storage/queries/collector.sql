-- name: ledger
-- Spans, log records or data points that the inserts of one segment stored, by batch: the names of its batches begin alike.
SELECT batch, sum(spans) FROM batches
WHERE signal = {signal:String} AND startsWith(batch, {batch:String}) GROUP BY batch;

-- name: present_traces
-- Spans of one batch in the raw table: ids, and how often.
SELECT TraceId, SpanId, 0, count() FROM otel_traces WHERE Batch = {batch:String} GROUP BY TraceId, SpanId;

-- name: present_logs
-- Log records of one batch in the raw table: ids, time in ns, and how often.
SELECT TraceId, SpanId, toUnixTimestamp64Nano(Timestamp) AS at, count()
FROM otel_logs WHERE Batch = {batch:String} GROUP BY TraceId, SpanId, at;

-- name: present_metrics
-- Data points of one batch in the raw tables: their positions, and how often.
SELECT '', '', Position AS at, count()
FROM
(
    SELECT Position FROM otel_metrics_gauge WHERE Batch = {batch:String}
    UNION ALL SELECT Position FROM otel_metrics_sum WHERE Batch = {batch:String}
    UNION ALL SELECT Position FROM otel_metrics_histogram WHERE Batch = {batch:String}
    UNION ALL SELECT Position FROM otel_metrics_exponential_histogram WHERE Batch = {batch:String}
    UNION ALL SELECT Position FROM otel_metrics_summary WHERE Batch = {batch:String}
)
GROUP BY at;

-- name: dead_letters_of_batch
-- What the database refused of one batch.
SELECT body FROM dead_letters
WHERE signal = {signal:String} AND batch = {batch:String} AND kind = 'refused' LIMIT 1 BY id;

-- name: hashes_traces
-- Ids of the spans of one batch, and the hash by which repairs take a part of them.
SELECT DISTINCT toString(cityHash64(TraceId, SpanId)), TraceId, SpanId FROM otel_traces WHERE Batch = {batch:String};

-- name: hashes_logs
-- Ids of the log records of one batch, and the hash by which repairs take a part of them.
SELECT DISTINCT toString(cityHash64(TraceId, SpanId)), TraceId, SpanId FROM otel_logs WHERE Batch = {batch:String};

-- name: running_inserts
-- Inserts under tokens that begin so which the database has not yet ended.
SELECT count() FROM system.processes WHERE startsWith(Settings['insert_deduplication_token'], {token:String});

-- name: insert_dead_letters
-- One row for each refused span.
INSERT INTO dead_letters (id, signal, kind, derived, batch, project, spans, reason, body) FORMAT JSONEachRow

-- name: clear_ledger
-- Forgets the ledger rows of one batch, before the verified count is written.
DELETE FROM batches WHERE signal = {signal:String} AND batch = {batch:String};

-- name: insert_ledger
-- Writes a verified count.
INSERT INTO batches (batch, signal, project, spans) FORMAT JSONEachRow
