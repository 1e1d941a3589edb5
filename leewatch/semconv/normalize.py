"""The SELECT that turns rows of `otel_traces` into normalized LLM spans, generated from the mapping table."""

from __future__ import annotations

from leewatch.semconv import indexed, messages
from leewatch.semconv.columns import COLUMNS
from leewatch.semconv.kinds import (
    KIND_RULES,
    LANGFUSE_LLM_KEYS,
    VECTOR_DATABASES,
    VECTOR_OPERATIONS,
    VECTOR_READS,
)
from leewatch.semconv.lookup import RESOURCE, SCOPE, SPAN, STEP, codes, value
from leewatch.semconv.messages import first_of, quoted


def select(source: str, where: str = "") -> str:
    """SQL: normalized rows of `source`, a table with the columns of otel_traces. `where` restricts its rows."""
    columns = ",\n    ".join(f"{column.sql} AS {column.name}" for column in COLUMNS)
    return f"SELECT\n    {columns}\nFROM (\n{_texts(source, where)}\n)"


def _pairs(keys: str, values: str, layers: list[dict[str, int]]) -> list[str]:
    """SQL: one Array(Tuple(code UInt16, value String)) per layer, of the keys that the mapping knows."""
    return [
        f"arrayFilter(p -> p.1 > 0 AND p.2 NOT IN ('', '[]', '{{}}'), arrayMap((k, v) -> "
        f"(toUInt16(transform(k, {quoted(list(layer))}, {list(layer.values())}, 0)), v), {keys}, {values}))"
        for layer in layers
    ]


def _member_pairs() -> list[str]:
    documents = sorted({key.split(":")[0] for layer in codes(SPAN, "member") for key in layer})
    members = (
        "arrayFlatten(arrayMap((k, v) -> arrayMap(m -> (concat(k, ':', m.1), m.2), JSONExtractKeysAndValues(v, 'String')), "
        "arrayFilter((k, v) -> k IN D AND startsWith(v, '{'), mapKeys(SpanAttributes), mapValues(SpanAttributes)), "
        "arrayFilter((v, k) -> k IN D AND startsWith(v, '{'), mapValues(SpanAttributes), mapKeys(SpanAttributes))))"
    ).replace("IN D", f"IN ({quoted(documents)[1:-1]})")
    return _pairs(f"arrayMap(m -> m.1, {members})", f"arrayMap(m -> m.2, {members})", codes(SPAN, "member"))


def _event_pairs() -> list[str]:
    layers = codes(SPAN, "event")
    events = sorted({key.split("/")[0] for layer in layers for key in layer})
    pairs = (
        "arrayFlatten(arrayMap((n, a) -> arrayMap((k, v) -> (concat(n, '/', k), v), mapKeys(a), mapValues(a)), "
        f"arrayFilter(n -> n IN ({quoted(events)[1:-1]}), Events.Name), "
        f"arrayFilter((a, n) -> n IN ({quoted(events)[1:-1]}), Events.Attributes, Events.Name)))"
    )
    return _pairs(f"arrayMap(m -> m.1, {pairs})", f"arrayMap(m -> m.2, {pairs})", layers)


def _fields(source: str, where: str) -> str:
    """Innermost layer: `pairs` sorted by code, the map `fields`, and what kind of span it is."""
    keys, values = "mapKeys(SpanAttributes)", "mapValues(SpanAttributes)"
    parts = [
        *_pairs(keys, values, codes(SPAN)),
        *_member_pairs(),
        *_event_pairs(),
        *_pairs("mapKeys(ScopeAttributes)", "mapValues(ScopeAttributes)", codes(SCOPE)),
        *_pairs("mapKeys(ResourceAttributes)", "mapValues(ResourceAttributes)", codes(RESOURCE)),
    ]
    return f"""        SELECT *,
            arraySort(p -> p.1, arrayConcat({", ".join(parts)})) AS pairs,
            CAST((arrayMap(p -> toUInt8(intDiv(p.1, {STEP})), pairs), arrayMap(p -> p.2, pairs)), 'Map(UInt8, String)') AS fields,
            {_kind()} AS kind
        FROM {source}{f" WHERE {where}" if where else ""}"""


