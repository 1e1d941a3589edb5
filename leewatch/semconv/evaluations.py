"""SQL of evaluations and feedback: what spans, span events and log records say about other spans becomes rows of `scores`.

Two views fill a table that stores nothing, one row per result; a third finds the evaluated span and writes `scores`. A result of the
same target, name and identifier (else source) replaces the earlier one: the service and start of the target, which order the table, are
those of the stored span, so that they do not depend on who evaluated it, and when.

Forms: `gen_ai.evaluation.result` (semantic-conventions-genai, docs/gen-ai/gen-ai-events.md), OpenInference spec/annotations.md, Logfire's
annotation spans, OpenLIT's guards.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.landing import LONGEST_NS
from leewatch.semconv.messages import first_of, quoted

STEP = "llm_step_evaluations"
_RESULT = (
    "target String, TraceId String, SpanId String, SessionId String, ResponseId String, name String, value String, label String, "
    "explanation String, source String, identifier String, error String"
)
STEP_COLUMNS = (
    "Project LowCardinality(String), Service LowCardinality(String), Start DateTime64(9, 'UTC'), At DateTime64(9, 'UTC'), "
    f"ReceivedAt DateTime64(3, 'UTC'), {_RESULT}"
)
"""Start: of the row that carried the result; At: when it was given; value: number, true or false as text; source: as sent."""

RESULT_EVENT = "gen_ai.evaluation.result"
GUARD_EVENT = "guard.evaluation"
SOURCES = {"human": "human", "llm": "judge", "code": "sdk"}
"""Who judged, lower case -> `source` of the score; others are `sdk`."""
SOURCE_KEY, IDENTIFIER_KEY = "leewatch.evaluation.source", "leewatch.evaluation.identifier"
"""What the conventions have no attribute for: human, llm or code, and a stable name of the judge."""
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_LATEST_DAYS = 30
"""A result older than this by its own clock counts as this old, so that an imported one is not expired on arrival."""
_RESPONSE_HOURS = 1
"""How far back the span of a result is looked for that names only the response: there is no index of response ids."""


def _result(attributes: str) -> dict[str, str]:
    """SQL of the members of one result, from attributes of the conventions' event."""
    read = {
        "name": ("gen_ai.evaluation.name",),
        "value": ("gen_ai.evaluation.score.value",),
        "label": ("gen_ai.evaluation.score.label",),
        "explanation": ("gen_ai.evaluation.explanation",),
        "source": (SOURCE_KEY,),
        "identifier": (IDENTIFIER_KEY,),
        "error": ("error.type",),
    }
    return {name: first_of(*(f"{attributes}[{quoted(key)}]" for key in keys)) for name, keys in read.items()}


def from_logs(source: str, where: str = "") -> str:
    """Rows of the step: records of `gen_ai.evaluation.result` in `source`. Without trace and span, the session or response is the target."""
    condition = f" WHERE {where}" if where else ""
    trace, span = f"if(TraceId = '{_NO_TRACE}', '', TraceId)", f"if(SpanId = '{_NO_SPAN}', '', SpanId)"
    found = ", ".join(f"{sql} AS {name}" for name, sql in _result("LogAttributes").items())
    session = (
        "if(LogAttributes['session.id'] != '', LogAttributes['session.id'], LogAttributes['gen_ai.conversation.id'])"
    )
    return f"""SELECT Project, ServiceName AS Service, Timestamp AS Start, Timestamp AS At, ReceivedAt,
    multiIf(span != '' OR (trace = '' AND response != ''), 'span', trace != '', 'trace', 'session') AS target,
    trace AS TraceId, span AS SpanId, {session} AS SessionId, response AS ResponseId, {found}
FROM (SELECT * EXCEPT (TraceId, SpanId), {trace} AS trace, {span} AS span, LogAttributes['gen_ai.response.id'] AS response FROM {source}{condition})
WHERE if(EventName != '', EventName, LogAttributes['event.name']) = '{RESULT_EVENT}'"""


_INDEXED = r"^((?:(?:trace|session)[.])?(?:annotations|evaluations)[.][0-9]{1,4})[.]"
_CARRIES = rf"{_INDEXED}|^guard[.](?:name|verdict)$|^logfire[.]feedback[.]name$|^gen_ai[.]eval[.]"
"""Keys of a span that carries results."""
_SESSION_KEYS = ("langfuse.session.id", "session.id", "gen_ai.conversation.id")
_TUPLE = "Array(Tuple({}))".format(", ".join(part.split()[1] for part in _RESULT.split(", ")))


