"""Request bodies made from seeds: structures with faults, JSON with faults, spoiled bytes, spoiled compression (pure).

A case depends on the seed of the run and its number alone.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib
from dataclasses import dataclass
from typing import Any

import zstandard
from google.protobuf.json_format import MessageToDict

from collector import status
from collector.bench.fuzz.corpus import INTEGERS, TEXTS, Corpus
from collector.bench.fuzz.wire import Node, Writer, field, size, tree
from collector.segment import SIGNALS, Signal
from collector.validate import REQUESTS

JSON_SHARE = 0.25
MOST_COPIES = 60
CROWD_SHARE = 1 / 50_000
"""Cases of a megabyte and more, made of tiny messages; also bombs."""
_ID_NAMES = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_DEEP = "nested here"
_WILD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        "",
        "x",
        [],
        {},
        [[]],
        [{}],
        {"a": None},
        "NaN",
        "Infinity",
        float("nan"),
        float("inf"),
    ),
    *INTEGERS,
    *map(str, INTEGERS),
    *(
        -(1 << 63),
        1 << 64,
        10**400,
        "1e999",
        "\ud800",
        "\u0000",
        "zz",
        "SPAN_KIND_CLIENT",
        "0" * 32,
        "AAAA",
        "=",
        "A" * 31,
    ),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One request. body: as sent; plain: decompressed, None where that cannot be done."""

    number: int
    signal: Signal
    content_type: str
    encoding: str
    body: bytes
    plain: bytes | None


