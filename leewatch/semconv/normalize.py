"""The steps that turn rows of `otel_traces` into normalized LLM spans, generated from the mapping table.

Each step is a table that stores nothing and a view that fills it from the step before. One SELECT with subqueries would compute
the same, but the database would need seconds to analyze it, at each insert.
"""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leewatch.semconv import anyvalue, indexed, messages, plain
from leewatch.semconv.columns import COLUMNS, STAGES
from leewatch.semconv.indexed import GROUPS_TYPE
from leewatch.semconv.kinds import (
    KIND_RULES,
    LANGFUSE_LLM_KEYS,
    VECTOR_DATABASES,
    VECTOR_OPERATIONS,
    VECTOR_READS,
)
from leewatch.semconv.lookup import NO_KEYS, RESOURCE, SCOPE, SPAN, STEP, OwnKeys, codes, value
from leewatch.semconv.messages import first_of, quoted


def _codes_of(keys: str, layer: dict[str, int]) -> str:
    """SQL: Array(UInt16) of the codes of keys, 0 for those that the mapping does not know; worked out once per distinct key."""
    return f"arrayMap(k -> toUInt16(transform(k, {quoted(list(layer))}, {list(layer.values())}, 0)), {keys})"


def _is_kept(code: str, text: str) -> str:
    return f"{code} > 0 AND {text} != '' AND {text} != '[]' AND {text} != '{{}}'"


def _pairs(keys: str, values: str, layers: list[dict[str, int]]) -> list[str]:
    """SQL: one Array(Tuple(code UInt16, value String)) per layer, of the keys that the mapping knows."""
    return [
        f"arrayFilter(p -> {_is_kept('p.1', 'p.2')}, arrayZip({_codes_of(keys, layer)}, {values}))" for layer in layers
    ]


def _member_pairs(own: OwnKeys) -> list[str]:
    documents = sorted({key.split(":")[0] for layer in codes(SPAN, "member", own) for key in layer})
    members = (
        "arrayFlatten(arrayMap((k, v) -> arrayMap(m -> (concat(k, ':', m.1), m.2), JSONExtractKeysAndValues(v, 'String')), "
        "arrayFilter((k, v) -> k IN D AND startsWith(v, '{'), mapKeys(SpanAttributes), mapValues(SpanAttributes)), "
        "arrayFilter((v, k) -> k IN D AND startsWith(v, '{'), mapValues(SpanAttributes), mapKeys(SpanAttributes))))"
    ).replace("IN D", f"IN ({quoted(documents)[1:-1]})")
    return _pairs(f"arrayMap(m -> m.1, {members})", f"arrayMap(m -> m.2, {members})", codes(SPAN, "member", own))


