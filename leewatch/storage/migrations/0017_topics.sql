-- Topics of each service's prompts, and which call is about which of them.

-- A topic: its place among the vectors, its label and where it stands on the map. Row 0 of a service tells of texts without a topic.
CREATE TABLE topics
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String) COMMENT 'prompt',
    topic_id UInt32 COMMENT 'from 1, never used again for another topic of the service; 0: no topic',
    model LowCardinality(String) COMMENT 'encoder',
    label String COMMENT 'words that tell it from the others; kept while the topic is about the same',
    keywords Array(String) COMMENT 'more such words, the most telling first',
    centroid Array(Float32) CODEC(ZSTD(1)) COMMENT 'unit length; empty: takes no text any more',
    floor Float32 COMMENT 'least cosine to the centroid of a text that belongs to it',
    x Float32 COMMENT 'place on the map of the service',
    y Float32,
    rows UInt32 COMMENT 'texts of it in the sample of the last fit that found any',
    share Float32 COMMENT 'their share of that sample, in [0,1]',
    examples Array(String) COMMENT 'redacted',
    retired Bool COMMENT 'nobody asked of it lately; its id waits for its return',
    first_seen DateTime64(3, 'UTC') COMMENT 'fit that found it',
    last_seen DateTime64(3, 'UTC') COMMENT 'last fit at which it was not retired',
    fitted_at DateTime64(3, 'UTC') COMMENT 'end of the span of event time of the last fit',
    version LowCardinality(String) COMMENT 'of the method',
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (project, service, field, topic_id)
TTL toDateTime(updated_at) + INTERVAL 400 DAY;

-- The topic of each embedded prompt, as it was when it came in, or when its topic was first found.
CREATE TABLE span_topics
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String) COMMENT 'prompt',
    ts DateTime64(9, 'UTC') COMMENT 'start of the span',
    trace_id String,
    span_id String,
    topic_id UInt32 COMMENT '0: far from every topic',
    similarity Float32 COMMENT 'cosine to the nearest centroid',
    assigned_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(assigned_at)
PARTITION BY toYYYYMM(ts)
ORDER BY (project, service, field, ts, trace_id, span_id)
TTL toDateTime(assigned_at) + INTERVAL 400 DAY;

-- What was embedded lately is looked for every few seconds.
ALTER TABLE embeddings ADD INDEX created_at_minmax created_at TYPE minmax GRANULARITY 1;
