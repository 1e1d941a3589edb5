-- What drift tests keep of the past: a feature map of each series, and the sums of each window under it.

-- How the texts of a series are turned into features: directions, and texts that stand for what is known. The newest one counts.
CREATE TABLE drift_maps
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String) COMMENT 'prompt or response',
    model LowCardinality(String) COMMENT 'encoder',
    id String COMMENT 'stands in drift_windows.map',
    fitted_until DateTime64(3, 'UTC') COMMENT 'end of the span of event time whose texts it was fitted on',
    rows UInt32 COMMENT 'texts it was fitted on',
    content String CODEC(ZSTD(1)) COMMENT 'base64 of its arrays',
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY (project, service, field, model, id)
TTL toDateTime(created_at) + INTERVAL 400 DAY;

-- One window of a series: what its rows add up to. References are made of these, whatever their length.
CREATE TABLE drift_windows
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String),
    map String COMMENT 'id of the map in drift_maps',
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    rows UInt32 COMMENT 'texts of the window that were read',
    sums Array(Float64) CODEC(ZSTD(1)) COMMENT 'sum of the features over the rows',
    variances Array(Float32) CODEC(ZSTD(1)) COMMENT 'variance of each sum, from blocks of rows of one user or session',
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY (project, service, field, map, window_start, window_end)
TTL toDateTime(created_at) + INTERVAL 400 DAY;
