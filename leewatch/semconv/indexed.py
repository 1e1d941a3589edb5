"""SQL that rebuilds lists flattened into `prefix.N.rest` attributes, in numeric order of N."""

# ruff: noqa: E501 - SQL is generated here from constants, and reads better unbroken

from __future__ import annotations

from leewatch.semconv.messages import MESSAGE_TYPE, finish, quoted, role
from leewatch.semconv.vocabulary import INDEXED

GROUPS_TYPE = "Array(Array(Tuple(UInt32, UInt8, UInt32, String)))"
"""Entries of a list, one array per item: (group, leaf, item, value)."""
SLOTS = 1_000_000
"""Spacing of group numbers: group = prefix number * SLOTS + N."""
MAX_ITEMS = 10_000
"""Items of one list that are rebuilt."""

_PREFIX = f"^({'|'.join(prefix.replace('.', '[.]') for prefix in INDEXED)})[.](\\\\d{{1,5}})[.](.+)$"
_NESTED = (
    "^(?:message[.])?(contents|tool_calls)[.](\\\\d{1,4})[.](?:tool_call[.]|message_content[.])?(?:function[.])?(.+)$"
)

_LEAVES = {
    "role": 1, "message.role": 1,
    "content": 2, "message.content": 2, "prompt.text": 2, "completion.text": 2, "embedding.text": 2,
    "document.content": 2, "refusal": 2,
    "tool_call_id": 3, "message.tool_call_id": 3, "document.id": 3,
    "name": 4, "message.name": 4, "document.score": 4,
    "finish_reason": 5, "document.metadata": 5,
    "message.function_call_name": 6, "message.function_call_arguments_json": 7, "function_call.name": 6, "function_call.arguments": 7,
    "tool.json_schema": 8, "description": 9, "parameters": 10,
    "tool_calls#id": 11, "tool_calls#name": 12, "tool_calls#arguments": 13,
    "contents#type": 14, "contents#text": 15, "contents#image.image.url": 16,
}  # fmt: skip
"""What follows `prefix.N.`, nested numbers left out -> leaf number."""


def prefixes(what: str) -> list[int]:
    """Numbers of the prefixes that list this (input, output, documents, ...), the winning one first."""
    return [number for number, (listed, _) in enumerate(INDEXED.values(), 1) if listed == what]


def entries(keys: str, values: str) -> str:
    """SQL: Array(Tuple(group UInt32, leaf UInt8, item UInt32, value String)) of the indexed keys, sorted by group.

    Everything about a key is worked out once per distinct key of a block (LowCardinality), not per span.
    """
    prefix = "replaceRegexpOne(k, '[.][0-9]+[.].*$', '')"
    number = f"transform({prefix}, {quoted(list(INDEXED))}, {list(range(1, len(INDEXED) + 1))}, 0)"
    index = "toUInt32OrZero(extract(k, '[.]([0-9]+)[.]'))"
    whole = f"substring(k, length({prefix}) + length(extract(k, '[.][0-9]+[.]')) + 1)"
    rest = f"if(match({whole}, '[.][0-9]'), replaceRegexpOne({whole}, '{_NESTED}', '\\\\1#\\\\3'), {whole})"
    leaf = f"transform({rest}, {quoted(list(_LEAVES))}, {list(_LEAVES.values())}, 0)"
    item = f"toUInt32OrZero(extract({whole}, '[.]([0-9]+)[.]'))"
    group = f"toUInt32({number} * {SLOTS} + {index})"
    known = f"match(k, '{_PREFIX}')"
    keys, values = f"arrayFilter(k -> {known}, {keys})", f"arrayFilter((v, k) -> {known}, {values}, {keys})"
    return (
        f"arraySort(e -> e.1, arrayFilter(e -> e.1 > 0 AND e.2 > 0 AND e.1 % {SLOTS} < {MAX_ITEMS}, arrayMap((k, v) -> "
        f"(assumeNotNull({group}), toUInt8({leaf}), {item}, v), {keys}, {values})))"
    )


def groups(entries_: str) -> str:
    """SQL: the entries split into one array per item of a list."""
    split = "if(empty(es), [], arraySplit((e, d) -> d != 0, es, arrayDifference(arrayMap(e -> e.1, es))))"
    return f"arrayMap(es -> {split}, [{entries_}])[1]"


