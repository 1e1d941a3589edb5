"""SQL of the columns that take more than a look-up: numbers, provider, metadata, documents, time to first token."""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from collections.abc import Iterable

from leewatch.semconv import indexed, messages
from leewatch.semconv.lookup import families, value
from leewatch.semconv.mapping import SPECIAL_METADATA
from leewatch.semconv.messages import first_of, quoted
from leewatch.semconv.vocabulary import (
    FIRST_CHUNK_EVENTS,
    FRAMEWORKS,
    INDEXED,
    METADATA_PREFIXES,
    PROVIDER_PREFIXES,
    PROVIDERS,
    REFERENCES,
)

DOCUMENTS_TYPE = "Array(Tuple(id String, content String, score String, metadata String))"
LAST_USER = "arrayLast(m -> m.1 = 'user' AND m.2 != '' AND m.4 = '', inputs).2"
EXCEPTION = "Events.Attributes[arrayLastIndex(n -> n = 'exception', Events.Name)]"
MAP_TYPE = "Map(LowCardinality(String), String)"
_NEVER = 9_223_372_036_854_775_807


def members(values: Iterable[str]) -> str:
    """SQL list for IN, without parentheses."""
    return quoted(list(values))[1:-1]


def kind_is(*kinds: str) -> str:
    """SQL: whether the span is of one of these kinds."""
    return f"kind IN ({members(kinds)})"


def uint(field: str) -> str:
    """SQL: a count; NULL when it is none."""
    text = value(field)
    return f"coalesce(toUInt64OrNull({text}), accurateCastOrNull(toFloat64OrNull({text}), 'UInt64'))"


def number(field: str) -> str:
    """SQL: a finite number, else NULL."""
    return f"arrayMap(x -> if(isFinite(x), x, NULL), [toFloat64OrNull({value(field)})])[1]"


def listed(field: str) -> str:
    """SQL: Array(String) of a JSON list or of texts separated by commas."""
    text = value(field)
    return (
        f"arrayFilter(x -> x != '', multiIf({text} = '', [], startsWith({text}, '['), "
        f"JSONExtract({text}, 'Array(String)'), arrayMap(x -> trimBoth(x), splitByChar(',', {text}))))"
    )


BUCKETS_TYPE = "Array(Tuple(String, UInt64))"
_DETAILS = {
    "cache_read_tokens": (
        ("prompt_tokens_details", "cached_tokens"), ("input_tokens_details", "cached_tokens"), ("cache_read_input_tokens",),
    ),
    "cache_write_tokens": (("cache_creation_input_tokens",),),
    "reasoning_tokens": (("completion_tokens_details", "reasoning_tokens"), ("output_tokens_details", "reasoning_tokens")),
    "input_tokens": (("prompt_tokens",), ("input_tokens",)),
    "output_tokens": (("completion_tokens",), ("output_tokens",)),
}  # fmt: skip
"""Members of the usage document."""
_PROVIDER_DETAILS = {
    "cache_read_tokens": (
        ("openai", "cachedPromptTokens"), ("anthropic", "usage", "cache_read_input_tokens"), ("bedrock", "usage", "cacheReadInputTokens"),
    ),
    "cache_write_tokens": (
        ("anthropic", "usage", "cache_creation_input_tokens"), ("bedrock", "usage", "cacheWriteInputTokens"),
    ),
    "reasoning_tokens": (("openai", "reasoningTokens"),),
}  # fmt: skip
"""Members of the AI SDK's provider metadata."""


def usage_buckets() -> str:
    """SQL: the numbers of Langfuse's usage document when they are disjoint: its `total` is the sum of all the others."""
    document = value("usage_document")
    total, others = "arrayFirst(b -> b.1 = 'total', bs).2", "arraySum(b -> b.2, arrayFilter(b -> b.1 != 'total', bs))"
    numbers = f"arrayMap(bs -> if({total} > 0 AND {total} = {others}, bs, []), [JSONExtractKeysAndValues({document}, 'UInt64')])[1]"
    return f"if({document} = '', [], {numbers})"


