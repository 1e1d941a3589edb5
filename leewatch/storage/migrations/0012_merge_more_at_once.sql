-- What is read by span or by hour can wait longer for its merge than it takes to read a few parts more: raw rows are merged
-- forty parts at a time, the others twenty. A merge costs as much per row as the insert did.

ALTER TABLE otel_traces MODIFY SETTING min_parts_to_merge_at_once = 40, max_parts_to_merge_at_once = 200;
ALTER TABLE otel_logs MODIFY SETTING min_parts_to_merge_at_once = 40, max_parts_to_merge_at_once = 200;
ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING min_parts_to_merge_at_once = 40, max_parts_to_merge_at_once = 200;
ALTER TABLE llm_spans MODIFY SETTING min_parts_to_merge_at_once = 20;
ALTER TABLE llm_content MODIFY SETTING min_parts_to_merge_at_once = 20;
