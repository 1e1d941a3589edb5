-- Parts are merged ten at a time: each merge reads, sorts and writes its rows once more, and two or three parts at a time
-- that costs as much again as the inserts. What a query meets grows by a few parts at most.

ALTER TABLE otel_traces MODIFY SETTING min_parts_to_merge_at_once = 10;
ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING min_parts_to_merge_at_once = 10;
ALTER TABLE otel_logs MODIFY SETTING min_parts_to_merge_at_once = 10;
ALTER TABLE llm_spans MODIFY SETTING min_parts_to_merge_at_once = 10;
ALTER TABLE llm_content MODIFY SETTING min_parts_to_merge_at_once = 10;
