-- name: list
-- Dead letters, newest first, with what was done with them.
SELECT id, signal, kind, derived, batch, project, toString(at), toString(spans), reason, action
FROM
(
    SELECT * FROM dead_letters
    WHERE ({signal:String} = '' OR signal = {signal:String}) AND ({kind:String} = '' OR kind = {kind:String})
        AND ({project:String} = '' OR project = {project:String}) AND at >= parseDateTime64BestEffort({since:String}, 3, 'UTC')
        AND positionCaseInsensitive(reason, {reason:String}) > 0
    LIMIT 1 BY id
) AS letters
LEFT JOIN (SELECT id, action FROM dead_letter_actions FINAL) AS actions USING id
WHERE action = '' OR {done:UInt8}
ORDER BY at DESC, id
LIMIT {limit:UInt64};

-- name: named
-- Dead letters whose id, or the part of it behind the batch, begins so.
SELECT id, signal, kind, derived, batch, project, toString(at), toString(spans), reason, action
FROM
(
    SELECT * FROM dead_letters
    WHERE id = {start:String} OR startsWith(id, {start:String}) OR startsWith(splitByChar('/', id)[2], {start:String})
    LIMIT 1 BY id
) AS letters
LEFT JOIN (SELECT id, action FROM dead_letter_actions FINAL) AS actions USING id;

-- name: body
-- What one dead letter holds: OTLP, base64.
SELECT body FROM dead_letters WHERE id = {id:String} LIMIT 1;

-- name: stored_span
-- Whether a span is stored by another batch than this.
SELECT count() FROM otel_traces WHERE TraceId = {trace:String} AND SpanId = {span:String} AND Batch != {batch:String};

-- name: insert_action
-- Notes what was done with a dead letter.
INSERT INTO dead_letter_actions (id, action) FORMAT JSONEachRow

-- name: delete
-- Deletes a dead letter with its content.
DELETE FROM dead_letters WHERE id = {id:String};
