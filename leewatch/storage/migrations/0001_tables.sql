-- Tables that Leewatch reads: spans, content, embeddings, scores, drift, alerts, operations. All times are UTC.
-- Retention counts from receipt, not from the time of the event: imported history must not expire on arrival.

-- One narrow typed row per LLM span. Lists and charts read only this.
CREATE TABLE llm_spans
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    ts DateTime64(9, 'UTC') COMMENT 'span start, clamped to a sane range',
    end_ts DateTime64(9, 'UTC'),
    duration_ms Float64 COMMENT 'never negative',
    clock_skewed Bool DEFAULT false COMMENT 'start or end had to be clamped',
    trace_id String COMMENT 'lower-case hex, 32 characters',
    span_id String COMMENT 'lower-case hex, 16 characters',
    parent_span_id String,
    name String,
    kind LowCardinality(String) COMMENT 'llm, embedding, retriever, reranker, tool, agent, chain, guardrail, evaluator',
    operation LowCardinality(String),
    provider LowCardinality(String) COMMENT 'canonical name',
    request_model LowCardinality(String),
    response_model LowCardinality(String),
    model LowCardinality(String) COMMENT 'response model, else request model',
    response_id String,
    input_tokens Nullable(UInt64) COMMENT 'including cached tokens',
    output_tokens Nullable(UInt64) COMMENT 'including reasoning',
    total_tokens Nullable(UInt64),
    cache_read_tokens Nullable(UInt64),
    cache_write_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    usage_is_aggregate Bool DEFAULT false COMMENT 'repeats the usage of child spans: never sum it',
    cost_input Nullable(Float64) COMMENT 'USD, as sent',
    cost_output Nullable(Float64) COMMENT 'USD, as sent',
    cost_total Nullable(Float64) COMMENT 'USD, as sent; else computed at query time from model_prices',
    temperature Nullable(Float64),
    top_p Nullable(Float64),
    top_k Nullable(Float64),
    max_tokens Nullable(UInt64),
    frequency_penalty Nullable(Float64),
    presence_penalty Nullable(Float64),
    seed Nullable(Int64),
    stop Array(String),
    choice_count Nullable(UInt32),
    finish_reason Array(LowCardinality(String)) COMMENT 'stop, length, tool_call, content_filter, ...',
    is_stream Nullable(Bool),
    ttft_ms Nullable(Float64),
    session_id String,
    user_id String,
    prompt_name LowCardinality(String),
    prompt_version LowCardinality(String),
    environment LowCardinality(String),
    service_version LowCardinality(String),
    release LowCardinality(String),
    tags Array(LowCardinality(String)),
    metadata Map(LowCardinality(String), String),
    feature LowCardinality(String),
    experiment_id LowCardinality(String),
    variant LowCardinality(String),
    agent_name LowCardinality(String),
    workflow_name LowCardinality(String),
    tool_name LowCardinality(String),
    tool_call_id String,
    status LowCardinality(String) COMMENT 'OK, ERROR or UNSET',
    error_type LowCardinality(String) COMMENT 'empty: no error',
    error_message String,
    prompt_preview String COMMENT 'first 200 characters; empty when the content came by log records: see llm_content',
    response_preview String COMMENT 'first 200 characters',
    prompt_length UInt32 COMMENT 'characters',
    response_length UInt32 COMMENT 'characters',
    context_length UInt32 COMMENT 'characters of all context documents',
    content_redacted Bool DEFAULT false COMMENT 'the sender masked the content: not to be scored',
    dialect LowCardinality(String) COMMENT 'attribute family that named the model or the messages: genai, openinference, ...',
    batch String COMMENT 'insert that brought the row',
    received_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    ingested_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'analyzers read by this, with an overlap',
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1,
    INDEX ts_minmax ts TYPE minmax GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX session_id_bloom session_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY toDate(ts)
