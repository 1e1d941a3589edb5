-- Queries of `leewatch judge`.

-- name: pairs
-- Spans of a time that a judge and another score judged: values, weight of the judge's sample, trace.
SELECT judged.trace_id AS trace_id, judged.value AS judge, others.value AS other, toFloat64(judged.weight) AS weight
FROM
(
    SELECT project, trace_id, span_id, value, weight
    FROM scores FINAL
    WHERE ts >= {since:DateTime64(3, 'UTC')} AND name = {judge:String} AND target = 'span' AND isNotNull(value) AND weight > 0
        AND ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
) AS judged
INNER JOIN
(
    SELECT project, trace_id, span_id, value
    FROM scores FINAL
    WHERE ts >= {since:DateTime64(3, 'UTC')} AND name = {other:String} AND target = 'span' AND isNotNull(value)
        AND ({project:String} = '' OR project = {project:String}) AND ({service:String} = '' OR service = {service:String})
) AS others USING (project, trace_id, span_id)
LIMIT {limit:UInt32};

-- name: others
-- Names of other scores that spans of a judge have.
SELECT DISTINCT toString(name) AS name
FROM scores
WHERE ts >= {since:DateTime64(3, 'UTC')} AND name != {judge:String} AND target = 'span' AND isNotNull(value)
    AND NOT startsWith(name, 'span.')
ORDER BY name;
