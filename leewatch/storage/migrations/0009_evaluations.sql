-- Results that name a session or a response instead of a span are told apart by it.
ALTER TABLE scores
    ADD COLUMN subject String COMMENT 'session (target session) or response id (its span was not found), else empty' AFTER session_id,
    MODIFY ORDER BY (project, service, name, toStartOfHour(ts), trace_id, span_id, scorer, subject);
