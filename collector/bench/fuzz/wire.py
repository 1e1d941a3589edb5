"""Protobuf bytes taken apart by their descriptors, and written again with faults in chosen places (pure)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from collector.bench.fuzz.corpus import BROKEN, DOUBLES, INTEGERS, TEXTS
from leewatch.semconv.protobuf import read_varint, varint

VARINT, FIXED64, BYTES, START, END, FIXED32 = 0, 1, 2, 3, 4, 5
IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
DEPTHS = (2, 2, 3, 3, 5, 10, 20, 46, 47, 90, 98, 99, 100, 101, 300)
"""protobuf's parser stops at 100."""
MOST_COPIES = 3000


@dataclass(frozen=True, slots=True)
class Node:
    """One field: its number, wire type, payload (bytes, or the fields of a message) and descriptor."""

    number: int
    wire: int
    payload: bytes | tuple[Node, ...]
    field: Any


def tree(body: bytes, descriptor: Any) -> tuple[Node, ...]:
    """The fields of a valid message."""
    return tuple(_fields(body, descriptor))


def _fields(body: bytes, descriptor: Any) -> Iterator[Node]:
    at = 0
    while at < len(body):
        tag, at = read_varint(body, at)
        number, wire = tag >> 3, tag & 7
        field = descriptor.fields_by_number.get(number)
        if wire == VARINT:
            value, after = read_varint(body, at)
            yield Node(number, wire, varint(value), field)
        elif wire == BYTES:
            size, at = read_varint(body, at)
            after = at + size
            inside = field.message_type if field is not None else None
            payload = body[at:after]
            yield Node(number, wire, payload if inside is None else tree(payload, inside), field)
        else:
            after = at + (8 if wire == FIXED64 else 4)
            yield Node(number, wire, body[at:after], field)
        at = after


def size(nodes: Sequence[Node]) -> int:
    """Fields in all."""
    return sum(1 + (size(node.payload) if isinstance(node.payload, tuple) else 0) for node in nodes)


class Writer:
    """Writes trees, and at the chosen fields something else. keys: attribute names worth trying."""

    def __init__(self, rng: random.Random, faults: frozenset[int], keys: Sequence[bytes]) -> None:
        """faults: positions, in order of writing, of the fields to be spoiled. Ids are drawn anew at every use."""
        self._rng = rng
        self._faults = faults
        self._keys = keys
        self._at = -1

    def write(self, nodes: Sequence[Node]) -> bytes:
        return b"".join(map(self._node, nodes))

    def _node(self, node: Node) -> bytes:
        self._at += 1
        spoiled = self._at in self._faults
        if isinstance(node.payload, tuple):
            payload = self.write(node.payload)
        elif node.field is not None and node.field.name in IDS and self._rng.random() < 0.95:
            payload = self._rng.randbytes(len(node.payload))
        else:
            payload = node.payload
        return self._spoil(node, payload) if spoiled else field(node.number, node.wire, payload)

    def _spoil(self, node: Node, payload: bytes) -> bytes:
        rng = self._rng
        (op,) = rng.choices(
            (self._value, self._shape, self._length, self._around, self._many, self._deep), (12, 2, 1, 2, 2, 2)
        )
        return op(node, payload)

    def _value(self, node: Node, payload: bytes) -> bytes:
        """Another value of the same wire type."""
        rng = self._rng
        match node.wire:
            case 0:
                return field(node.number, VARINT, varint(rng.choice(INTEGERS)))
            case 1:
                wild = rng.choice(DOUBLES) if rng.random() < 0.6 else rng.choice(INTEGERS).to_bytes(8, "little")
                return field(node.number, FIXED64, wild)
            case 5:
                return field(node.number, FIXED32, (rng.choice(INTEGERS) & 0xFFFFFFFF).to_bytes(4, "little"))
        name = node.field.name if node.field is not None else ""
        if name in IDS:
            return field(
                node.number, BYTES, rng.choice((b"", b"\0" * len(payload), payload[:-1], payload + b"x", b"\xff" * 16))
            )
        if name == "key":
            return field(node.number, BYTES, rng.choice(self._keys))
        if isinstance(node.payload, tuple) and rng.random() < 0.5:
            return field(node.number, BYTES, b"")
        return field(node.number, BYTES, rng.choice(BROKEN if rng.random() < 0.04 else TEXTS))

    def _shape(self, node: Node, payload: bytes) -> bytes:
        """Another wire type, number or form of the same field."""
        rng = self._rng
        match rng.randrange(6):
            case 0:
                return b""
            case 1:
                other = rng.choice((VARINT, FIXED64, BYTES, START, END, FIXED32, 6, 7))
                return varint(node.number << 3 | other) + payload[: rng.randrange(12)]
            case 2:
                return varint(node.number << 3 | node.wire)[:-1] + _overlong(node.number << 3 | node.wire) + payload
            case 3:
                number = rng.choice((0, 15, 16, 1000, 1001, 1002, 1003, 19000, 536870911, 1 << 29, 1 << 40))
                return field(node.number, node.wire, payload) + field(number, node.wire, payload)
            case 4:
                inner = payload[:200]
                end = varint((node.number if rng.random() < 0.8 else 9) << 3 | END)
                return varint(node.number << 3 | START) + inner + end
            case _:
                depth = rng.choice(DEPTHS)
                ends = depth if rng.random() < 0.7 else depth - 1
                return varint(1000 << 3 | START) * depth + varint(1000 << 3 | END) * ends

    def _length(self, node: Node, payload: bytes) -> bytes:
        """A length that does not fit."""
        sizes = (
            len(payload) + 1,
            max(len(payload) - 1, 0),
            0,
            1 << 31,
            (1 << 31) - 1,
            (1 << 32) - 1,
            (1 << 64) - 1,
            1 << 20,
        )
        return varint(node.number << 3 | BYTES) + varint(self._rng.choice(sizes)) + payload

    def _around(self, node: Node, payload: bytes) -> bytes:
        """The field, and the same again, with another value or cut off."""
        whole = field(node.number, node.wire, payload)
        again = self._value(node, payload)
        return self._rng.choice((whole + again, again + whole, whole + whole, whole[:-1] or whole, again + again))

    def _many(self, node: Node, payload: bytes) -> bytes:
        rng = self._rng
        small = payload if len(payload) < 40 else b""
        copies = rng.randrange(2, MOST_COPIES) if rng.random() < 0.01 else rng.choice((2, 3, 20))
        return field(node.number, node.wire, small or payload) * (copies if len(payload) < 40 else 2)

    def _deep(self, node: Node, payload: bytes) -> bytes:
        """A value that nests: lists, maps, or both in turn."""
        rng = self._rng
        value = field(1, BYTES, b"end")
        for level in range(rng.choice(DEPTHS)):
            as_map = rng.random() < 0.3
            inner = field(1, BYTES, b"k%d" % level) + field(2, BYTES, value) if as_map else value
            value = field(6 if as_map else 5, BYTES, field(1, BYTES, inner))
            if len(value) > 60_000:
                break
        return field(node.number, BYTES, value)


def field(number: int, wire: int, payload: bytes) -> bytes:
    """One field as it stands in a message."""
    return varint(number << 3 | wire) + (varint(len(payload)) + payload if wire == BYTES else payload)


def _overlong(tag: int) -> bytes:
    return bytes([tag & 0x7F | 0x80, 0x80, 0x00])
