"""Which attribute key filled which column of a normalized span, and which keys nothing reads. Pure.

The values themselves come from the database; what is here reads the same table that the SQL is generated from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from leewatch.semconv import normalize
from leewatch.semconv.columns import COLUMNS, Column
from leewatch.semconv.kinds import LANGFUSE_LLM_KEYS
from leewatch.semconv.lookup import NO_KEYS, RESOURCE, SCOPE, SPAN, OwnKeys, code, fields_in, kind_of, placed
from leewatch.semconv.mapping import FIELDS
from leewatch.semconv.vocabulary import FIRST_CHUNK_EVENTS, INDEXED, METADATA_PREFIXES, REFERENCES

_LEVELS = {SPAN: "", SCOPE: " (scope)", RESOURCE: " (resource)"}
_INDEXED = re.compile(rf"^({'|'.join(map(re.escape, INDEXED))})[.]\d+[.]")
_VECTOR = "db.vector."
_LISTS = {
    "inputs": ("input", "embedding"),
    "outputs": ("output",),
    "documents": ("documents",),
    "item_groups": ("tools",),
}
_LIST_FIELDS = {
    "inputs": ("input_structured", "input_other"),
    "outputs": ("output_structured", "output_other", "output_tool_calls"),
    "documents": ("context_documents",),
    "item_groups": (),
}
_EVENTS_READ = ("exception", "db.query.result", "db.search.result", *FIRST_CHUNK_EVENTS)


@dataclass(frozen=True, slots=True)
class Winner:
    """The key that a field has its value from, with where it stood, and that value."""

    key: str
    value: str


def pairs_select(source: str, own: OwnKeys = NO_KEYS) -> str:
    """SELECT of the first step of the generated SQL from `source`: among others `pairs`, (code, value) of every key it reads."""
    return normalize.pairs_select(source, own)


def winners(pairs: Iterable[tuple[int, str]], own: OwnKeys = NO_KEYS) -> dict[str, Winner]:
    """Field -> its winner, from the pairs of one span."""
    known = _codes(own)
    found: dict[str, Winner] = {}
    for number, value in sorted(pairs):
        if number in known:
            name, key = known[number]
            found.setdefault(name, Winner(key, value))
    return found


def sources(column: Column, value: object, won: Mapping[str, Winner], keys: Sequence[str]) -> list[str]:
    """The keys that the column of a span has its value from; empty when it does not come from an attribute.

    won: winners of the span. keys: its attribute keys. One whose value stands in the column as it is, is the only one;
    the kind is shown with the first key that is asked for it.
    """
    if column.name == "kind":
        return [won[name].key for name in _kind_fields() if name in won][:1]
    present = [won[name] for name in _fields_of(column) if name in won]
    same = [winner.key for winner in present if winner.value == str(value)]
    if same:
        return same[:1]
    found = [winner.key for winner in present]
    for listed, kinds in _LISTS.items():
        if not re.search(rf"\b{listed}\b", column.sql):
            continue
        prefixes = sorted(
            {match[1] for key in keys if (match := _INDEXED.match(key)) and INDEXED[match[1]][0] in kinds}
        )
        direct = [won[name].key for name in _LIST_FIELDS[listed] if name in won]
        structured = bool(direct) and _LIST_FIELDS[listed][0] in won
        found += direct[:1] if structured else [f"{prefix}.N" for prefix in prefixes] or direct
    if column.name == "metadata":
        found += [key for key in keys if key in REFERENCES or key.startswith(tuple(f"{p}." for p in METADATA_PREFIXES))]
    return list(dict.fromkeys(found))


def _fields_of(column: Column) -> list[str]:
    """Fields that a column is made of, also by way of a column for one value."""
    steps = [other for other in COLUMNS if other.table == "step" and other.type == "String"]
    used = [other.sql for other in steps if re.search(rf"\b{other.name}\b", column.sql)]
    return list(dict.fromkeys(field for sql in (*used, column.sql) for field in fields_in(sql)))


def is_read(key: str, own: OwnKeys = NO_KEYS) -> bool:
    """Whether the mapping reads this attribute key."""
    return (
        key in _keys(own)
        or bool(_INDEXED.match(key))
        or key in REFERENCES
        or key in LANGFUSE_LLM_KEYS
        or key.startswith((_VECTOR, *(f"{prefix}." for prefix in METADATA_PREFIXES)))
    )


def event_is_read(name: str, own: OwnKeys = NO_KEYS) -> bool:
    """Whether the mapping reads attributes of span events of this name."""
    named = {key.split("/")[0] for field in FIELDS for _, key in placed(field, own) if kind_of(key) == "event"}
    return name in named or name in _EVENTS_READ


def shown_columns() -> list[Column]:
    """The columns that say something about a span: all but ids and times."""
    hidden = ("project", "ts", "end_ts", "trace_id", "span_id", "parent_span_id", "batch", "received_at", "ingested_at")
    return [column for column in COLUMNS if column.table != "step" and column.name not in hidden]


def _codes(own: OwnKeys) -> dict[int, tuple[str, str]]:
    return {
        code(field, place, level): (field.name, f"{key}{text}")
        for field in FIELDS
        for place, key in placed(field, own)
        for level, text in _LEVELS.items()
    }


def _keys(own: OwnKeys) -> set[str]:
    read = (key for field in FIELDS for _, key in placed(field, own))
    return {key.split(":")[0] if kind_of(key) == "member" else key for key in read}


def _kind_fields() -> list[str]:
    expressions = [text for step in normalize.steps() for name, _, text in step.computed if name == "kind"]
    return list(dict.fromkeys(name for text in expressions for name in fields_in(text)))
