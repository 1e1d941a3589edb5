-- Parts are merged ten at a time: each merge reads, sorts and writes its rows once more, and two or three parts at a time
-- that costs as much again as the inserts. What a query meets grows by a few parts at most. Parts of up to 256 MB keep their
-- columns in one file: a file for each of a hundred columns costs an insert more time in the file system than its rows do.

ALTER TABLE otel_traces MODIFY SETTING min_parts_to_merge_at_once = 10, min_bytes_for_wide_part = 268435456;
ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING min_parts_to_merge_at_once = 10, min_bytes_for_wide_part = 268435456;
ALTER TABLE otel_logs MODIFY SETTING min_parts_to_merge_at_once = 10, min_bytes_for_wide_part = 268435456;
ALTER TABLE llm_spans MODIFY SETTING min_parts_to_merge_at_once = 10, min_bytes_for_wide_part = 268435456;
ALTER TABLE llm_content MODIFY SETTING min_parts_to_merge_at_once = 10, min_bytes_for_wide_part = 268435456;