def winning(groups_: str, *kinds: str) -> str:
    """SQL: the groups of the first prefix of these kinds that has any."""
    numbers = [number for what in kinds for number in prefixes(what)]
    present = f"arrayMap(g -> intDiv(g[1].1, {SLOTS}), {groups_})"
    number = f"arrayFirst(n -> has({present}, n), {numbers})"
    return f"if(empty({groups_}), [], arrayFilter((g, n) -> n = {number}, {groups_}, {present}))"


def messages(groups_: str, default_roles: str) -> str:
    """SQL: for each list of groups and its default role, the messages."""
    return f"arrayMap((gs, r) -> arrayMap(g -> {_message('r')}, gs), {groups_}, {default_roles})"


def documents(groups_: str) -> str:
    """SQL: Array(Tuple(id, content, score, metadata)) of retrieved documents; score and metadata as sent, '' when missing."""
    document = f"({leaf_value(3)}, {leaf_value(2)}, {leaf_value(4)}, {leaf_value(5)})"
    return f"arrayMap(g -> {document}, {winning(groups_, 'documents')})"


def tools(groups_: str) -> str:
    """SQL: JSON list of tool definitions, or ''."""
    parameters = f"if(isValidJSON({leaf_value(10)}), {leaf_value(10)}, toJSONString({leaf_value(10)}))"
    function = (
        f"concat('{{\"name\":', toJSONString({leaf_value(4)}), ',\"description\":', toJSONString({leaf_value(9)}), "
        f"',\"parameters\":', {parameters}, '}}')"
    )
    definition = f"if({leaf_value(8)} != '', {leaf_value(8)}, {function})"
    listed = f"arrayMap(g -> {definition}, {winning(groups_, 'tools')})"
    return (
        f"arrayStringConcat(arrayMap(t -> if(empty(t), '', concat('[', arrayStringConcat(t, ','), ']')), [{listed}]))"
    )


def leaf_value(leaf: int) -> str:
    """SQL: the value of this leaf in group g, or ''."""
    return f"arrayFirst(e -> e.2 = {leaf}, g).4"


def _message(default_role: str) -> str:
    """SQL: message of group g. Several content parts are joined; tool calls are in order of their number."""
    text_parts = "arraySort(e -> e.3, arrayFilter(e -> e.2 = 15, g))"
    content = (
        f"if({leaf_value(2)} != '', {_text(leaf_value(2))}, arrayStringConcat(arrayMap(e -> e.4, {text_parts}), '\\n'))"
    )
    numbers = "arraySort(arrayDistinct(arrayMap(e -> e.3, arrayFilter(e -> e.2 IN (11, 12, 13), g))))"
    call = ", ".join(f"arrayFirst(e -> e.2 = {leaf} AND e.3 = n, g).4" for leaf in (11, 12, 13))
    old_call = f"if({leaf_value(6)} = '', [], [('', {leaf_value(6)}, {leaf_value(7)})])"
    calls = f"arrayConcat(arrayMap(n -> ({call}), {numbers}), {old_call})"
    images = "arrayFilter(e -> e.2 = 16, g)"
    parts = (
        f'if(empty({images}), \'\', concat(\'[\', arrayStringConcat(arrayMap(e -> concat(\'{{"type":"uri","modality":"image","uri":\', '
        f"toJSONString(e.4), '}}'), {images}), ','), ']'))"
    )
    return (
        f"CAST(({role(leaf_value(1), default_role)}, {content}, {calls}, {leaf_value(3)}, {leaf_value(4)}, "
        f"{finish(leaf_value(5))}, {parts}), '{MESSAGE_TYPE[6:-1]}')"
    )


def _text(content: str) -> str:
    """SQL: text of a content that may be a JSON list of content blocks."""
    blocks = f"JSONExtract({content}, 'Array(Tuple(type String, text String, content String))')"
    texts = f"arrayMap(b -> if(b.2 != '', b.2, b.3), arrayFilter(b -> b.1 IN ('text', 'input_text', 'output_text'), {blocks}))"
    return f"if(startsWith({content}, '[{{') AND position({content}, '\"type\"') > 0 AND notEmpty({texts}), arrayStringConcat({texts}, '\\n'), {content})"
