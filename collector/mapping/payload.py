"""OTLP requests from a file: protobuf, JSON, or JSON lines as the OpenTelemetry Collector's file exporter writes them.

Each may be gzipped.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector.otlp_json import to_protobuf
from collector.segment import Signal
from collector.validate import MalformedError, parse
from leewatch.errors import InputError
from leewatch.jsonl import GZIP_MAGIC

LARGEST = 64 << 20
_WANTED = (
    "Give an OTLP request (ExportTraceServiceRequest or ExportLogsServiceRequest) as protobuf or JSON, gzipped or not."
)
_JSON_KEYS: dict[str, Signal] = {
    "resourceSpans": "traces", "resource_spans": "traces", "resourceLogs": "logs", "resource_logs": "logs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """One OTLP request as protobuf bytes."""

    signal: Signal
    body: bytes


def read(path: str, signal: Signal | None = None) -> list[Request]:
    """The requests of a file, "-" for standard input. signal: what a protobuf file holds; unset: found out.

    Raises InputError, naming the file and what is wrong, when it holds none.
    """
    data = _inflated(path, _bytes(path))
    if not data.strip():
        raise InputError(f"{path} is empty. {_WANTED}")
    if data.lstrip()[:1] in (b"{", b"["):
        return list(_from_json(path, data))
    return [_from_protobuf(path, data, signal)]


def _bytes(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(LARGEST + 1)
        with Path(path).open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. {_WANTED}") from None


def _inflated(path: str, data: bytes) -> bytes:
    if data[:2] == GZIP_MAGIC:
        try:
            unpacker = zlib.decompressobj(wbits=31)
            data = unpacker.decompress(data, LARGEST + 1)
            if not unpacker.eof and len(data) <= LARGEST:
                raise EOFError("it ends early")
        except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path} is not a complete gzip file: {error}") from None
    if len(data) > LARGEST:
        raise InputError(f"{path} is larger than {LARGEST >> 20} MB. Give one request of it.")
    return data


def _from_json(path: str, data: bytes) -> Iterator[Request]:
    try:
        documents = [("", orjson.loads(data))]
    except orjson.JSONDecodeError as error:
        lines = [(f":{number}", line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
        if len(lines) < 2:
            raise InputError(f"{path} is not valid JSON: {error}") from None
        documents = [(place, _line(f"{path}{place}", line)) for place, line in lines]
    for place, document in documents:
        found = [name for name in _JSON_KEYS if isinstance(document, dict) and name in document]
        if not found:
            raise InputError(f"{path}{place} has neither resourceSpans nor resourceLogs. {_WANTED}")
        try:
            yield Request(_JSON_KEYS[found[0]], to_protobuf(_JSON_KEYS[found[0]], orjson.dumps(document)))
        except MalformedError as error:
            raise InputError(f"{path}{place}: {error}") from None


def _line(place: str, line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not valid JSON: {error}") from None


def _from_protobuf(path: str, data: bytes, signal: Signal | None) -> Request:
    """The wire format does not tell traces from logs: only one of both has ids of the right length and items at all."""
    reasons: list[str] = []
    candidates: tuple[Signal, ...] = (signal,) if signal else ("traces", "logs")
    for candidate in candidates:
        try:
            message = parse(candidate, data)
        except MalformedError as error:
            reasons.append(str(error))
            continue
        if _plausible(candidate, message):
            return Request(candidate, data)
        reasons.append(f"no {'spans' if candidate == 'traces' else 'log records'} with ids and times in it")
    raise InputError(f"{path} is no OTLP request: {'; '.join(reasons)}. {_WANTED}")


def _plausible(signal: Signal, message: object) -> bool:
    groups = message.resource_spans if signal == "traces" else message.resource_logs  # type: ignore[attr-defined]
    scopes = [scope for group in groups for scope in (group.scope_spans if signal == "traces" else group.scope_logs)]
    items = [item for scope in scopes for item in (scope.spans if signal == "traces" else scope.log_records)]
    if signal == "traces":
        return any(len(item.trace_id) == 16 and item.start_time_unix_nano for item in items)
    return any(item.time_unix_nano or item.observed_time_unix_nano for item in items)