CARRIERS = "llm_step_evaluated"
_CARRIED = {
    "Project": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "Timestamp": "DateTime64(9)",
    "ReceivedAt": "DateTime64(3, 'UTC')",
    "Duration": "UInt64",
    "TraceId": "String",
    "SpanId": "String",
    "ParentSpanId": "String",
    "SpanAttributes": "Map(LowCardinality(String), String)",
    "Events.Name": "Array(LowCardinality(String))",
    "Events.Attributes": "Array(Map(LowCardinality(String), String))",
    "Links.TraceId": "Array(String)",
    "Links.SpanId": "Array(String)",
}
CARRIER_COLUMNS = ", ".join(f"`{name}` {type_}" for name, type_ in _CARRIED.items())
"""Spans that carry results wait here for being read: few do, and the database analyzes how to read them only when one does."""


def carriers(source: str, where: str = "") -> str:
    """Rows of the table of carriers: spans of `source` with results, as attributes or as span events."""
    condition = f" AND {where}" if where else ""
    events = f"hasAny(Events.Name, ['{RESULT_EVENT}', '{GUARD_EVENT}'])"
    carries = f"arrayExists(k -> match(k, {quoted(_CARRIES)}), mapKeys(SpanAttributes))"
    names = ", ".join(f"`{name}`" for name in _CARRIED)
    return f"SELECT {names} FROM {source} WHERE ({events} OR {carries}){condition}"


def from_spans() -> str:
    """Rows of the step: results that carriers carry."""
    found = ", ".join((_by_event(), _indexed(), _logfire(), _guard("SpanAttributes"), _openlit()))
    names = [part.split()[0] for part in _RESULT.split(", ")]
    members = ", ".join(f"result.{number} AS {name}" for number, name in enumerate(names, 1))
    return f"""SELECT Project, Service, Start, At, ReceivedAt, {members}
FROM (
    SELECT Project, ServiceName AS Service, Timestamp AS Start, ReceivedAt,
        addNanoseconds(Timestamp, if(Duration < {LONGEST_NS}, Duration, 0)) AS At,
        {first_of(*(f"SpanAttributes['{key}']" for key in _SESSION_KEYS))} AS session,
        arrayJoin(CAST(arrayConcat({found}), '{_TUPLE}')) AS result
    FROM {CARRIERS}
)"""


def _row(
    name: str,
    value: str,
    label: str,
    explanation: str,
    source: str,
    identifier: str = "''",
    error: str = "''",
    target: str = "",
) -> str:
    """SQL: one result as a tuple. target: SQL of its first five members, else the carrying span."""
    return f"({target or _CARRIER}, {name}, {value}, {label}, {explanation}, {source}, {identifier}, {error})"


_CARRIER = "'span', TraceId, SpanId, session, ''"


def _by_event() -> str:
    """SQL: results of span events."""
    result = _result("a")
    row = _row(*(result[name] for name in ("name", "value", "label", "explanation", "source", "identifier", "error")))
    own = f"arrayMap(a -> {row}, arrayFilter((a, n) -> n = '{RESULT_EVENT}', Events.Attributes, Events.Name))"
    guards = f"arrayFilter((a, n) -> n = '{GUARD_EVENT}', Events.Attributes, Events.Name)"
    return f"{own}, arrayFlatten(arrayMap(a -> {_guard('a')}, {guards}))"


def _guard(attributes: str) -> str:
    """SQL: OpenLIT's guard in these attributes, if any."""
    name, verdict, action, score, explanation = (
        f"{attributes}['guard.{key}']" for key in ("name", "verdict", "action", "score", "explanation")
    )
    row = _row(first_of(name, "'guard'"), score, first_of(verdict, action), explanation, "'code'")
    return f"if({name} = '' AND {verdict} = '', [], [{row}])"


def _openlit() -> str:
    """SQL: `gen_ai.eval.NAME` with a number."""
    keys = "arrayFilter(k -> startsWith(k, 'gen_ai.eval.'), mapKeys(SpanAttributes))"
    return f"arrayMap(k -> {_row('substring(toString(k), 13)', 'SpanAttributes[k]', quoted(''), quoted(''), quoted('llm'))}, {keys})"


def _logfire() -> str:
    """SQL: an annotation span of Logfire: its subject is the parent; a bool is a label and 1 or 0 too."""
    name = "SpanAttributes['logfire.feedback.name']"
    value = f"SpanAttributes[{name}]"
    label = (
        f"multiIf({value} = 'true', 'pass', {value} = 'false', 'fail', toFloat64OrNull({value}) IS NULL, {value}, '')"
    )
    target = "if(ParentSpanId = '', 'trace', 'span'), TraceId, ParentSpanId, session, ''"
    row = _row(name, value, label, "SpanAttributes['logfire.feedback.comment']", "'human'", target=target)
    return f"if({name} = '', [], [{row}])"


