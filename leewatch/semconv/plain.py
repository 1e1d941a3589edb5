"""The short way of plain chats: a question, an answer, and attributes that need no more than a look-up.

Most spans are of that kind. Their columns have the SQL of `columns`, in which every field that such a span cannot have is
absent: the database folds what is constant, so the short way is what the long one gives for them, at a third of the time.
"""

from __future__ import annotations

import re
from dataclasses import replace

from leewatch.semconv import anyvalue, indexed, messages
from leewatch.semconv import expressions as sql
from leewatch.semconv.columns import COLUMNS, Column
from leewatch.semconv.kinds import KIND_RULES, LANGFUSE_LLM_KEYS
from leewatch.semconv.lookup import NUMBERS, STEP, value
from leewatch.semconv.messages import quoted
from leewatch.semconv.vocabulary import INDEXED, METADATA_PREFIXES, REFERENCES

FIELDS_READ = (
    *("genai_operation", "provider", "provider_system", "request_model", "response_model", "response_id"),
    *("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "temperature", "top_p", "max_tokens"),
    *(
        "finish_reason",
        "is_stream",
        "ttft_s",
        "session_id",
        "user_id",
        "environment",
        "service_fallback",
        "service_version",
    ),
    *("error_type", "system_instructions", "input_structured", "output_structured"),
)
"""Fields that a plain chat may have."""

_LISTS = (("inputs", "input_structured", "user"), ("outputs", "output_structured", "assistant"))
TEXTS = (("chat", "UInt8"), *((f"{name}_text", "String") for name, _, _ in _LISTS))
"""Columns that `texts` gives."""
IS_PLAIN = "(chat AND {})".format(" AND ".join(f"({name}_text = '' OR notEmpty({name}))" for name, _, _ in _LISTS))
"""SQL: whether a span goes the short way."""
_CHATS = [
    name
    for rule in KIND_RULES
    if rule.source == "genai_operation"
    for name, kind in rule.kinds.items()
    if kind == "llm"
]
_PREFIXES = (*INDEXED, *METADATA_PREFIXES, "db.vector")
_FIELD = re.compile(r"fields\[(\d+)\]")
_EVENTS = {
    "Events.Name": "[]",
    "Events.Attributes": f"CAST([], 'Array({sql.MAP_TYPE})')",
    "Events.Timestamp": "CAST([], 'Array(DateTime64(9))')",
}

CONSTANTS = {
    "kind": "'llm'",
    "item_groups": f"CAST([], '{indexed.GROUPS_TYPE}')",
    "usage_buckets": f"CAST([], '{sql.BUCKETS_TYPE}')",
    "documents": f"CAST([], '{sql.DOCUMENTS_TYPE}')",
    "metadata": f"CAST(map(), '{sql.MAP_TYPE}')",
    "cache_write_tokens": "CAST(NULL, 'Nullable(UInt64)')",
    **dict.fromkeys(("tool_arguments", "query_text", "context_text"), "CAST(NULL, 'Nullable(String)')"),
}
"""Columns of the long way that are the same for every plain chat, and their values."""


def special() -> str:
    """SQL: whether a span has span events, or attributes that are read in other ways than by looking up their key."""
    prefixes = "|".join(prefix.replace(".", "[.]") for prefix in _PREFIXES)
    named = f"k IN ({quoted([*REFERENCES, *LANGFUSE_LLM_KEYS])[1:-1]})"
    return (
        f"notEmpty(Events.Name) OR arrayExists(k -> match(k, '^(?:{prefixes})[.]') OR {named}, mapKeys(SpanAttributes))"
    )


def narrow(codes: str, values: str) -> str:
    """SQL: whether these codes belong to FIELDS_READ alone, and none of the values is OTLP/JSON."""
    numbers = ", ".join(str(NUMBERS[field]) for field in FIELDS_READ)
    return (
        f"NOT special AND arrayAll(c -> intDiv(c, {STEP}) IN ({numbers}), {codes}) "
        f"AND NOT arrayExists(v -> {anyvalue.is_otlp('v')}, {values})"
    )


def texts() -> tuple[tuple[str, str, str], ...]:
    """Columns `chat`, whether a span may be a plain chat, and the JSON texts of the messages of those that may."""
    chat = f"narrow AND lower({value('genai_operation')}) IN ({quoted(_CHATS)[1:-1]})"
    listed = [(f"{name}_text", "String", f"if({chat}, {value(field)}, '')") for name, field, _ in _LISTS]
    return (("chat", "UInt8", chat), *listed)


def lists() -> tuple[tuple[str, str, str], ...]:
    """Columns `inputs` and `outputs`: the messages of those texts, none where they are not simple."""
    return tuple(
        (name, messages.MESSAGE_TYPE, messages.simple_json(f"{name}_text", quoted(role))) for name, _, role in _LISTS
    )


def columns() -> list[Column]:
    """The columns of a plain chat that are not constant, and the constant ones of its tables; these belong to the last stage."""
    kept = [column for column in COLUMNS if column.name not in CONSTANTS or column.table != "step"]
    return [
        replace(column, sql=CONSTANTS.get(column.name) or _narrowed(column.sql), late=column.name in CONSTANTS)
        for column in kept
    ]


def _narrowed(expression: str) -> str:
    """SQL of the same value for a plain chat."""
    known = {NUMBERS[field] for field in FIELDS_READ}
    text = _FIELD.sub(lambda found: found[0] if int(found[1]) in known else "''", expression)
    for name, empty in _EVENTS.items():
        text = text.replace(name, empty)
    return text
