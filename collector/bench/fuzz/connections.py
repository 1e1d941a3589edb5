"""Broken HTTP and HTTP/2 connections. Each must end or be answered in time, and never with a fault of the server's own."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable, Sequence

from collector.bench.fuzz.result import Part
from collector.grpc import SERVICES

ANSWER_SECONDS = 15.0
"""A complete request that gets no answer for so long hangs."""
SLOW_SECONDS = 0.3
REOPEN_SECONDS = 5.0
_PROTOBUF = b"Content-Type: application/x-protobuf\r\n"
_POST = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" + _PROTOBUF
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4

Bytes = Sequence[bytes]


def _chunked(*chunks: bytes) -> bytes:
    return _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def _with(headers: bytes, body: bytes = b"") -> bytes:
    return _POST + headers + b"\r\n" + body


HTTP: tuple[Callable[[random.Random, bytes], Bytes], ...] = (
    lambda rng, body: [rng.randbytes(rng.randrange(1, 500))],
    lambda rng, body: [
        _with(
            b"Content-Length: " + rng.choice((b"-1", b"x", b"1e3", b"0x10", b"99999999999999999999", b"")) + b"\r\n",
            body,
        )
    ],
    lambda rng, body: [_with(b"Content-Length: 5\r\nContent-Length: 7\r\n", body)],
    lambda rng, body: [_with(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")],
    lambda rng, body: [_with(b"Content-Length: %d\r\n" % (len(body) + 10), body)],
    lambda rng, body: [_with(b"Content-Length: %d\r\n" % max(len(body) - 10, 0), body)],
    lambda rng, body: [_with(b"Content-Length: 4000000000\r\n", body)],
    lambda rng, body: [
        _chunked(
            rng.choice(
                (b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5\r\nabc\r\n", b"\r\n", b"5;" + b"x" * 70_000)
            )
        )
    ],
    lambda rng, body: [
        _chunked(b"%x\r\n" % len(body), body, b"\r\n0\r\n", rng.choice((b"Trailer: x\r\n\r\n", b"x", b"\r\n")))
    ],
    lambda rng, body: [_chunked(*(b"1\r\n%c\r\n" % byte for byte in body[:2000]), b"0\r\n\r\n")],
    lambda rng, body: [
        _with(b"X-%d: y\r\n" % rng.randrange(9) * rng.choice((10, 200, 5000)) + b"Content-Length: 0\r\n")
    ],
    lambda rng, body: [_with(b"X: " + b"a" * rng.choice((9_000, 70_000, 700_000)) + b"\r\nContent-Length: 0\r\n")],
    lambda rng, body: [b"POST /" + b"a" * rng.choice((3000, 70_000)) + b" HTTP/1.1\r\nHost: x\r\n\r\n"],
    lambda rng, body: [
        rng.choice((b"GET", b"PUT", b"DELETE", b"TRACE", b"CONNECT", b"FOO", b"PATCH", b"OPTIONS", b"HEAD"))
        + b" /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n"
    ],
    lambda rng, body: [
        b"POST /v1/traces "
        + rng.choice((b"HTTP/0.9", b"HTTP/3.0", b"HTTP/1.", b"FTP/1.1", b""))
        + b"\r\nHost: x\r\n\r\n"
    ],
    lambda rng, body: [
        b"POST "
        + rng.choice(
            (
                b"/v1/tr%00aces",
                b"/../v1/traces",
                b"//v1/traces",
                b"http://x/v1/traces",
                b"*",
                b"/v1/traces?a=%ff",
                b"/\xff\xfe",
            )
        )
        + b" HTTP/1.1\r\nHost: x\r\n"
        + _PROTOBUF
        + b"Content-Length: 0\r\n\r\n"
    ],
    lambda rng, body: [_with(b"Content-Length: %d\r\n" % len(body), body) * rng.choice((2, 20, 200))],
    lambda rng, body: [_with(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(body)), body],
    lambda rng, body: [
        _with(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n"
        )
    ],
    lambda rng, body: [
        _with(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nContent-Length: 0\r\n")
    ],
    lambda rng, body: [_PREFACE + rng.randbytes(60)],
    lambda rng, body: [
        _with(b"Content-Length: %d\r\n" % len(body))[:-2],
        b"\r\n",
        *(body[at : at + 1 + len(body) // 4] for at in range(0, len(body), 1 + len(body) // 4)),
    ],
    lambda rng, body: [_with(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(body), body)],
    lambda rng, body: [
        _with(
            rng.choice(
                (
                    b"X-Api-Key: \xff\xfe\r\n",
                    b"Authorization: Bearer \x80\r\n",
                    b"authorization: Basic x\r\n",
                    b"x-api-key: lw_\r\n",
                )
            )
            + b"Content-Length: 0\r\n"
        )
    ],
    lambda rng, body: [_POST.replace(b"\r\n", rng.choice((b"\n", b"\r"))) + b"\n\n"],
    lambda rng, body: [
        b"POST /v1/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(body),
        body,
    ],
)
"""Each makes the pieces that are sent one after the other, the later ones after a pause."""


def frame(kind: int, flags: int, stream: int, payload: bytes, length: int | None = None) -> bytes:
    """An HTTP/2 frame. length: as told, when it is not that of the payload."""
    told = len(payload) if length is None else length
    return struct.pack(">I", told & 0xFFFFFF)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value  # HPACK, section 6.2.2, no Huffman


def call(encoding: bytes = b"", path: bytes = b"", content_type: bytes = b"application/grpc") -> bytes:
    """The header block of a call."""
    service = path or b"/" + SERVICES["traces"].encode() + b"/Export"
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", service),
        (b":authority", b"x"),
        (b"content-type", content_type),
        (b"te", b"trailers"),
        *([(b"grpc-encoding", encoding)] if encoding else []),
    ]
    return b"".join(_literal(*pair) for pair in fields)


def opened(block: bytes) -> bytes:
    """The beginning of a connection, and of a call with this header block."""
    return _PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, END_HEADERS, 1, block)


def message(body: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """A gRPC message: compression flag, length, bytes."""
    return bytes([flag]) + struct.pack(">I", len(body) if length is None else length) + body


GRPC: tuple[Callable[[random.Random, bytes], Bytes], ...] = (
    lambda rng, body: [rng.randbytes(rng.randrange(1, 400))],
    lambda rng, body: [_PREFACE[: rng.randrange(1, 24)]],
    lambda rng, body: [_PREFACE + rng.randbytes(rng.randrange(1, 400))],
    lambda rng, body: [opened(call()) + frame(DATA, END_STREAM, 1, message(body, rng.choice((1, 2, 127, 255))))],
    lambda rng, body: [
        opened(call(rng.choice((b"gzip", b"br", b"deflate", b"\xff")))) + frame(DATA, END_STREAM, 1, message(body, 1))
    ],
    lambda rng, body: [
        opened(call())
        + frame(DATA, END_STREAM, 1, message(body, 0, rng.choice((0, 1, len(body) + 1, 1 << 31, (1 << 32) - 1))))
    ],
    lambda rng, body: [opened(call()) + frame(DATA, END_STREAM, 1, message(body) * rng.choice((2, 30)))],
    lambda rng, body: [opened(call()) + frame(DATA, END_STREAM, 1, message(body)[: rng.randrange(6)])],
    lambda rng, body: [opened(call()) + frame(DATA, 0, 1, message(body))[: rng.randrange(9, 40)]],
    lambda rng, body: [opened(call()) + frame(RST, 0, 1, b"\0\0\0\x08") + frame(DATA, END_STREAM, 1, message(body))],
    lambda rng, body: [
        opened(call())
        + frame(rng.randrange(256), rng.randrange(256), rng.choice((0, 1, 2, 3)), rng.randbytes(rng.randrange(60)))
    ],
    lambda rng, body: [
        opened(
            call(
                path=rng.choice(
                    (b"/", b"/x/Export", b"/opentelemetry.proto.collector.trace.v1.TraceService/X", b"\xff")
                )
            )
        )
        + frame(DATA, END_STREAM, 1, message(body))
    ],
    lambda rng, body: [
        opened(call(content_type=rng.choice((b"text/html", b"application/grpc+json", b""))))
        + frame(DATA, END_STREAM, 1, message(body))
    ],
    lambda rng, body: [opened(rng.randbytes(rng.randrange(1, 80)))],
    lambda rng, body: [
        _PREFACE
        + frame(SETTINGS, 0, 0, b"")
        + frame(HEADERS, 0, 1, call())
        + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b") * rng.choice((1, 2000))
    ],
    lambda rng, body: [_PREFACE + frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1") * rng.choice((1, 3000))],
    lambda rng, body: [_PREFACE + frame(SETTINGS, 0, 0, b"") + frame(PING, 0, 0, b"12345678") * rng.choice((1, 3000))],
    lambda rng, body: [
        _PREFACE
        + frame(SETTINGS, 0, 0, b"")
        + b"".join(
            frame(HEADERS, END_HEADERS, 2 * n + 1, call()) + frame(RST, 0, 2 * n + 1, b"\0\0\0\x08")
            for n in range(rng.choice((3, 1000)))
        )
    ],
    lambda rng, body: [opened(call()) + frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff") * 3 + frame(GOAWAY, 0, 0, bytes(8))],
    lambda rng, body: [opened(call()), *(message(body)[at : at + 40] for at in range(0, 200, 40))],
    lambda rng, body: [b"POST /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n"],
)


def attack(part: Part, port: int, seed: int, count: int, bodies: Sequence[bytes], over_grpc: bool) -> None:
    """Opens `count` broken connections to a port of this machine, one after the other."""
    kinds = GRPC if over_grpc else HTTP
    name = "h2" if over_grpc else "http"
    for number in range(count):
        rng = random.Random((seed << 40) + number)
        kind = number % len(kinds)
        pieces = kinds[kind](rng, rng.choice(bodies))
        began = time.monotonic()
        outcome = _exchange(port, pieces)
        part.sent += 1
        part.answers[f"{name} {outcome}"] += 1
        if outcome.startswith("5") and outcome not in {"501", "505"}:
            part.find(f"{name} connection {number} of kind {kind} was answered {outcome}")
        if outcome == "refused":
            part.find(f"{name} connection {number}: the port is closed, after one of kind {kind - 1}")
        if time.monotonic() - began > ANSWER_SECONDS:
            part.find(f"{name} connection {number} of kind {kind} took {time.monotonic() - began:.0f} s")


def _connected(port: int) -> socket.socket | None:
    """A connection; the gRPC port may take a moment to open again."""
    deadline = time.monotonic() + REOPEN_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
        time.sleep(0.1)
    return None


def _exchange(port: int, pieces: Bytes) -> str:
    """What came back: an HTTP status, `frames`, `closed` without an answer, `waits` for the rest, or `refused`."""
    connection = _connected(port)
    if connection is None:
        return "refused"
    with connection:
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(SLOW_SECONDS / len(pieces))
                connection.sendall(piece)
            connection.settimeout(0.5)
            answer = connection.recv(65_536)
        except TimeoutError:
            return "waits"
        except OSError:
            return "closed"
    if answer.startswith(b"HTTP/1.1 "):
        return answer[9:12].decode("ascii", "replace")
    return "frames" if answer else "closed"