class Mutator:
    """Makes the cases of a seed."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._seed = seed
        self._keys = corpus.keys
        self._trees: dict[Signal, list[tuple[tuple[Node, ...], int]]] = {}
        self._documents: dict[Signal, list[str]] = {}
        for signal, bodies in corpus.seeds.items():
            kind = REQUESTS[signal]
            trees = [tree(body, kind.DESCRIPTOR) for body in bodies]
            self._trees[signal] = [(nodes, size(nodes)) for nodes in trees]
            self._documents[signal] = [
                json.dumps(
                    _with_hex_ids(MessageToDict(kind.FromString(body), preserving_proto_field_name=number % 4 == 3))
                )
                for number, body in enumerate(bodies)
            ]

    def case(self, number: int) -> Case:
        """The case of this number."""
        rng = random.Random((self._seed << 40) + number)
        (signal,) = rng.choices(SIGNALS, [6 if name == "traces" else 2 for name in SIGNALS])
        if rng.random() < CROWD_SHARE:
            return self._crowd(rng, number, signal)
        is_json = rng.random() < JSON_SHARE
        plain = self._json(rng, signal) if is_json else self._protobuf(rng, signal)
        encoding, body, readable = _encoded(rng, plain)
        content_type = status.JSON if is_json else status.PROTOBUF
        if rng.random() < 0.01:
            content_type = rng.choice(
                (status.JSON, status.PROTOBUF, "", "text/plain", "application/json; charset=utf-16")
            )
        return Case(number, signal, content_type, encoding, body, plain if readable else None)

    def _protobuf(self, rng: random.Random, signal: Signal) -> bytes:
        nodes, fields = rng.choice(self._trees[signal])
        count = rng.choice((0, 1, 1, 1, 2, 2, 3, 6, 12))
        body = Writer(rng, frozenset(rng.sample(range(fields), min(count, fields))), self._keys).write(nodes)
        if rng.random() < 0.05:
            other, fields = rng.choice(self._trees[signal if rng.random() < 0.8 else rng.choice(SIGNALS)])
            body += Writer(rng, frozenset(), self._keys).write(other)
        return _spoiled(rng, body) if rng.random() < 0.3 else body

    def _json(self, rng: random.Random, signal: Signal) -> bytes:
        document = json.loads(rng.choice(self._documents[signal]))
        _renew_ids(rng, document)
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            document = _changed(rng, document, MOST_COPIES)
        text = json.dumps(document, ensure_ascii=rng.random() < 0.7)
        if rng.random() < 0.02:
            text = text.replace("{", '{"attributes":' + "[" * rng.choice((50, 1100, 20_000)) + ",", 1)
        text = text.replace(f'"{_DEEP}"', _deep(rng))
        body = text.encode("utf-8", "surrogatepass")
        return _spoiled(rng, body) if rng.random() < 0.25 else body

    def _crowd(self, rng: random.Random, number: int, signal: Signal) -> Case:
        """Some MB of tiny messages at some level, as protobuf or as JSON, or a bomb."""
        amount = rng.randrange(1 << 19, 4 << 20)
        tiny = rng.choice(
            (b"", b"\x08\x01", b"\x18\x01", b"\x30\x01", b"\x12\x00", b"\x12\x02\x18\x01", b"\x12\x04\x2a\x02\x0a\x00")
        )
        plain = field(rng.choice((1, 2, 5, 7, 9, 11)), 2, tiny)
        plain *= amount // len(plain)
        for _ in range(rng.randrange(5)):
            plain = field(rng.choice((1, 2)), 2, plain)
        if rng.random() < 0.4:
            member = rng.choice(("{}", "[]", "0", '{"a":1}', '{"key":"a","value":{"intValue":1}}', '"a"'))
            name = rng.choice(("resourceSpans", "x", "resourceLogs", "resourceMetrics"))
            inner = ",".join([member] * (amount // (len(member) + 1)))
            path = rng.choice((f'"{name}":[{inner}]', f'"{name}":[{{"scopeSpans":[{{"spans":[{inner}]}}]}}]'))
            plain = f"{{{path}}}".encode()
            return Case(number, signal, status.JSON, "", plain, plain)
        if rng.random() < 0.2:
            plain = bytes(rng.choice((1 << 20, 80 << 20)))
        return Case(number, signal, status.PROTOBUF, "gzip", gzip.compress(plain, 1), plain)


def _spoiled(rng: random.Random, body: bytes) -> bytes:
    """Some bytes changed, taken, added or repeated."""
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.choice((0, 0x7F, 0x80, 0xFF, 0x0A, 0x12))
            case 2:
                data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 9, 64)))
            case 3:
                del data[at : at + rng.choice((1, 2, 4, 50))]
            case 4:
                del data[at:]
            case 5:
                data[at:at] = data[at : at + rng.randrange(200)]
            case _:
                data[at:at] = b"\xff" * rng.choice((1, 5, 9, 11))
    return bytes(data)


def _encoded(rng: random.Random, plain: bytes) -> tuple[str, bytes, bool]:
    """(Content-Encoding, body, whether it can be undone)."""
    draw = rng.random()
    if draw < 0.7:
        return rng.choice(("", "", "", "identity", "IDENTITY ")), plain, True
    if draw < 0.82:
        return rng.choice(("gzip", "x-gzip", " GZip")), gzip.compress(plain, 1), True
    if draw < 0.88:
        return "deflate", zlib.compress(plain, 1), True
    if draw < 0.9:
        middle = rng.randrange(len(plain) + 1)
        return "gzip", gzip.compress(plain[:middle], 1) + gzip.compress(plain[middle:], 1), True
    if draw < 0.93:
        return "gzip", _spoiled(rng, gzip.compress(plain, 1)), False
    if draw < 0.95:
        return rng.choice(("gzip", "deflate")), plain, False
    if draw < 0.97:
        return "zstd", zstandard.compress(plain, 1), False
    return rng.choice(("br", "gzip, gzip", "gzip;q=1", "compress", "x" * 300, "zstd", "lz4")), plain, False


# -- JSON -------------------------------------------------------------------------------------------------------------


def _with_hex_ids(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: base64.b64decode(value).hex() if key in _ID_NAMES and isinstance(value, str) else _with_hex_ids(value)
            for key, value in node.items()
        }
    return [_with_hex_ids(member) for member in node] if isinstance(node, list) else node


def _renew_ids(rng: random.Random, node: Any) -> None:
    for key, value in list(node.items()) if isinstance(node, dict) else ():
        if key in _ID_NAMES and isinstance(value, str) and rng.random() < 0.95:
            node[key] = rng.randbytes(len(value) // 2).hex()
        else:
            _renew_ids(rng, value)
    for member in node if isinstance(node, list) else ():
        _renew_ids(rng, member)


def _deep(rng: random.Random) -> str:
    """A value that nests."""
    levels = (
        ('{"arrayValue":{"values":[', "]}}"),
        ('{"kvlistValue":{"values":[{"key":"k","value":', "}]}}"),
        ("[", "]"),
    )
    opening, closing = rng.choice(levels)
    depth = rng.choice((3, 20, 60, 120, 700))
    return opening * depth + rng.choice(('{"intValue":"1"}', "null", "")) + closing * depth


def _changed(rng: random.Random, node: Any, copies: int) -> Any:
    """The document with one member changed, somewhere."""
    holder: Any = None
    key: Any = None
    place = node
    while isinstance(place, dict | list) and place and (holder is None or rng.random() < 0.85):
        holder = place
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        place = place[key]
    if holder is None:
        return rng.choice(_WILD)
    match rng.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder += [place] * rng.choice((1, 1, 5, copies))
        case 2 if isinstance(holder, dict):
            holder[
                rng.choice(("x", "", "key", "value", "stringValue", "intValue", "arrayValue", "span_id", "spanId"))
            ] = place
        case 3:
            holder[key] = _DEEP
        case 4:
            holder[key] = rng.choice(TEXTS).decode("utf-8", "replace")
        case _:
            holder[key] = rng.choice(_WILD)
    return node
