"""The columns of a normalized span: name, type and the SQL that computes it from the layers of `normalize`."""

from __future__ import annotations

from dataclasses import dataclass

from leewatch.semconv import indexed, messages
from leewatch.semconv.kinds import AGGREGATE_KINDS
from leewatch.semconv.lookup import NUMBERS, families, value
from leewatch.semconv.mapping import (
    FIRST_CHUNK_EVENTS,
    METADATA_PREFIXES,
    PROVIDER_PREFIXES,
    PROVIDERS,
    REFERENCES,
    SPECIAL_METADATA,
)
from leewatch.semconv.messages import finish, first_of, quoted

LOW = "LowCardinality(String)"
PREVIEW = 200
"""Characters of a preview."""
REDACTED = "__REDACTED__"
_EXCEPTION = "Events.Attributes[arrayLastIndex(n -> n = 'exception', Events.Name)]"
_TIME = "DateTime64(9, 'UTC')"
_MS = "DateTime64(3, 'UTC')"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. table: `spans` for llm_spans, `content` for llm_content, `both`."""

    name: str
    type: str
    sql: str
    table: str = "spans"


def _uint(field: str) -> str:
    text = value(field)
    return f"coalesce(toUInt64OrNull({text}), accurateCastOrNull(toFloat64OrNull({text}), 'UInt64'))"


def _float(field: str) -> str:
    return f"if(isFinite(toFloat64OrNull({value(field)}) AS {field}_f), {field}_f, NULL)"


def _list(field: str) -> str:
    text = value(field)
    return (
        f"arrayFilter(x -> x != '', multiIf({text} = '', [], startsWith({text}, '['), JSONExtract({text}, 'Array(String)'), "
        f"arrayMap(x -> trimBoth(x), splitByChar(',', {text}))))"
    )


def _provider() -> str:
    names = {alias: canonical for canonical, aliases in PROVIDERS.items() for alias in (canonical, *aliases)}
    table = f"{quoted(list(names))}, {quoted(list(names.values()))}, ''"
    whole = f"lower({value('provider')})"
    prefixes = [
        f"if(startsWith({whole}, {quoted(prefix)}), {quoted(name)}, '')" for prefix, name in PROVIDER_PREFIXES.items()
    ]
    return first_of(
        f"transform({whole}, {table})", *prefixes, f"transform(splitByChar('.', {whole})[1], {table})", whole
    )


def _kind_is(*kinds: str) -> str:
    return f"kind IN ({quoted(list(kinds))[1:-1]})"


def _metadata() -> str:
    prefix = f"^(?:{'|'.join(p.replace('.', '[.]') for p in METADATA_PREFIXES)})[.](.+)$"
    special = quoted(list(SPECIAL_METADATA))[1:-1]
    kept = f"(match(k, '{prefix}') AND k NOT IN ({special})) OR k IN ({quoted(list(REFERENCES))[1:-1]})"
    document = f"JSONExtractKeysAndValues({value('metadata_document')}, 'String')"
    members = (
        f"CAST((arrayMap(m -> m.1, {document}), arrayMap(m -> m.2, {document})), 'Map(LowCardinality(String), String)')"
    )
    keys = f"arrayMap(k -> replaceRegexpOne(k, '{prefix}', '\\\\1'), arrayFilter(k -> {kept}, mapKeys(SpanAttributes)))"
    values = f"arrayFilter((v, k) -> {kept}, mapValues(SpanAttributes), mapKeys(SpanAttributes))"
    return f"mapUpdate({members}, CAST(({keys}, {values}), 'Map(LowCardinality(String), String)'))"


def _documents() -> str:
    """SQL: Array(Tuple(id, content, score, metadata)) from the structured list, indexed attributes or vector database events."""
    raw = value("context_documents")
    type_ = "Array(Tuple(id String, content String, score String, metadata String, text String, page_content String))"
    strings = f"arrayMap(d -> ('', d, '', ''), JSONExtract({raw}, 'Array(String)'))"
    structured = f"arrayMap(d -> (d.id, {first_of('d.content', 'd.text', 'd.page_content')}, d.score, d.metadata), JSONExtract({raw}, '{type_}'))"
    return f"""multiIf({raw} != '', multiIf(startsWith({raw}, '["'), {strings}, startsWith({raw}, '[{{'), {structured}, [('', {raw}, '', '')]),
        notEmpty(item_groups), {indexed.documents("item_groups")}, {_event_documents()})"""


def _event_documents() -> str:
    item = (
        "(concat(a['db.query.result.id'], a['db.search.result.id']), concat(a['db.query.result.document'], a['db.search.result.entity']), "
        "concat(a['db.query.result.score'], a['db.search.result.score']), "
        "if(a['db.query.result.distance'] != '' OR a['db.search.result.distance'] != '', concat('{\"distance\":', "
        "a['db.query.result.distance'], a['db.search.result.distance'], '}'), a['db.query.result.metadata']))"
    )
    found = "arrayFilter((a, n) -> n IN ('db.query.result', 'db.search.result'), Events.Attributes, Events.Name)"
    return f"arrayMap(a -> {item}, {found})"


_DOCUMENT_JSON = (
    "concat('{\"id\":', toJSONString(d.1), ',\"content\":', toJSONString(d.2), ',\"score\":', "
    "if(toFloat64OrNull(d.3) IS NULL, 'null', d.3), ',\"metadata\":', if(isValidJSON(d.4), d.4, if(d.4 = '', '{}', toJSONString(d.4))), '}')"
)


def _ttft() -> str:
    first = f"arrayMin(arrayMap((t, n) -> if(n IN ({quoted(list(FIRST_CHUNK_EVENTS))[1:-1]}), toUnixTimestamp64Nano(t), 9223372036854775807), Events.Timestamp, Events.Name))"
    event = f"if(hasAny(Events.Name, {quoted(list(FIRST_CHUNK_EVENTS))}), ({first} - toUnixTimestamp64Nano(Timestamp)) / 1e6, NULL)"
    at = f"parseDateTime64BestEffortOrNull(trim(BOTH '\"' FROM {value('ttft_at')}), 9, 'UTC')"
    given = f"coalesce({_float('ttft_s')} * 1000, {_float('ttft_ms')}, if({value('ttft_at')} = '', NULL, dateDiff('microsecond', Timestamp, {at}) / 1000), {event})"
    return f"if({given} < 0 OR ({given} = 0 AND NOT ifNull(is_stream, false)), NULL, {given})"


def _is_stream() -> str:
    text = f"lower({value('is_stream')})"
    known = f"{text} IN ('true', 'false', '1', '0')"
    return f"multiIf({known}, {text} IN ('true', '1'), positionCaseInsensitive({value('aisdk_operation')}, 'stream') > 0, true, hasAny(Events.Name, {quoted(list(FIRST_CHUNK_EVENTS))}), true, NULL)"


def _columns() -> tuple[Column, ...]:
    service_known = "ServiceName != '' AND NOT startsWith(ServiceName, 'unknown_service')"
    cached = "ifNull(cache_read_tokens, 0) + ifNull(cache_write_tokens, 0)"
    explicit_total = _uint("total_tokens")
    given_input = _uint("input_tokens")
    exclusive = (
        f"{cached} > 0 AND {given_input} IS NOT NULL AND ({cached} > {given_input} OR "
        f"ifNull({explicit_total} = {given_input} + {cached} + ifNull(output_tokens, 0), false))"
    )
    known_output = value("tool_result")
    last_user = "arrayLast(m -> m.1 = 'user' AND m.2 != '', inputs).2"
    system = f"if({value('system_instructions')} != '', {messages.parts_text(value('system_instructions'))}, {messages.leading_system('inputs')})"
    message_reasons = "arrayFilter(r -> r != '', arrayMap(m -> m.6, outputs))"
    preview = lambda text: f"substringUTF8({text}, 1, {PREVIEW})"  # noqa: E731
    dialects = families()
    model_codes = f"arrayFirst(c -> transform(c, {list(dialects)}, {quoted(list(dialects.values()))}, '') != '', codes)"
    return (
        Column("project", LOW, "Project", "both"),
        Column("service", LOW, f"if({service_known}, ServiceName, {first_of(value('service_fallback'), 'toString(ServiceName)', quoted('unknown_service'))})"),
        Column("ts", _TIME, "Timestamp", "both"),
        Column("end_ts", _TIME, "addNanoseconds(Timestamp, least(Duration, 9000000000000000000))"),
        Column("duration_ms", "Float64", "Duration / 1e6"),
        Column("clock_skewed", "Bool", "ClockSkewed"),
        Column("trace_id", "String", "TraceId", "both"),
        Column("span_id", "String", "SpanId", "both"),
        Column("parent_span_id", "String", "ParentSpanId"),
        Column("name", "String", "SpanName"),
        Column("kind", LOW, "kind"),
        Column("operation", LOW, first_of(value("genai_operation"), value("aisdk_operation"), value("request_type"), value("traceloop_kind"))),
        Column("provider", LOW, _provider()),
        Column("request_model", LOW, first_of(value("request_model"), value("response_model"))),
        Column("response_model", LOW, first_of(value("response_model"), value("request_model"))),
        Column("model", LOW, first_of(value("response_model"), value("request_model"))),
        Column("response_id", "String", value("response_id")),
        Column("cache_read_tokens", "Nullable(UInt64)", _uint("cache_read_tokens")),
        Column("cache_write_tokens", "Nullable(UInt64)", _uint("cache_write_tokens")),
        Column("reasoning_tokens", "Nullable(UInt64)", _uint("reasoning_tokens")),
        Column("output_tokens", "Nullable(UInt64)", _uint("output_tokens")),
        Column("input_tokens", "Nullable(UInt64)", f"if({exclusive}, {given_input} + {cached}, {given_input})"),
        Column(
            "total_tokens", "Nullable(UInt64)",
            f"multiIf({explicit_total} IS NOT NULL, {explicit_total}, input_tokens IS NULL AND output_tokens IS NULL, NULL, "
            "ifNull(input_tokens, 0) + ifNull(output_tokens, 0))",
        ),
        Column("usage_is_aggregate", "Bool", _kind_is(*AGGREGATE_KINDS)),
        *(Column(name, "Nullable(Float64)", _float(name)) for name in ("cost_input", "cost_output", "cost_total", "temperature", "top_p", "top_k")),
        Column("max_tokens", "Nullable(UInt64)", _uint("max_tokens")),
        Column("frequency_penalty", "Nullable(Float64)", _float("frequency_penalty")),
        Column("presence_penalty", "Nullable(Float64)", _float("presence_penalty")),
        Column("seed", "Nullable(Int64)", f"toInt64OrNull({value('seed')})"),
        Column("stop", "Array(String)", _list("stop")),
        Column("choice_count", "Nullable(UInt32)", f"accurateCastOrNull({_uint('choice_count')}, 'UInt32')"),
        Column("finish_reason", f"Array({LOW})", f"if({value('finish_reason')} != '', arrayMap(r -> {finish('r')}, {_list('finish_reason')}), {message_reasons})"),
        Column("is_stream", "Nullable(Bool)", _is_stream()),
        Column("ttft_ms", "Nullable(Float64)", _ttft()),
        Column("session_id", "String", value("session_id")),
        Column("user_id", "String", value("user_id")),
        Column("prompt_name", LOW, value("prompt_name")),
        Column("prompt_version", LOW, value("prompt_version")),
        Column("environment", LOW, first_of(value("environment"), quoted("default"))),
        Column("service_version", LOW, value("service_version")),
        Column("release", LOW, value("release")),
        Column("tags", f"Array({LOW})", _list("tags")),
        Column("metadata", "Map(LowCardinality(String), String)", _metadata()),
        Column("feature", LOW, first_of(value("feature"), "metadata['feature']")),
        Column("experiment_id", LOW, first_of(value("experiment_id"), "metadata['experiment_id']")),
        Column("variant", LOW, first_of(value("variant"), "metadata['variant']")),
        Column("agent_name", LOW, value("agent_name")),
        Column("workflow_name", LOW, value("workflow_name")),
        Column("tool_name", LOW, value("tool_name")),
        Column("tool_call_id", "String", value("tool_call_id")),
        Column("status", LOW, f"multiIf(endsWith(upper(StatusCode), 'ERROR') OR upper({value('level')}) = 'ERROR', 'ERROR', endsWith(upper(StatusCode), 'OK'), 'OK', 'UNSET')"),
        Column("error_type", LOW, first_of(value("error_type"), f"{_EXCEPTION}['exception.type']", "if(status = 'ERROR', '_OTHER', '')")),
        Column("error_message", "String", first_of("StatusMessage", f"{_EXCEPTION}['exception.message']", value("error_message"))),
        Column("query_text", "Nullable(String)", f"nullIf(multiIf({value('query_text')} != '', {value('query_text')}, {_kind_is('retriever', 'reranker')}, {last_user}, ''), '')", "content"),
        Column("tool_arguments", "Nullable(String)", f"nullIf(multiIf({value('tool_arguments')} != '', {value('tool_arguments')}, {_kind_is('tool')}, {value('input_other')}, ''), '')", "content"),
        Column("tool_result", "Nullable(String)", f"nullIf(multiIf({known_output} != '', {known_output}, {_kind_is('tool')}, {value('output_other')}, ''), '')", "content"),
        Column("prompt_text", "Nullable(String)", f"nullIf(multiIf({_kind_is('tool')} AND isNotNull(tool_arguments), assumeNotNull(tool_arguments), {_kind_is('retriever', 'reranker')} AND isNotNull(query_text), assumeNotNull(query_text), {_kind_is('embedding')}, inputs[1].2, {last_user} != '', {last_user}, inputs[-1].2), '')", "content"),
        Column("response_text", "Nullable(String)", "nullIf(outputs[1].2, '')", "content"),
        Column("system_instructions", "Nullable(String)", f"nullIf({system}, '')", "content"),
        Column("input_messages", "Nullable(String)", f"if(empty(inputs), NULL, {messages.json('inputs')})", "content"),
        Column("output_messages", "Nullable(String)", f"if(empty(outputs), NULL, {messages.json('outputs')})", "content"),
        Column("documents", "Array(Tuple(id String, content String, score String, metadata String))", _documents(), "none"),
        Column("context_documents", "Nullable(String)", f"if(empty(documents), NULL, concat('[', arrayStringConcat(arrayMap(d -> {_DOCUMENT_JSON}, documents), ','), ']'))", "content"),
        Column("context_text", "Nullable(String)", "nullIf(arrayStringConcat(arrayFilter(x -> x != '', arrayMap(d -> d.2, documents)), '\\n\\n'), '')", "content"),
        Column("tool_definitions", "Nullable(String)", f"nullIf({first_of(value('tool_definitions'), indexed.tools('item_groups'))}, '')", "content"),
        Column("prompt_template", "Nullable(String)", f"nullIf({value('prompt_template')}, '')", "content"),
        Column("prompt_variables", "Nullable(String)", f"nullIf({value('prompt_variables')}, '')", "content"),
        Column("prompt_preview", "String", preview("ifNull(prompt_text, '')")),
        Column("response_preview", "String", preview("ifNull(response_text, '')")),
        Column("prompt_length", "UInt32", "lengthUTF8(ifNull(prompt_text, ''))"),
        Column("response_length", "UInt32", "lengthUTF8(ifNull(response_text, ''))"),
        Column("context_length", "UInt32", "lengthUTF8(ifNull(context_text, ''))"),
        Column("content_redacted", "Bool", f"has(mapValues(SpanAttributes), '{REDACTED}')"),
        Column("dialect", LOW, f"if(notEmpty(item_groups), {_indexed_family()}, transform({model_codes}, {list(dialects)}, {quoted(list(dialects.values()))}, ''))"),
        Column("batch", "String", "Batch"),
        Column("received_at", _MS, "ReceivedAt"),
        Column("ingested_at", _MS, "now64(3, 'UTC')", "both"),
    )  # fmt: skip


def _indexed_family() -> str:
    from leewatch.semconv.mapping import INDEXED

    listed = [family for _, family in INDEXED.values()]
    return f"arrayElement({quoted(listed)}, intDiv(item_groups[1][1].1, {indexed.SLOTS}))"


COLUMNS = _columns()
assert NUMBERS