ORDER BY (project, service, toStartOfHour(ts), trace_id, span_id)
TTL toDateTime(received_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- Full content of a span: from its attributes and span events, and from log records, in any order of arrival.
-- Each writer leaves the columns it does not know NULL; event_messages collects the records that carry one message each.
CREATE TABLE llm_content
(
    project LowCardinality(String) DEFAULT 'default',
    trace_id String,
    span_id String,
    ts DateTime64(9, 'UTC'),
    prompt_text Nullable(String) COMMENT 'last user message',
    response_text Nullable(String) COMMENT 'text of output message 0',
    system_instructions Nullable(String),
    input_messages Nullable(String) COMMENT 'JSON list of {role, content, tool_calls[], ...}',
    output_messages Nullable(String) COMMENT 'JSON list of {role, content, tool_calls[], finish_reason, ...}',
    context_documents Nullable(String) COMMENT 'JSON list of {id, content, score, metadata}',
    context_text Nullable(String) COMMENT 'contents of the documents joined by blank lines',
    query_text Nullable(String),
    tool_arguments Nullable(String),
    tool_result Nullable(String),
    tool_definitions Nullable(String),
    prompt_template Nullable(String),
    prompt_variables Nullable(String),
    event_messages SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(time UInt64, event String, body String)))
        COMMENT 'one log record or span event each: ns since epoch, event name, body as JSON',
    ingested_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = CoalescingMergeTree