def _extra(side: str, cached: tuple[str, ...] = ()) -> str:
    """SQL: sum of the disjoint buckets of a side besides the plain one."""
    own = f"startsWith(b.1, '{side}_') AND b.1 != '{side}_tokens'"
    known = f"({own}) OR b.1 IN ({members(cached)})" if cached else own
    return f"if(empty(usage_buckets), 0, arraySum(b -> if({known}, b.2, 0), usage_buckets))"


def tokens(field: str) -> str:
    """SQL: a count of tokens by its keys, else from the usage document or the provider's metadata."""
    found = [uint(field)]
    for source, paths in (("usage_document", _DETAILS), ("provider_metadata", _PROVIDER_DETAILS)):
        documents = ", ".join(
            f"JSONExtract({value(source)}, {members(path)}, 'Nullable(UInt64)')" for path in paths.get(field, ())
        )
        if documents:
            found.append(f"if({value(source)} = '', NULL, coalesce({documents}))")
    return f"coalesce({', '.join(found)})"


def output_tokens() -> str:
    """SQL: completion tokens including reasoning."""
    return f"{tokens('output_tokens')} + {_extra('output')}"


def input_tokens() -> str:
    """SQL: prompt tokens including cached ones. Some senders leave those out: the sums give them away."""
    cached = "ifNull(cache_read_tokens, 0) + ifNull(cache_write_tokens, 0)"
    given = (
        f"({tokens('input_tokens')} + {_extra('input', ('cache_read_input_tokens', 'cache_creation_input_tokens'))})"
    )
    total = uint("total_tokens")
    sums = f"ifNull({total} = {given} + {cached} + ifNull(output_tokens, 0), false)"
    excluded = f"{cached} > 0 AND {given} IS NOT NULL AND ({cached} > {given} OR {sums})"
    return f"if({excluded}, {given} + {cached}, {given})"


def total_tokens() -> str:
    """SQL: the total as sent, else input and output together, else NULL."""
    summed = (
        "if(input_tokens IS NULL AND output_tokens IS NULL, NULL, ifNull(input_tokens, 0) + ifNull(output_tokens, 0))"
    )
    return f"coalesce({uint('total_tokens')}, {summed})"


def service() -> str:
    """SQL: the resource's service name unless it is a placeholder of the SDK."""
    known = "ServiceName != '' AND NOT startsWith(ServiceName, 'unknown_service')"
    other = first_of(value("service_fallback"), "toString(ServiceName)", quoted("unknown_service"))
    return f"if({known}, ServiceName, {other})"


def provider_sent() -> str:
    """SQL: the provider as sent, lower case; of a framework, the system it names."""
    framework = f"{value('provider_system')} != '' AND lower({value('provider')}) IN ({members(FRAMEWORKS)})"
    return f"lower(if({framework}, {value('provider_system')}, {value('provider')}))"


def provider() -> str:
    """SQL: canonical provider: by whole name, by prefix, by the part before the first dot, else lower case as sent."""
    names = {alias: canonical for canonical, aliases in PROVIDERS.items() for alias in (canonical, *aliases)}
    table = f"{quoted(list(names))}, {quoted(list(names.values()))}, ''"
    prefixed = [
        f"if(startsWith(provider_sent, {quoted(start)}), {quoted(name)}, '')"
        for start, name in PROVIDER_PREFIXES.items()
    ]
    return first_of(
        f"transform(provider_sent, {table})",
        *prefixed,
        f"transform(splitByChar('.', provider_sent)[1], {table})",
        "provider_sent",
    )


def finish_reasons() -> str:
    """SQL: canonical reasons as sent for the span, else those of its output messages."""
    of_messages = "arrayFilter(r -> r != '', arrayMap(m -> m.6, outputs))"
    of_span = f"arrayMap(r -> {messages.finish('r')}, {listed('finish_reason')})"
    return f"if({value('finish_reason')} != '', {of_span}, {of_messages})"


