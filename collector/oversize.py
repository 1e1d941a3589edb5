"""Values too long to be stored whole: cut, and named with their length as sent (pure).

The cheapest place is here: a value can be too long only in a request that is longer than the limit, so others are never
looked at, and in those only spans and values that are too long themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

FLAG = "leewatch.truncated"
"""Attribute with the names of the values that were cut, as JSON {name: bytes as sent}; members of events are EVENT/KEY."""
_SHORTEST = 1 << 10
"""Strings inside a structure are not cut shorter than this; one with more of them becomes text, cut at the end."""


def has_longer(request: Any, limit: int) -> bool:
    """Whether a span, log record, resource or scope of the request takes more than `limit` bytes."""
    return any(owner.ByteSize() > limit for owner in _owners(request))


def cut(request: Any, limit: int) -> int:
    """Cuts in place every value of an OTLP traces or logs request that takes more than `limit` bytes; how many.

    Structures (OTLP arrays and maps, JSON texts) stay structures: their longest strings are cut. What was cut has a mark in
    its place, and its owner (span, log record, resource, scope) the attribute FLAG.
    """
    count = 0
    for owner in _owners(request):
        if owner.ByteSize() <= limit:
            continue
        lengths = dict(_cut_owner(owner, limit))
        if lengths:
            owner.attributes.add(key=FLAG).value.string_value = orjson.dumps(lengths).decode()
            count += len(lengths)
    return count


def _owners(request: Any) -> Iterator[Any]:
    traces = "resource_spans" in request.DESCRIPTOR.fields_by_name
    for resource in request.resource_spans if traces else request.resource_logs:
        yield resource.resource
        for scope in resource.scope_spans if traces else resource.scope_logs:
            yield scope.scope
            yield from scope.spans if traces else scope.log_records


def _cut_owner(owner: Any, limit: int) -> Iterator[tuple[str, int]]:
    fields = owner.DESCRIPTOR.fields_by_name
    for attribute in owner.attributes:
        yield from _cut_value(attribute.key, attribute.value, limit)
    if "events" in fields:
        for event in owner.events:
            for attribute in event.attributes:
                yield from _cut_value(f"{event.name}/{attribute.key}", attribute.value, limit)
        yield from _cut_field(owner.status, "message", "status.message", limit)
    if "name" in fields:
        yield from _cut_field(owner, "name", "name", limit)
    if "body" in fields:
        yield from _cut_value("body", owner.body, limit)


def _cut_field(message: Any, field: str, name: str, limit: int) -> Iterator[tuple[str, int]]:
    text = getattr(message, field)
    if len(text) > limit // 4 and (size := len(text.encode())) > limit:
        setattr(message, field, _head(text, limit))
        yield name, size


def _cut_value(name: str, value: Any, limit: int) -> Iterator[tuple[str, int]]:
    size = value.ByteSize()
    if size <= limit:
        return
    match value.WhichOneof("value"):
        case "string_value":
            size = len(value.string_value.encode())
            value.string_value = shortened(value.string_value, limit)
        case "bytes_value":
            size = len(value.bytes_value)
            value.bytes_value = value.bytes_value[:limit]
        case _:
            _until_short(limit, lambda longest: _cut_strings(value, longest), value.ByteSize)
            if value.ByteSize() > limit:
                value.string_value = _head(str(value), limit)
    yield name, size


def shortened(text: str, limit: int) -> str:
    """The text in at most about `limit` bytes; JSON stays JSON, with its longest strings cut."""
    if text[:1] in {"[", "{"}:
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _head(text, limit)
        holder = [parsed]
        _until_short(limit, lambda longest: _cut_members(holder, longest), lambda: len(orjson.dumps(holder[0])))
        if len(written := orjson.dumps(holder[0])) <= limit:
            return written.decode()
    return _head(text, limit)


def _until_short(limit: int, shorten: Callable[[int], None], size: Callable[[], int]) -> None:
    longest = limit // 2
    while size() > limit and longest >= _SHORTEST:
        shorten(longest)
        longest //= 2


def _cut_strings(value: Any, longest: int) -> None:
    match value.WhichOneof("value"):
        case "string_value":
            if len(value.string_value) > longest // 4:
                value.string_value = _head(value.string_value, longest)
        case "bytes_value":
            value.bytes_value = value.bytes_value[:longest]
        case "array_value":
            for member in value.array_value.values:
                _cut_strings(member, longest)
        case "kvlist_value":
            for pair in value.kvlist_value.values:
                _cut_strings(pair.value, longest)


def _cut_members(node: Any, longest: int) -> None:
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for place, member in list(pairs):
        if isinstance(member, str):
            if len(member) > longest // 4:
                node[place] = _head(member, longest)
        elif isinstance(member, dict | list):
            _cut_members(member, longest)


def _head(text: str, limit: int) -> str:
    """The beginning of the text, with a mark that says how much is missing; the text itself where it is short enough."""
    data = text.encode()
    if len(data) <= limit:
        return text
    mark = f" ... [{len(data):,} bytes, cut by Leewatch]"
    return data[: max(limit - len(mark), 0)].decode(errors="ignore") + mark