ORDER BY (project, trace_id, span_id)
TTL toDateTime(ingested_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- USD per token by provider and model as they stand in llm_spans, valid from a date.
CREATE TABLE model_prices
(
    provider LowCardinality(String),
    model LowCardinality(String),
    valid_from DateTime('UTC'),
    input Float64 COMMENT 'USD per input token',
    output Float64 COMMENT 'USD per output token',
    cache_read Nullable(Float64) COMMENT 'USD per cached input token',
    source LowCardinality(String) COMMENT 'genai-prices or config',
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (provider, model, valid_from);

CREATE TABLE embeddings
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String) COMMENT 'prompt or response',
    model LowCardinality(String) COMMENT 'encoder',
    ts DateTime64(9, 'UTC') COMMENT 'start of the span',
    trace_id String,
    span_id String,
    vector Array(Float32) CODEC(ZSTD(1)) COMMENT 'unit length',
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(created_at)
PARTITION BY toYYYYMM(ts)
ORDER BY (project, service, field, model, ts, trace_id, span_id)
TTL toDateTime(created_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE scores
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    ts DateTime64(9, 'UTC') COMMENT 'start of the span',
    target LowCardinality(String) DEFAULT 'span' COMMENT 'span, trace or session',
    trace_id String,
    span_id String,
    session_id String,
    name LowCardinality(String) COMMENT 'address <field>.<name>, e.g. response.toxicity',
    value Nullable(Float64) COMMENT 'built-in risk scores in [0,1], 1 = bad; NULL: could not be given, see reason',
    label LowCardinality(String),
    explanation String,
    details String COMMENT 'JSON list of findings with character offsets',
    reason LowCardinality(String) COMMENT 'why there is no value',
    source LowCardinality(String) DEFAULT 'scorer' COMMENT 'scorer, judge, human or sdk',
    scorer LowCardinality(String),
    version LowCardinality(String),
    weight Float32 DEFAULT 1 COMMENT '1 / probability that the span was sampled',
    scored_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    INDEX ts_minmax ts TYPE minmax GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(scored_at)
PARTITION BY toYYYYMM(ts)
ORDER BY (project, service, name, toStartOfHour(ts), trace_id, span_id, scorer)
TTL toDateTime(scored_at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- Every drift test ever run, embedding or tabular, drifted or not.
CREATE TABLE drift_results
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    field LowCardinality(String) COMMENT 'prompt, response, or a column such as duration_ms, output_tokens, response.toxicity',
    segment_key LowCardinality(String) DEFAULT '' COMMENT 'empty: the whole service; else e.g. model',
    segment LowCardinality(String) DEFAULT '',
    kind LowCardinality(String) COMMENT 'embedding or tabular',
    method LowCardinality(String),
    version LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    reference_start DateTime64(3, 'UTC'),
    reference_end DateTime64(3, 'UTC'),
    n_reference UInt32,
    n_current UInt32,
    statistic Float64,
    p_value Float64,
    threshold Float64 COMMENT 'alpha the p-value was compared with',
    drifted Bool,
    effect Float64 COMMENT 'share of the window that the reference does not explain, in [0,1]',
    effect_text String COMMENT 'the effect in words a person understands',
    clusters String COMMENT 'JSON list of {label, reference_share, current_share, examples[]}',
    details String COMMENT 'JSON: parameters and method-specific findings',
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY (project, service, field, segment_key, segment, method, window_end);

-- HTML report of two windows (Evidently), shown on the drift page.
CREATE TABLE drift_reports
(
    project LowCardinality(String) DEFAULT 'default',
    service LowCardinality(String),
    window_start DateTime64(3, 'UTC'),
    window_end DateTime64(3, 'UTC'),
    html String CODEC(ZSTD(3)),
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY (project, service, window_end)
TTL toDateTime(created_at) + INTERVAL 30 DAY;

-- Every change of state of every alert. The newest row of a fingerprint is its state.
CREATE TABLE alert_events
(
    fingerprint String COMMENT 'hash of rule and labels',
    rule LowCardinality(String),
    state LowCardinality(String) COMMENT 'pending, firing, resolved or inactive (a pending that never fired)',
    severity LowCardinality(String),
    at DateTime64(3, 'UTC') COMMENT 'when this state was decided',
    since DateTime64(3, 'UTC') COMMENT 'when the breach began',
    labels Map(LowCardinality(String), String) COMMENT 'service, model, field ...',
    value Float64,
    threshold Float64,
    title String,
    what String,
    location String,
    how_bad String,
    example String COMMENT 'redacted',
    url String,
    reason LowCardinality(String) COMMENT 'why this decision was taken'
)
ENGINE = MergeTree
ORDER BY (fingerprint, at);

CREATE TABLE deliveries
(
    fingerprint String,
    channel LowCardinality(String),
    state LowCardinality(String) COMMENT 'state of the alert that was told',
    at DateTime64(3, 'UTC'),
    ok Bool,
    attempt UInt16,
    error String,
    handle String COMMENT 'message identity of the channel, for updates',
    title String
)
ENGINE = MergeTree
ORDER BY (fingerprint, channel, at);

CREATE TABLE silences
(
    id String,
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    created_by String,
    comment String,
    matchers Map(String, String) COMMENT 'label = value, all must match; rule is a label too',
    starts_at DateTime64(3, 'UTC'),
    ends_at DateTime64(3, 'UTC'),
    deleted Bool DEFAULT false
)
ENGINE = ReplacingMergeTree(created_at)
ORDER BY id;

CREATE TABLE rules
(
    name String,
    definition String COMMENT 'the rule as JSON, same keys as in leewatch.yaml',
    deleted Bool DEFAULT false,
    updated_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY name;

-- Ledger: one row per inserted batch, written by a view of the same insert.
CREATE TABLE batches
(
    batch String,
    signal LowCardinality(String) COMMENT 'traces or logs',
    project LowCardinality(String) DEFAULT 'default',
    spans UInt64 COMMENT 'spans (or log records) stored by this insert',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (signal, batch)
SETTINGS non_replicated_deduplication_window = 1000;

-- What the database refused, with the reason; the bytes are one OTLP request.
CREATE TABLE dead_letters
(
    id String,
    signal LowCardinality(String),
    at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    batch String,
    spans UInt64,
    reason String,
    body String CODEC(ZSTD(3)) COMMENT 'OTLP protobuf, base64'
)
ENGINE = MergeTree
ORDER BY (signal, at, id)
TTL toDateTime(at) + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000;

-- What each analyzer and role last did. The newest row of a name counts.
CREATE TABLE progress
(
    name LowCardinality(String) COMMENT 'e.g. scorer:toxicity, drift, role:collector',
    at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    done_until DateTime64(3, 'UTC') COMMENT 'ingested_at up to which all is done',
    rows UInt64 COMMENT 'rows handled in the last run',
    backlog UInt64 COMMENT 'rows known to wait',
    sampling Float64 DEFAULT 1 COMMENT 'share of rows that are handled, in (0,1]',
    error String
)
ENGINE = ReplacingMergeTree(at)
ORDER BY name;
