-- What became of a refused span is told apart from what could not be derived from a stored one.
ALTER TABLE dead_letters
    ADD COLUMN kind LowCardinality(String) DEFAULT 'refused' COMMENT 'refused: not stored at all; derivation: stored in the raw table, but table `derived` lacks its rows' AFTER signal,
    ADD COLUMN derived LowCardinality(String) COMMENT 'for kind derivation: the table that lacks the rows' AFTER kind,
    ADD COLUMN project LowCardinality(String) DEFAULT 'default' AFTER batch;

-- What was done with dead letters, by `leewatch dead-letters`. The newest row of an id counts.
CREATE TABLE dead_letter_actions
(
    id String,
    action LowCardinality(String) COMMENT 'replayed or dropped',
    at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY id
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- A value that was cut before it was stored is named, with its length as sent, in the span's own attributes.
ALTER TABLE otel_traces
    ADD COLUMN Truncated Bool ALIAS mapContains(SpanAttributes, 'leewatch.truncated') COMMENT 'a value was longer than collector.max_value_mb and was cut';
