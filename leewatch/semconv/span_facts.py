"""SQL for what log records say of a span beside its texts: that it failed, why it ended, what it used.

Records of the conventions (semantic-conventions-genai, docs/gen-ai/gen-ai-events.md and gen-ai-exceptions.md). They come before or after
their span, in other requests: a table collects them, and the analyzers fill the span where it says nothing itself.
"""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv import anyvalue
from leewatch.semconv.events import CHOICE_EVENT, DETAILS_EVENT
from leewatch.semconv.messages import finish, first_of, quoted

TABLE = "llm_span_facts"
EXCEPTION_EVENT = "gen_ai.client.operation.exception"
COLUMNS = "project, trace_id, span_id, ts, error_type, error_message, finish_reasons, input_tokens, output_tokens"
_REASONS = "Array(Tuple(choice UInt32, reason String))"


def select(source: str, where: str = "", dropped: str = "") -> str:
    """Rows of the table: records in `source` that say something of a span. dropped: SQL, whether no text may be kept."""
    event = "if(EventName != '', EventName, LogAttributes['event.name'])"
    message = first_of("LogAttributes['exception.message']", "LogAttributes['error.message']")
    if dropped:
        message = f"if({dropped}, '', {message})"
    kind = first_of("LogAttributes['exception.type']", "LogAttributes['error.type']")
    body = anyvalue.plain("Body")
    condition = f" AND {where}" if where else ""
    return f"""SELECT Project AS project, TraceId AS trace_id, SpanId AS span_id, Timestamp AS ts,
    nullIf({kind}, '') AS error_type,
    if(error_type IS NULL, NULL, nullIf({message}, '')) AS error_message,
    CAST(arrayFilter(r -> r.2 != '', {_reasons()}), '{_REASONS}') AS finish_reasons,
    toUInt64OrNull(LogAttributes['gen_ai.usage.input_tokens']) AS input_tokens,
    toUInt64OrNull(LogAttributes['gen_ai.usage.output_tokens']) AS output_tokens
FROM (SELECT *, {event} AS event, if({event} = '{CHOICE_EVENT}', {body}, '') AS body FROM {source}
    WHERE {event} IN ({quoted([CHOICE_EVENT, DETAILS_EVENT, EXCEPTION_EVENT])[1:-1]}){condition})
WHERE TraceId NOT IN ('', '{"0" * 32}') AND SpanId NOT IN ('', '{"0" * 16}')
    AND (error_type IS NOT NULL OR notEmpty(finish_reasons) OR input_tokens IS NOT NULL OR output_tokens IS NOT NULL)"""


def _reasons() -> str:
    """SQL: (number of the choice, reason): of the one choice, as listed, or as the output messages name them."""
    listed = anyvalue.plain("LogAttributes['gen_ai.response.finish_reasons']")
    messages = anyvalue.plain("LogAttributes['gen_ai.output.messages']")
    reasons = f"JSONExtract({listed}, 'Array(String)')"
    named = f"arrayMap(m -> JSONExtractString(m, 'finish_reason'), JSONExtractArrayRaw({messages}))"
    several = f"arrayMap((r, n) -> (toUInt32(n - 1), {finish('r')}), rs, arrayEnumerate(rs))"
    ended = finish("JSONExtractString(body, 'finish_reason')")
    one = f"[(toUInt32(JSONExtractUInt(body, 'index')), {ended})]"
    return f"if(event = '{CHOICE_EVENT}', {one}, arrayMap(rs -> {several}, [if(notEmpty({reasons}), {reasons}, {named})])[1])"
