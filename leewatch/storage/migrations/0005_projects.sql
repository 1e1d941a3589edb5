-- Projects that were created, and what they may send. A project needs no row to have data: `default` is there from the start.
CREATE TABLE projects
(
    name String,
    spans_per_second Nullable(Float64) COMMENT 'NULL: as collector.limits says',
    bytes_per_second Nullable(Float64) COMMENT 'NULL: as collector.limits says',
    deleted Bool DEFAULT false,
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY name;

-- API keys, of which only a digest is kept.
CREATE TABLE api_keys
(
    id String COMMENT 'second part of the key lw_ID_SECRET',
    project String,
    digest String COMMENT 'HMAC-SHA-256 of the key under its id, hex',
    ends_at Nullable(DateTime64(3, 'UTC')) COMMENT 'refused from then on; NULL: until it is revoked',
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id;
