-- A merge costs as much per row as the insert did, so parts wait until there are more of them. It also holds a granule of each part,
-- some 20 MB of raw rows: no more than sixteen are merged at once, however many wait.

ALTER TABLE otel_traces MODIFY SETTING min_parts_to_merge_at_once = 12, max_parts_to_merge_at_once = 16;
ALTER TABLE otel_logs MODIFY SETTING min_parts_to_merge_at_once = 12, max_parts_to_merge_at_once = 16;
ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING min_parts_to_merge_at_once = 12, max_parts_to_merge_at_once = 20;
ALTER TABLE llm_spans MODIFY SETTING min_parts_to_merge_at_once = 12, max_parts_to_merge_at_once = 20;
ALTER TABLE llm_content MODIFY SETTING min_parts_to_merge_at_once = 10, max_parts_to_merge_at_once = 16;
