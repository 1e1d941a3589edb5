-- Times in which the analyzers looked at a sample of the calls, by when a call was received. A call is in the sample of an analyzer
-- when sipHash64(trace_id) / 2^64 < rates[analyzer]; its rows then have weight 1 / rate. An analyzer that is not named looked at every call.
CREATE TABLE sampling
(
    since DateTime64(3, 'UTC') COMMENT 'received_at, inclusive; 1970: the row that says until when rates are decided',
    until DateTime64(3, 'UTC') COMMENT 'received_at, exclusive',
    rates Map(LowCardinality(String), Float64) COMMENT 'analyzer to share of traces in (0,1); emptied once the others are scored, too',
    calls UInt64 COMMENT 'LLM calls received, as far as stored when the rates were decided',
    decided_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(decided_at)
ORDER BY since
TTL toDateTime(until) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE embeddings
    ADD COLUMN weight Float32 DEFAULT 1 COMMENT '1 / probability that the span was embedded; 0 while the others of its time are not yet' AFTER vector;