def _indexed() -> str:
    """SQL: OpenInference's lists. A span with exactly one link speaks of the linked span; without a session its results are the trace's."""
    groups = f"arrayDistinct(arrayFilter(g -> g != '', arrayMap(k -> extract(toString(k), {quoted(_INDEXED)}), mapKeys(SpanAttributes))))"
    base = "concat(g, if(position(g, 'annotations') > 0, '.annotation.', '.evaluation.'))"
    read = {
        key: f"SpanAttributes[concat({base}, '{key}')]"
        for key in ("name", "score", "label", "explanation", "annotator_kind", "identifier")
    }
    scope = "multiIf(startsWith(g, 'session.') AND session != '', 'session', startsWith(g, 'evaluations') OR startsWith(g, 'annotations'), 'span', 'trace')"
    linked = "length(Links.TraceId) = 1"
    trace = f"multiIf({scope} = 'session', '', {linked}, Links.TraceId[1], TraceId)"
    span = f"multiIf({scope} != 'span', '', {linked}, Links.SpanId[1], SpanId)"
    own_session = f"if({linked} AND {scope} != 'session', '', session)"
    target = f"{scope}, {trace}, {span}, {own_session}, ''"
    row = _row(
        read["name"],
        read["score"],
        read["label"],
        read["explanation"],
        read["annotator_kind"],
        read["identifier"],
        target=target,
    )
    return f"arrayMap(g -> {row}, {groups})"


def scores_select(dropped: str = "") -> str:
    """Rows of `scores` from the step: results that have a name and a target.

    dropped: SQL, whether the content of the row's project is dropped; explanations quote it.
    """
    explained = f"if({dropped}, '', results.explanation) AS explanation" if dropped else "explanation"
    number = "multiIf(lower(value) = 'true', 1., lower(value) = 'false', 0., toFloat64OrNull(value))"
    source = f"transform(lower(source), {quoted(list(SOURCES))}, {quoted(list(SOURCES.values()))}, 'sdk')"
    return f"""SELECT
    Project AS project,
    if(known, toString(s.2), toString(Service)) AS service,
    if(known, s.1, Start) AS ts,
    target,
    if(known, s.3, TraceId) AS trace_id,
    multiIf(target != 'span', '', known, s.4, SpanId) AS span_id,
    if(SessionId = '' AND known, s.5, SessionId) AS session_id,
    multiIf(target = 'session', SessionId, trace_id = '', ResponseId, '') AS subject,
    name,
    if(isFinite(assumeNotNull(number)), number, NULL) AS value,
    label,
    {explained},
    multiIf(value IS NOT NULL, '', error != '', error, label != '', 'label only', 'no value') AS reason,
    given_by AS source,
    if(identifier != '', identifier, given_by) AS scorer,
    toDateTime64(greatest(At, ReceivedAt - INTERVAL {_LATEST_DAYS} DAY), 3, 'UTC') AS scored_at
FROM (
    SELECT Project, Service, Start, At, ReceivedAt, target, TraceId, SpanId, SessionId, ResponseId, name, label, explanation, identifier, error,
        {number} AS number, {source} AS given_by, {_key()} AS key
    FROM {STEP} WHERE name != '' AND (TraceId != '' OR ResponseId != '' OR SessionId != '')
) AS results
LEFT JOIN ({_targets()}) AS targets USING (Project, key)"""


def _key() -> str:
    """SQL: what the span of a result is looked up by."""
    return (
        "multiIf(target = 'session', '', TraceId = '', ResponseId, target = 'trace', TraceId, concat(TraceId, SpanId))"
    )


def _targets() -> str:
    """SELECT of (Project, key, known, s): start, service, ids and session of the evaluated spans that are stored."""
    span = "(ts, service, trace_id, span_id, session_id)"
    traces = f"(SELECT TraceId FROM {STEP} WHERE TraceId != '')"
    days = f"SELECT arrayJoin([toDate(Start), toDate(End)]) FROM otel_traces_trace_id_ts WHERE TraceId IN {traces}"
    responses = f"(SELECT ResponseId FROM {STEP} WHERE TraceId = '' AND ResponseId != '')"
    since = f"if((SELECT count() FROM {STEP} WHERE TraceId = '' AND ResponseId != '') > 0, now() - INTERVAL {_RESPONSE_HOURS} HOUR, toDateTime('2100-01-01'))"
    return f"""SELECT Project, key, true AS known, argMin(span, span.1) AS s FROM (
        SELECT project AS Project, arrayJoin([concat(trace_id, span_id), trace_id]) AS key, {span} AS span
        FROM llm_spans WHERE trace_id IN {traces} AND toDate(ts) IN ({days})
        UNION ALL
        SELECT project AS Project, response_id AS key, {span} AS span
        FROM llm_spans WHERE ts >= {since} AND response_id IN {responses}
    ) GROUP BY Project, key"""