def _has_key(condition: str) -> str:
    return f"arrayExists(k -> {condition}, mapKeys(SpanAttributes))"


def _kind() -> str:
    ruled = [
        f"transform(lower({value(rule.source)}), {quoted(list(rule.kinds))}, {quoted(list(rule.kinds.values()))}, '')"
        for rule in KIND_RULES
    ]
    operation = f"splitByChar(' ', {value('aisdk_operation')})[1]"
    vector = f"if(lower({value('db_operation')}) IN ({quoted(list(VECTOR_READS))[1:-1]}), 'retriever', 'other')"
    vector_key = _has_key("startsWith(k, 'db.vector.')")
    is_vector = (
        f"lower({value('db_system')}) IN ({quoted(list(VECTOR_DATABASES))[1:-1]}) OR {vector_key} "
        f"OR lower({value('genai_operation')}) IN ({quoted(list(VECTOR_OPERATIONS))[1:-1]})"
    )
    langfuse_llm = f"if({_has_key(f'k IN ({quoted(list(LANGFUSE_LLM_KEYS))[1:-1]})')}, 'llm', '')"
    has_model = f"({value('request_model')} != '' OR {value('response_model')} != '')"
    aisdk = (
        f"multiIf(NOT startsWith({operation}, 'ai.'), '', endsWith({operation}, '.doGenerate') OR endsWith({operation}, '.doStream'), "
        f"'llm', endsWith({operation}, '.doEmbed'), 'embedding', endsWith({operation}, '.doRerank'), 'reranker', "
        f"{operation} = 'ai.toolCall', 'tool', 'chain')"
    )
    unknown_operation = (
        f"if({value('genai_operation')} != '' AND {has_model} AND lower({value('genai_operation')}) "
        f"NOT IN ({quoted(list(VECTOR_OPERATIONS))[1:-1]}), 'llm', '')"
    )
    tool = f"if({value('tool_name')} != '' OR {value('tool_call_id')} != '' OR {value('mcp_method')} = 'tools/call', 'tool', '')"
    guard = f"if({value('guard')} != '', 'guardrail', '')"
    langfuse, openinference, genai, traceloop, request_type = ruled
    return first_of(
        langfuse, langfuse_llm, openinference, genai, unknown_operation, traceloop, request_type, aisdk, tool, guard,
        f"if({is_vector}, {vector}, '')", f"if({has_model}, 'llm', 'other')",
    )  # fmt: skip


def _parsed(source: str, where: str) -> str:
    """Second layer, LLM spans only: indexed lists and messages."""
    entries = indexed.entries("mapKeys(SpanAttributes)", "mapValues(SpanAttributes)")
    return f"""    SELECT *,
        {entries} AS entries,
        {indexed.groups("entries")} AS item_groups,
        {indexed.messages("item_groups", "input", "'user'")} AS indexed_input,
        {indexed.messages("item_groups", "output", "'assistant'")} AS indexed_output,
        {indexed.messages("item_groups", "embedding", "'user'")} AS embedded,
        {first_of(value("input_structured"), "if(notEmpty(indexed_input) OR notEmpty(embedded), '', " + value("input_other") + ")")} AS input_json,
        {first_of(value("output_structured"), "if(notEmpty(indexed_output), '', " + value("output_other") + ")")} AS output_json
    FROM (
{_fields(source, where)}
    ) WHERE kind != 'other' AND {value("span_type")} != 'pending_span'"""


def _texts(source: str, where: str) -> str:
    """Third layer: messages of whichever family has them, their texts, documents, errors and times."""
    return f"""SELECT *,
    multiIf(input_json != '', {messages.from_json("input_json", "'user'", output=False)}, notEmpty(indexed_input), indexed_input, embedded) AS inputs,
    if(output_json != '', {messages.from_json("output_json", "'assistant'", output=True)}, indexed_output) AS outputs
FROM (
{_parsed(source, where)}
)"""
