-- A span whose texts were not kept on purpose says so: it must not look like one that came without.
ALTER TABLE llm_spans
    ADD COLUMN content_dropped Bool DEFAULT false COMMENT 'the texts were not kept, as `redaction.content: drop` asks for; lengths are those of the texts' AFTER content_redacted;

-- The view has the columns that the table had when it was made.
DROP VIEW llm_spans_priced;

-- Spans with their cost in USD: as sent, else computed from the newest price of provider and model.
-- cost_source says which: sent, genai-prices, config, or empty when neither a price nor a cost is known.
CREATE VIEW llm_spans_priced AS
WITH
    ifNull(spans.input_tokens, 0) AS tokens_in,
    least(ifNull(spans.cache_read_tokens, 0), tokens_in) AS tokens_cached,
    isNotNull(price.input) AND (isNotNull(spans.input_tokens) OR isNotNull(spans.output_tokens)) AS priced
SELECT
    spans.*,
    multiIf(
        isNotNull(spans.cost_total), spans.cost_total,
        priced,
        (tokens_in - tokens_cached) * price.input + tokens_cached * coalesce(price.cache_read, price.input)
            + ifNull(spans.output_tokens, 0) * price.output,
        NULL
    ) AS cost_usd,
    multiIf(isNotNull(spans.cost_total), 'sent', priced, price.source, '') AS cost_source
FROM (SELECT * FROM llm_spans FINAL) AS spans
LEFT JOIN
(
    SELECT provider, model, toNullable(input) AS input, toNullable(output) AS output, cache_read, toString(source) AS source
    FROM model_prices FINAL
    ORDER BY valid_from DESC
    LIMIT 1 BY provider, model
) AS price ON spans.provider = price.provider AND spans.model = price.model;