def is_stream() -> str:
    """SQL: as sent, else true when the operation or an event of a first chunk says so, else NULL."""
    text = f"lower({value('is_stream')})"
    return (
        f"multiIf({text} IN ('true', '1'), true, {text} IN ('false', '0'), false, "
        f"positionCaseInsensitive({value('aisdk_operation')}, 'stream') > 0, true, "
        f"{value('ttft_at')} != '' OR hasAny(Events.Name, {quoted(list(FIRST_CHUNK_EVENTS))}), true, NULL)"
    )


def ttft_ms() -> str:
    """SQL: milliseconds to the first token; 0 on a span that is not streamed means that it was not measured."""
    chunk = f"n IN ({members(FIRST_CHUNK_EVENTS)})"
    first = (
        f"arrayMin(arrayMap((t, n) -> if({chunk}, toUnixTimestamp64Nano(t), {_NEVER}), Events.Timestamp, Events.Name))"
    )
    by_event = f"if(hasAny(Events.Name, {quoted(list(FIRST_CHUNK_EVENTS))}), ({first} - toUnixTimestamp64Nano(Timestamp)) / 1e6, NULL)"
    moment = f"parseDateTime64BestEffortOrNull(trim(BOTH '\"' FROM {value('ttft_at')}), 9, 'UTC')"
    by_moment = f"if({value('ttft_at')} = '', NULL, dateDiff('microsecond', Timestamp, {moment}) / 1000)"
    given = f"coalesce({number('ttft_s')} * 1000, {number('ttft_ms')}, {by_moment}, {by_event})"
    return f"arrayMap(x -> if(x < 0 OR (x = 0 AND NOT ifNull(is_stream, false)), NULL, x), [{given}])[1]"


def metadata() -> str:
    """SQL: metadata documents and keys under the metadata prefixes, as one map."""
    prefix = f"^(?:{'|'.join(p.replace('.', '[.]') for p in METADATA_PREFIXES)})[.](.+)$"
    own = f"match(k, '{prefix}') AND k NOT IN ({members(SPECIAL_METADATA)})"
    kept = f"({own}) OR k IN ({members(REFERENCES)})"
    found = f"arrayMap(ms -> CAST((ms.1, ms.2), '{MAP_TYPE}'), [JSONExtractKeysAndValues({value('metadata_document')}, 'String')])[1]"
    keys = f"arrayMap(k -> replaceRegexpOne(k, '{prefix}', '\\\\1'), arrayFilter(k -> {kept}, mapKeys(SpanAttributes)))"
    plain = "if(startsWith(k, 'langfuse.') AND startsWith(v, '\"'), JSONExtractString(v), v)"
    kept_values, kept_keys = (
        f"arrayFilter((v, k) -> {kept}, {which}(SpanAttributes), mapKeys(SpanAttributes))"
        for which in ("mapValues", "mapKeys")
    )
    values = f"arrayMap((v, k) -> {plain}, {kept_values}, {kept_keys})"
    return f"mapUpdate({found}, CAST(({keys}, {values}), '{MAP_TYPE}'))"


def documents() -> str:
    """SQL: retrieved documents of the structured list, indexed attributes or vector database events; else a retriever's output."""
    found = f"arrayConcat({indexed.documents('item_groups')}, {_event_documents()})"
    given, output = value("context_documents"), value("output_other")
    listed = f"multiIf(startsWith({output}, '['), {output}, startsWith({output}, '{{'), JSONExtractRaw({output}, 'documents'), '')"
    raw = f"multiIf({given} != '', {given}, kind = 'retriever' AND {output} != '', {listed}, '')"
    return f"arrayMap((raw, ds) -> multiIf({given} != '', {_shaped('raw')}, notEmpty(ds) OR raw = '', ds, {_shaped('raw')}), [{raw}], [{found}])[1]"