def _event_pairs(own: OwnKeys) -> list[str]:
    layers = codes(SPAN, "event", own)
    events = sorted({key.split("/")[0] for layer in layers for key in layer})
    pairs = (
        "arrayFlatten(arrayMap((n, a) -> arrayMap((k, v) -> (concat(n, '/', k), v), mapKeys(a), mapValues(a)), "
        f"arrayFilter(n -> n IN ({quoted(events)[1:-1]}), Events.Name), "
        f"arrayFilter((a, n) -> n IN ({quoted(events)[1:-1]}), Events.Attributes, Events.Name)))"
    )
    return _pairs(f"arrayMap(m -> m.1, {pairs})", f"arrayMap(m -> m.2, {pairs})", layers)


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
    # Instrumentations of 2024 named neither operation nor model in some spans; provider and content or usage tell them.
    content = " OR ".join(
        f"{value(field)} != ''" for field in ("input_structured", "input_tokens", "output_structured")
    )
    exchange = f"({value('provider')} != '' AND ({content}))"
    langfuse, openinference, genai, traceloop, request_type = ruled
    return first_of(
        langfuse, langfuse_llm, openinference, genai, unknown_operation, traceloop, request_type, aisdk, tool, guard,
        f"if({is_vector}, {vector}, '')", f"if({has_model} OR {exchange}, 'llm', 'other')",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """A table without storage: its own columns (name, type, SQL over the source), those it passes on, and a filter.

    Two steps of one name are two ways to fill one table. constants: (name, SQL) that the SQL of the columns may use.
    """

    name: str
    source: str
    computed: tuple[tuple[str, str, str], ...]
    passed: tuple[tuple[str, str], ...]
    where: str = ""
    constants: tuple[tuple[str, str], ...] = ()

    @property
    def view(self) -> str:
        """Name of the view that fills the table from the source."""
        return f"{self.name}_plain_mv" if self.constants else f"{self.name}_mv"

    @property
    def columns(self) -> str:
        """Column list for CREATE TABLE."""
        named = [(name, type_) for name, type_, _ in self.computed]
        return ", ".join(f"`{name}` {type_}" for name, type_ in [*self.passed, *named])

    def select(self, where: str = "") -> str:
        """SELECT that fills the step."""
        items = [f"`{name}`" for name, _ in self.passed] + [f"{sql} AS `{name}`" for name, _, sql in self.computed]
        conditions = [condition for condition in (self.where, where) if condition]
        filtered = f"\nWHERE {' AND '.join(conditions)}" if conditions else ""
        known = ", ".join(f"{sql} AS `{name}`" for name, sql in self.constants)
        return (
            f"{f'WITH {known} ' if known else ''}SELECT\n    "
            + ",\n    ".join(items)
            + f"\nFROM {self.source}{filtered}"
        )


_MAP = "Map(LowCardinality(String), String)"
_BASE = (
    ("Project", "LowCardinality(String)"), ("Timestamp", "DateTime64(9)"), ("TraceId", "String"), ("SpanId", "String"),
    ("ParentSpanId", "String"), ("SpanName", "LowCardinality(String)"), ("ServiceName", "LowCardinality(String)"),
    ("SpanAttributes", _MAP), ("Duration", "UInt64"), ("StatusCode", "LowCardinality(String)"), ("StatusMessage", "String"),
    ("Events.Timestamp", "Array(DateTime64(9))"), ("Events.Name", "Array(LowCardinality(String))"), ("Events.Attributes", f"Array({_MAP})"),
    ("Batch", "String"), ("ReceivedAt", "DateTime64(3, 'UTC')"), ("ClockSkewed", "Bool"),
)  # fmt: skip
EVERYTHING, SPANS_ONLY, CONTENT_ONLY = 0, 1, 2
"""`part`: which tables the rows are for. Materialized views fill both, a repair one."""


def _chosen(number: int) -> str:
    """SQL: parsed messages, else indexed ones; tool calls that the AI SDK names apart join the answer."""
    found = f"if(notEmpty(parsed[{number}]), parsed[{number}], indexed[{number}])"
    calls = value("output_tool_calls")
    if number == 1:
        return found
    answer = f"('assistant', {found}[1].2, {messages.calls_from_json(calls)}, '', '', '', '')"
    joined = f"arrayConcat(CAST([{answer}], '{messages.MESSAGE_TYPE}'), arraySlice({found}, 2))"
    return f"if({calls} = '', {found}, {joined})"


def _else_events(field: str, outputs: bool) -> str:
    """SQL: the field, else what a list of messages of both directions holds."""
    return first_of(value(field), messages.from_events(value("message_events"), outputs))


def _no_answer() -> str:
    """SQL: whether the output is no text: vectors, or documents."""
    structured = f"match({value('output_other')}, '^[\\[{{]')"
    return f"kind = 'embedding' OR (kind IN ('retriever', 'reranker') AND {structured})"


_ATTRIBUTES = ("mapKeys(SpanAttributes)", "mapValues(SpanAttributes)")


def pairs_select(source: str, own: OwnKeys = NO_KEYS) -> str:
    """SELECT from `source` of the columns of the first step and `pairs`, (code, value) of every key that the mapping knows."""
    first, *rest = codes(SPAN, own=own)
    pairs = [*_pairs(*_ATTRIBUTES, [first]), *_other_pairs(rest, own)]
    column = ("pairs", "Array(Tuple(UInt16, String))", f"arraySort(p -> p.1, arrayConcat({', '.join(pairs)}))")
    return Step("pairs", source, (column,), _BASE).select()


def _other_pairs(rest: list[dict[str, int]], own: OwnKeys) -> list[str]:
    """SQL: pairs of all but the first codes of the span's attributes: of keys that fill a second field, JSON members, events, scope, resource."""
    return [
        *_pairs(*_ATTRIBUTES, rest),
        *_member_pairs(own),
        *_event_pairs(own),
        *_pairs("mapKeys(ScopeAttributes)", "mapValues(ScopeAttributes)", codes(SCOPE, own=own)),
        *_pairs("mapKeys(ResourceAttributes)", "mapValues(ResourceAttributes)", codes(RESOURCE, own=own)),
    ]


def steps(part: int = EVERYTHING, own: OwnKeys = NO_KEYS, source: str = "otel_traces") -> tuple[Step, ...]:
    """All steps in order; the first reads `source`, the last holds the columns of llm_spans and llm_content."""
    # Codes and texts stay apart: as pairs, every text would be copied at each of the first steps.
    keys, values = _ATTRIBUTES
    most, *rest = codes(SPAN, own=own)
    base = (*_BASE, ("part", "UInt8"))
    found = (*base, ("codes", "Array(UInt16)"), ("fields", "Map(UInt8, String)"), ("kind", "String"))
    grouped = (*found, ("item_groups", GROUPS_TYPE))
    entries = indexed.entries(keys, values)
    default = "if(o, 'assistant', 'user')"
    both = "[input_text, output_text], [false, true]"
    simple = f"arrayMap((t, o) -> {messages.simple_json('t', default)}, {both})"
    parsed = f"arrayMap((t, o, s) -> {messages.from_json('t', default, 's')}, {both}, simple)"
    found_texts = (
        *(("input_items", GROUPS_TYPE), ("output_items", GROUPS_TYPE)),
        *(("input_text", "String"), ("output_text", "String")),
    )
    listed = f"Array({messages.MESSAGE_TYPE})"
    return (
        Step(
            "llm_step_codes",
            source,
            (
                ("part", "UInt8", str(part)),
                ("attribute_codes", "Array(UInt16)", _codes_of(keys, most)),
                ("others", "Array(Tuple(UInt16, String))", f"arrayConcat({', '.join(_other_pairs(rest, own))})"),
                ("special", "UInt8", plain.special()),
            ),
            _BASE,
        ),
        Step(
            "llm_step_kept",
            "llm_step_codes",
            (
                (
                    "kept_codes",
                    "Array(UInt16)",
                    f"arrayConcat(arrayFilter((c, v) -> {_is_kept('c', 'v')}, attribute_codes, {values}), others.1)",
                ),
                (
                    "kept_texts",
                    "Array(String)",
                    f"arrayConcat(arrayFilter((v, c) -> {_is_kept('c', 'v')}, {values}, attribute_codes), others.2)",
                ),
            ),
            (*base, ("special", "UInt8")),
        ),
        Step(
            "llm_step_fields",
            "llm_step_kept",
            (
                ("codes", "Array(UInt16)", "arraySort(kept_codes)"),
                (
                    "fields",
                    "Map(UInt8, String)",
                    f"CAST((arrayMap(c -> toUInt8(intDiv(c, {STEP})), arraySort(kept_codes)), "
                    "arraySort((v, c) -> c, kept_texts, kept_codes)), 'Map(UInt8, String)')",
                ),
                ("narrow", "UInt8", plain.narrow("kept_codes", "kept_texts")),
            ),
            base,
        ),
        Step("llm_step_asked", "llm_step_fields", plain.texts(), found[:-1]),
        Step("llm_step_chats", "llm_step_asked", plain.lists(), (*found[:-1], *plain.TEXTS)),
        *_column_steps("llm_step_chats", found[:-1], plain.IS_PLAIN, short=True),
        Step(
            "llm_step_long",
            "llm_step_chats",
            (("raw_fields", "Map(UInt8, String)", "fields"),),
            found[:-2],
            f"NOT {plain.IS_PLAIN}",
        ),
        Step(
            "llm_step_plain_values",
            "llm_step_long",
            (
                (
                    "fields",
                    "Map(UInt8, String)",
                    f"CAST((mapKeys(raw_fields), arrayMap(v -> {anyvalue.plain('v')}, mapValues(raw_fields))), 'Map(UInt8, String)')",
                ),
            ),
            found[:-2],
        ),
        Step(
            "llm_step_kinds",
            "llm_step_plain_values",
            (("kind", "String", _kind()),),
            found[:-1],
            f"kind != 'other' AND {value('span_type')} != 'pending_span'",
        ),
        Step("llm_step_groups", "llm_step_kinds", (("item_groups", GROUPS_TYPE, indexed.groups(entries)),), found),
        Step(
            "llm_step_texts",
            "llm_step_groups",
            (
                ("input_items", GROUPS_TYPE, indexed.winning("item_groups", "input", "embedding")),
                ("output_items", GROUPS_TYPE, indexed.winning("item_groups", "output")),
                (
                    "input_text",
                    "String",
                    first_of(
                        value("input_structured"),
                        f"if(notEmpty(input_items), '', {_else_events('input_other', False)})",
                    ),
                ),
                (
                    "output_text",
                    "String",
                    first_of(
                        value("output_structured"),
                        f"if(notEmpty(output_items) OR {_no_answer()}, '', {_else_events('output_other', True)})",
                    ),
                ),
            ),
            grouped,
        ),
        Step("llm_step_simple", "llm_step_texts", (("simple", listed, simple),), (*grouped, *found_texts)),
        Step(
            "llm_step_messages",
            "llm_step_simple",
            (
                ("parsed", listed, parsed),
                (
                    "indexed",
                    listed,
                    indexed.messages("[input_items, output_items]", "['user', 'assistant']"),
                ),
            ),
            grouped,
        ),
        Step(
            "llm_step_inputs",
            "llm_step_messages",
            tuple((name, messages.MESSAGE_TYPE, _chosen(i)) for i, name in ((1, "inputs"), (2, "outputs"))),
            grouped,
        ),
        *_column_steps("llm_step_inputs", grouped),
    )


def _column_steps(
    source: str, passed: tuple[tuple[str, str], ...], where: str = "", short: bool = False
) -> Iterator[Step]:
    """The steps that compute the columns, stage by stage. passed: what each hands on; short: for plain chats, which `where` selects."""
    passed = (*passed, *((name, messages.MESSAGE_TYPE) for name in ("inputs", "outputs")))
    columns = plain.columns() if short else COLUMNS
    constants = plain.CONSTANTS if short else {}
    for stage in range(STAGES):
        last = stage == STAGES - 1
        computed = tuple((column.name, column.type, column.sql) for column in columns if column.stage == stage)
        ready = tuple((column.name, column.type) for column in columns if column.stage < stage)
        name = "llm_records" if last else f"llm_step_{'plain' if short else 'columns'}_{stage + 1}"
        kept = (("part", "UInt8"), *ready) if last else (*passed, *ready)
        own = {column for column, _, _ in computed}
        used = tuple((constant, sql) for constant, sql in constants.items() if constant not in own)
        yield Step(name, source, computed, kept, "" if stage else where, used)
        source = name
