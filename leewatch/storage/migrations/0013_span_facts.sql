-- What log records say of a span beside its texts, in any order of arrival. The analyzers put it where the span itself says nothing.
CREATE TABLE llm_span_facts
(
    project LowCardinality(String) DEFAULT 'default',
    trace_id String,
    span_id String,
    ts DateTime64(9, 'UTC') COMMENT 'time of the record',
    error_type Nullable(String),
    error_message Nullable(String),
    finish_reasons SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(choice UInt32, reason String))),
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    ingested_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = CoalescingMergeTree
ORDER BY (project, trace_id, span_id)
TTL toDateTime(ingested_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;
