"""SQL for content that comes as log records: one message each, or the whole exchange in one record."""

# ruff: noqa: E501, S608 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv import anyvalue, compact, messages

MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""Event name -> role when the body names none."""
CHOICE_EVENT = "gen_ai.choice"
DETAILS_EVENT = "gen_ai.client.inference.operation.details"
STEP = "llm_step_log_texts"
STEP_COLUMNS = (
    "Project LowCardinality(String), Timestamp DateTime64(9), TraceId String, SpanId String, event String, texts Array(String), "
    "roles Array(String), system String, tools String"
)
"""texts: input messages, output messages, the one message of the record; roles: of messages that name none."""


def texts_select(source: str, where: str = "") -> str:
    """Rows of the step: GenAI log records in `source` that carry a span context."""
    # Collectors that write to otel_logs themselves may have no place for the event's name: the attributes tell it then.
    event = (
        "multiIf(EventName != '', EventName, LogAttributes['event.name'] != '', LogAttributes['event.name'], "
        "mapContains(LogAttributes, 'gen_ai.input.messages') OR mapContains(LogAttributes, 'gen_ai.output.messages'), "
        f"'{DETAILS_EVENT}', '')"
    )
    keys = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")
    given = f"arrayMap(t -> {anyvalue.plain('t')}, [{', '.join(_attribute(key) for key in keys)}])"
    role = f"transform(event, {messages.quoted(list(MESSAGE_EVENTS))}, {messages.quoted(list(MESSAGE_EVENTS.values()))}, 'assistant')"
    names = messages.quoted([*MESSAGE_EVENTS, CHOICE_EVENT, DETAILS_EVENT])[1:-1]
    condition = f" AND {where}" if where else ""
    return f"""WITH {anyvalue.plain("Body")} AS body, {given} AS given
SELECT Project, Timestamp, TraceId, SpanId, {event} AS event,
    [given[1], given[2], if(event = '{DETAILS_EVENT}', '', {_single_body()})] AS texts,
    ['user', 'assistant', {role}] AS roles,
    given[3] AS system,
    given[4] AS tools
FROM {source} WHERE TraceId NOT IN ('', '{"0" * 32}') AND SpanId NOT IN ('', '{"0" * 16}') AND {event} IN ({names}){condition}"""


def _attribute(key: str) -> str:
    return f"LogAttributes['{key}']"


def content_select() -> str:
    """Rows of llm_content from the step."""
    system = f"if(system != '', {messages.parts_text('system')}, {messages.leading_system('found[1]')})"
    return f"""SELECT
    Project AS project,
    TraceId AS trace_id,
    SpanId AS span_id,
    Timestamp AS ts,
    nullIf({messages.last_user("found[1]")}, '') AS prompt_text,
    nullIf(found[2][1].2, '') AS response_text,
    nullIf({system}, '') AS system_instructions,
    if(empty(found[1]), NULL, {messages.json("found[1]")}) AS input_messages,
    if(empty(found[2]), NULL, {messages.json("found[2]")}) AS output_messages,
    nullIf(tools, '') AS tool_definitions,
    arrayMap(m -> (toUInt64(toUnixTimestamp64Nano(Timestamp)), event, {messages.message_json("m")}), arraySlice(found[3], 1, 1))
        AS event_messages
FROM (
    SELECT *, arrayMap((t, r) -> {messages.from_json("t", "r")}, texts, roles) AS found FROM {STEP}
)"""


def _single_body() -> str:
    """SQL: raw message of the record's body; a choice's message gets its index, finish reason and outer tool calls."""
    return (
        "multiIf(NOT startsWith(body, '{'), body, event = 'gen_ai.choice', "
        "concat('[{\"finish_reason\":', if(JSONExtractRaw(body, 'finish_reason') = '', 'null', JSONExtractRaw(body, 'finish_reason')), "
        "',\"role\":', if(JSONExtractRaw(body, 'message', 'role') = '', 'null', JSONExtractRaw(body, 'message', 'role')), "
        "',\"content\":', if(JSONExtractRaw(body, 'message', 'content') = '', 'null', JSONExtractRaw(body, 'message', 'content')), "
        "',\"tool_calls\":', multiIf(JSONExtractRaw(body, 'message', 'tool_calls') != '', JSONExtractRaw(body, 'message', 'tool_calls'), "
        "JSONExtractRaw(body, 'tool_calls') != '', JSONExtractRaw(body, 'tool_calls'), '[]'), "
        "',\"id\":\"', toString(JSONExtractUInt(body, 'index')), '\"}]'), concat('[', body, ']'))"
    )


def read_view(source: str = "llm_content FINAL") -> str:
    """SELECT of the read view `span_content`: one row per span, '' when missing, log records assembled into messages."""
    ordered = f"arraySort(e -> (e.1, e.2 != 'gen_ai.system.message'), arrayFilter(e -> e.2 != '{CHOICE_EVENT}', event_messages))"
    choices = f"arraySort(e -> e.1, arrayFilter(e -> e.2 = '{CHOICE_EVENT}', event_messages))"
    joined = "if(empty({0}), '', concat('[', arrayStringConcat(arrayMap(e -> e.3, {0}), ','), ']'))"
    user = (
        "arrayLast(e -> JSONExtractString(e.3, 'role') = 'user' AND JSONExtractString(e.3, 'content') != '', asked).3"
    )
    system = "arrayStringConcat(arrayMap(e -> JSONExtractString(e.3, 'content'), arrayFilter(e -> JSONExtractString(e.3, 'role') IN ('system', 'developer'), asked)), '\\n\\n')"
    plain = ", ".join(
        f"ifNull({name}, '') AS {name}"
        for name in (
            "context_documents",
            "context_text",
            "query_text",
            "tool_arguments",
            "tool_result",
            "tool_definitions",
            "prompt_template",
            "prompt_variables",
        )
    )
    return f"""SELECT project, trace_id, span_id, ts,
    coalesce(c.prompt_text, nullIf(JSONExtractString({user}, 'content'), ''), JSONExtractString(asked[-1].3, 'content')) AS prompt_text,
    coalesce(c.response_text, JSONExtractString(answered[1].3, 'content')) AS response_text,
    coalesce(c.system_instructions, {system}) AS system_instructions,
    coalesce({compact.read_inputs("c.input_messages", "c.prompt_text", "c.system_instructions")}, {joined.format("asked")}) AS input_messages,
    coalesce({compact.read_outputs("c.output_messages", "c.response_text")}, {joined.format("answered")}) AS output_messages,
    {plain}, ingested_at
FROM (SELECT *, {ordered} AS asked, {choices} AS answered FROM {source}) AS c"""