def _shaped(raw: str) -> str:
    type_ = "Array(Tuple(id String, content String, score String, metadata String, text String, page_content String, pageContent String))"
    strings = f"arrayMap(d -> ('', d, '', ''), JSONExtract({raw}, 'Array(String)'))"
    document = f"(d.id, {first_of('d.content', 'd.text', 'd.page_content', 'd.pageContent')}, d.score, d.metadata)"
    structured = f"arrayMap(d -> {document}, JSONExtract({raw}, '{type_}'))"
    return (
        f"multiIf(startsWith({raw}, '[\"'), {strings}, startsWith({raw}, '[{{'), {structured}, [('', {raw}, '', '')])"
    )


def documents_json() -> str:
    """SQL: JSON list of the column `documents`, NULL when there are none."""
    score = "if(toFloat64OrNull(d.3) IS NULL, 'null', d.3)"
    free = "multiIf(d.4 = '', '{}', isValidJSON(d.4), d.4, toJSONString(d.4))"
    document = (
        "concat('{\"id\":', toJSONString(d.1), ',\"content\":', toJSONString(d.2), "
        f"',\"score\":', {score}, ',\"metadata\":', {free}, '}}')"
    )
    return f"if(empty(documents), NULL, concat('[', arrayStringConcat(arrayMap(d -> {document}, documents), ','), ']'))"


def _event_documents() -> str:
    both = {
        name: f"concat(a['db.query.result.{name}'], a['db.search.result.{name}'])"
        for name in ("id", "score", "distance")
    }
    content = "concat(a['db.query.result.document'], a['db.search.result.entity'])"
    distance = f"if({both['distance']} != '', concat('{{\"distance\":', {both['distance']}, '}}'), a['db.query.result.metadata'])"
    found = "arrayFilter((a, n) -> n IN ('db.query.result', 'db.search.result'), Events.Attributes, Events.Name)"
    return f"arrayMap(a -> ({both['id']}, {content}, {both['score']}, {distance}), {found})"


def dialect() -> str:
    """SQL: family of the indexed lists, else of the model or the messages."""
    names = families()
    table = f"{list(names)}, {quoted(list(names.values()))}, ''"
    winner = f"arrayFirst(c -> transform(c, {table}) != '', codes)"
    of_list = f"arrayElement({quoted([family for _, family in INDEXED.values()])}, intDiv(item_groups[1][1].1, {indexed.SLOTS}))"
    return f"if(notEmpty(item_groups), {of_list}, transform({winner}, {table}))"


def prompt_text() -> str:
    """SQL: last user message; what was asked of a retriever, reranker or tool; the first text to embed."""
    return (
        f"multiIf({kind_is('tool')} AND tool_arguments IS NOT NULL, assumeNotNull(tool_arguments), "
        f"{kind_is('retriever', 'reranker')} AND query_text IS NOT NULL, assumeNotNull(query_text), "
        f"{kind_is('embedding')}, inputs[1].2, last_user != '', last_user, inputs[-1].2)"
    )


def else_for(field: str, kinds: tuple[str, ...], other: str) -> str:
    """SQL: the field, for spans of these kinds else the other value."""
    return first_of(value(field), f"if({kind_is(*kinds)}, {other}, '')")


def tool_output() -> str:
    """SQL: the output of a tool's span; of LangChain's messages, their content."""
    output = value("output_other")
    contents = (
        f"JSONExtractString({output}, {path})" for path in ("'data', 'content'", "'output', 'kwargs', 'content'")
    )
    return f"if(startsWith({output}, '{{'), {first_of(*contents, output)}, {output})"


def system_instructions() -> str:
    """SQL: as sent, else the leading system messages."""
    given = value("system_instructions")
    return f"if({given} != '', {messages.parts_text(given)}, {messages.leading_system('inputs')})"
