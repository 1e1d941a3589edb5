"""The format of a spool segment: a run of checksummed records, readable after any crash (pure).

A segment is `MAGIC` and then records. A record is a fixed header and, for a request, its bytes (one OTLP protobuf
request). The checksum covers header and payload, so what a crash left half-written at the end is recognized and cut.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal

Signal = Literal["traces", "logs"]
SIGNALS: tuple[Signal, ...] = ("traces", "logs")

MAGIC = b"LWSEG\x00\x01\n"
_CHECKSUM = struct.Struct("<I")
# kind, payload length, received, rejected, duplicate, first and last event time (ns), received at (ms), digest
_FIELDS = struct.Struct("<BIIIIQQQ16s")
HEADER_SIZE = _CHECKSUM.size + _FIELDS.size
NO_DIGEST = bytes(16)


class Kind(IntEnum):
    """What a record says."""

    REQUEST = 1  # an accepted request, payload follows
    NOTE = 2  # counts only: a duplicate, or a request of which nothing was accepted
    SETTLED = 3  # the ledger was read; payload is a Settlement as JSON
    DROPPED = 4  # a request whose payload was given up for space after its insert


_KINDS = frozenset(int(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Counts are spans (or log records); times are ns since the epoch, `at_ms` is ms.

    offset: where the payload lies in the segment; 0 before it was written.
    """

    kind: Kind
    received: int = 0
    rejected: int = 0
    duplicate: int = 0
    first_ns: int = 0
    last_ns: int = 0
    at_ms: int = 0
    digest: bytes = NO_DIGEST
    length: int = 0
    offset: int = 0

    @property
    def accepted(self) -> int:
        """Spans that are to be stored."""
        return self.received - self.rejected - self.duplicate


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a segment ended: spans stored (as the ledger says), spans in dead_letters, when (s since the epoch)."""

    stored: int
    dead_lettered: int
    at: float
    boot: str = ""

    def encode(self) -> bytes:
        return json.dumps([self.stored, self.dead_lettered, self.at, self.boot]).encode()

    @classmethod
    def decode(cls, payload: bytes) -> Settlement:
        stored, dead_lettered, at, boot = json.loads(payload)
        return cls(stored, dead_lettered, at, boot)


@dataclass(slots=True)
class Segment:
    """One segment as this process knows it. `batch` is the dedup token of its insert and its name in the ledger.

    recovered: read at start, so an earlier process may have sent it to the database.
    """

    path: Path
    signal: Signal
    number: int
    records: list[Record] = field(default_factory=list)
    size: int = len(MAGIC)
    opened: float = 0.0
    recovered: bool = False
    settlement: Settlement | None = None

    @property
    def batch(self) -> str:
        return self.path.stem

    @property
    def requests(self) -> list[Record]:
        return [record for record in self.records if record.kind is Kind.REQUEST]

    @property
    def accepted(self) -> int:
        return sum(record.accepted for record in self.records)


def encode(record: Record, payload: bytes = b"") -> bytes:
    """Header of a record; the payload is to be written right behind it."""
    fields = _FIELDS.pack(
        record.kind,
        len(payload),
        record.received,
        record.rejected,
        record.duplicate,
        record.first_ns,
        record.last_ns,
        record.at_ms,
        record.digest,
    )
    return _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(fields))) + fields


def scan(data: bytes | memoryview) -> Iterator[Record]:
    """Every whole record of a segment, in order; ends at the first one that is torn or damaged.

    The good part ends at `offset + length` of the last record, or at `len(MAGIC)`.
    """
    view = memoryview(data)
    if bytes(view[: len(MAGIC)]) != MAGIC:
        return
    position = len(MAGIC)
    while position + HEADER_SIZE <= len(view):
        fields = view[position + _CHECKSUM.size : position + HEADER_SIZE]
        kind, length, received, rejected, duplicate, first, last, at_ms, digest = _FIELDS.unpack(fields)
        start = position + HEADER_SIZE
        end = start + length
        if end > len(view) or kind not in _KINDS:
            return
        (checksum,) = _CHECKSUM.unpack_from(view, position)
        if zlib.crc32(view[start:end], zlib.crc32(fields)) != checksum:
            return
        yield Record(Kind(kind), received, rejected, duplicate, first, last, at_ms, digest, length, start)
        position = end


def end_of(records: list[Record]) -> int:
    """Length of the good part of a segment that holds these records."""
    return records[-1].offset + records[-1].length if records else len(MAGIC)
