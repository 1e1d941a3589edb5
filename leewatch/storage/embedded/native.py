"""Blocks of the Native format as newer protocol versions lay them out.

The engine writes Native without a protocol version. A client that names version 54454 or later (clickhouse-go does, by
`client_protocol_version`) expects block information before each block, and after each column's type a byte that says
whether its serialization is a special one. Source: ClickHouse, src/Formats/NativeWriter.cpp, src/Core/ProtocolDefines.h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leewatch.semconv.protobuf import read_varint
from leewatch.storage.embedded.faults import QueryError
from leewatch.storage.lexer import tokens

CUSTOM_SERIALIZATION = 54454
"""First protocol version with the byte for special serializations."""
# Field 1, no overflow row; field 2, bucket -1; end.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_SIZES = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "Date32", "DateTime", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
_DECIMAL_BYTES = ((9, 4), (18, 8), (38, 16), (76, 32))
_INDEX_BYTES = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Type:
    """A type name taken apart: `Array(String)` is Type("Array", (Type("String"),)). Literals are types without parts."""

    name: str
    parts: tuple[Type, ...] = ()


def for_version(data: bytes, version: int) -> bytes:
    """The same whole blocks as a client of this protocol version reads them.

    Raises QueryError (48) for a column type whose length cannot be told here (JSON, Dynamic, Variant, AggregateFunction).
    """
    if version < CUSTOM_SERIALIZATION:
        return data
    out: list[bytes] = []
    at = 0
    while at < len(data):
        out.append(_BLOCK_INFO)
        at = _block(data, at, out)
    return b"".join(out)


def _block(data: bytes, at: int, out: list[bytes]) -> int:
    start = at
    columns, at = read_varint(data, at)
    rows, at = read_varint(data, at)
    for _ in range(columns):
        _, at = _string(data, at)
        name, at = _string(data, at)
        out += (data[start:at], b"\x00")
        start = at
        if rows:
            kind = parse_type(name.decode())
            at = _column(kind, data, _prefix(kind, at), rows)
    out.append(data[start:at])
    return at


def parse_type(text: str) -> Type:
    """The type of this name. Names of tuple elements are left out: only lengths matter."""
    kind, _ = _type([token.text for token in tokens(text)], 0)
    return kind


def _type(found: list[str], at: int) -> tuple[Type, int]:
    """One type or literal from `at` on. In `Tuple(a String, b UInt8)` the last word before `,` or `)` is the type."""
    name = found[at]
    at += 1
    while at < len(found) and found[at] not in "(),":
        name = found[at]
        at += 1
    parts: list[Type] = []
    if at < len(found) and found[at] == "(":
        at += 1
        while found[at] != ")":
            part, at = _type(found, at)
            parts.append(part)
            at += found[at] == ","
        at += 1
    return Type(name, tuple(parts)), at


def _prefix(kind: Type, at: int) -> int:
    """Behind the versions that a column's dictionaries write before all data."""
    if kind.name == "LowCardinality":
        return at + 8
    if kind.name in {"Nullable", "Array", "Map", "Tuple", "Nested", "SimpleAggregateFunction"}:
        for part in _data_parts(kind):
            at = _prefix(part, at)
    return at


def _data_parts(kind: Type) -> tuple[Type, ...]:
    return kind.parts[1:] if kind.name == "SimpleAggregateFunction" else kind.parts


def _column(kind: Type, data: bytes, at: int, rows: int) -> int:
    """Where the data of `rows` values end."""
    step = _STEPS.get(kind.name)
    if step is not None:
        return step(kind, data, at, rows)
    size = _size(kind)
    if size is None:
        raise QueryError(
            48,
            f"columns of type {kind.name} are not served in the Native format to clients of protocol version "
            f"{CUSTOM_SERIALIZATION} or later: ask for another format, or cast them to String",
            "NOT_IMPLEMENTED",
        )
    return at + size * rows


def _size(kind: Type) -> int | None:
    if kind.name == "FixedString":
        return int(kind.parts[0].name)
    if kind.name == "Decimal":
        return next(size for digits, size in _DECIMAL_BYTES if int(kind.parts[0].name) <= digits)
    return 8 if kind.name.startswith("Interval") else _SIZES.get(kind.name)


def _strings(_: Type, data: bytes, at: int, rows: int) -> int:
    for _row in range(rows):
        size = data[at]
        at += 1
        if size >= 0x80:
            size, at = read_varint(data, at - 1)
        at += size
    return at


def _nullable(kind: Type, data: bytes, at: int, rows: int) -> int:
    return _column(kind.parts[0], data, at + rows, rows)


def _array(kind: Type, data: bytes, at: int, rows: int) -> int:
    if not rows:
        return at
    at += 8 * rows
    inner = int.from_bytes(data[at - 8 : at], "little")
    for part in kind.parts:
        at = _column(part, data, at, inner)
    return at


def _tuple(kind: Type, data: bytes, at: int, rows: int) -> int:
    if not kind.parts:
        return at + rows
    for part in kind.parts:
        at = _column(part, data, at, rows)
    return at


def _dictionary(kind: Type, data: bytes, at: int, rows: int) -> int:
    if not rows:
        return at
    keys_of = kind.parts[0].parts[0] if kind.parts[0].name == "Nullable" else kind.parts[0]
    index = _INDEX_BYTES[data[at] & 3]
    keys = int.from_bytes(data[at + 8 : at + 16], "little")
    at = _column(keys_of, data, at + 16, keys)
    return at + 8 + index * int.from_bytes(data[at : at + 8], "little")


def _simple(kind: Type, data: bytes, at: int, rows: int) -> int:
    return _column(kind.parts[1], data, at, rows)


_STEPS: dict[str, Callable[[Type, bytes, int, int], int]] = {
    "String": _strings,
    "Nullable": _nullable,
    "Array": _array,
    "Map": _array,
    "Nested": _array,
    "Tuple": _tuple,
    "LowCardinality": _dictionary,
    "SimpleAggregateFunction": _simple,
}


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = read_varint(data, at)
    return data[at : at + size], at + size
