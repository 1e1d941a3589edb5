"""The format of a spool segment: a run of checksummed records, readable after any crash (pure).

A segment is `MAGIC` and then records. A record is a fixed header and, for a request, its bytes (one OTLP protobuf
request). Where the request is of another project than `default`, its kind has the bit PROJECT_BIT, and the project's name
stands before the bytes, one byte of length first. The checksum covers all of it, so what a crash left half-written at the
end is recognized and cut.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Literal

from leewatch.projects import DEFAULT_PROJECT

Signal = Literal["traces", "logs", "metrics"]
SIGNALS: tuple[Signal, ...] = ("traces", "logs", "metrics")

MAGIC = b"LWSEG\x00\x01\n"
_CHECKSUM = struct.Struct("<I")
# kind, payload length, received, rejected, duplicate, first and last event time (ns), received at (ms), digest
_FIELDS = struct.Struct("<BIIIIQQQ16s")
HEADER_SIZE = _CHECKSUM.size + _FIELDS.size
NO_DIGEST = bytes(16)
PROJECT_BIT = 0x80


class Kind(IntEnum):
    """What a record says."""

    REQUEST = 1  # an accepted request, payload follows
    NOTE = 2  # counts only: a duplicate, or a request of which nothing was accepted
    SETTLED = 3  # the ledger was read; payload is a Settlement as JSON
    DROPPED = 4  # a request whose payload was given up for space after its insert


_KINDS = frozenset(int(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Counts are spans, log records or data points; times are ns since the epoch, `at_ms` is ms.

    digest: of project and bytes. offset: where the payload lies in the segment; 0 before it was written.
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
    project: str = DEFAULT_PROJECT

    @property
    def accepted(self) -> int:
        """Spans that are to be stored."""
        return self.received - self.rejected - self.duplicate


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one project's part of a segment ended: spans stored (as the ledger says), spans in dead_letters."""

    stored: int = 0
    dead_lettered: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a segment ended, by project, and when (s since the epoch), in which boot of the machine."""

    outcomes: Mapping[str, Outcome]
    at: float
    boot: str = ""

    @property
    def stored(self) -> int:
        """Spans of all projects that were stored."""
        return sum(outcome.stored for outcome in self.outcomes.values())

    @property
    def dead_lettered(self) -> int:
        """Spans of all projects that the database refused."""
        return sum(outcome.dead_lettered for outcome in self.outcomes.values())

    def encode(self) -> bytes:
        outcomes = {name: [outcome.stored, outcome.dead_lettered] for name, outcome in self.outcomes.items()}
        return json.dumps([outcomes, self.at, self.boot]).encode()

    @classmethod
    def decode(cls, payload: bytes) -> Settlement:
        """Reads the older form too, [stored, dead_lettered, at, boot], in which all spans are of one project."""
        outcomes, *rest = json.loads(payload)
        if isinstance(outcomes, int):
            dead_lettered, *rest = rest
            return cls({DEFAULT_PROJECT: Outcome(outcomes, dead_lettered)}, *rest)
        return cls({name: Outcome(*counts) for name, counts in outcomes.items()}, *rest)


@dataclass(slots=True)
class Segment:
    """One segment as this process knows it. `token` is the dedup token of its insert.

    recovered: read at start, so an earlier process may have sent it to the database.
    unclear: inserts of it that failed for a reason that may lie in its data, the first at aside_since (monotonic).
    due: monotonic time before which it is not to be tried again. tried: such failures by what was tried.
    """

    path: Path
    signal: Signal
    number: int
    records: list[Record] = field(default_factory=list)
    size: int = len(MAGIC)
    opened: float = 0.0
    recovered: bool = False
    unclear: int = 0
    aside_since: float = 0.0
    due: float = 0.0
    tried: Counter[str] = field(default_factory=Counter)
    settlement: Settlement | None = None

    @property
    def token(self) -> str:
        return self.path.stem

    @property
    def requests(self) -> list[Record]:
        return [record for record in self.records if record.kind is Kind.REQUEST]

    @property
    def accepted(self) -> int:
        return sum(record.accepted for record in self.records)


def encode(record: Record, payload: bytes = b"") -> bytes:
    """Everything of a record that stands before its payload."""
    name = b"" if record.project == DEFAULT_PROJECT else record.project.encode()
    prefix = bytes((len(name),)) + name if name else b""
    fields = _FIELDS.pack(
        record.kind | (PROJECT_BIT if name else 0),
        len(prefix) + len(payload),
        record.received,
        record.rejected,
        record.duplicate,
        record.first_ns,
        record.last_ns,
        record.at_ms,
        record.digest,
    )
    return _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(prefix, zlib.crc32(fields)))) + fields + prefix


def scan(data: bytes | memoryview) -> Iterator[Record]:
    """Every whole record of a segment, in order; ends at the first one that is torn or damaged.

    The good part ends at `offset + length` of the last record, or at `len(MAGIC)`.
    """
    view = memoryview(data)
    if bytes(view[: len(MAGIC)]) != MAGIC:
        return
    position = len(MAGIC)
    while (record := read_record(view, position)) is not None:
        yield record
        position = record.offset + record.length


def read_record(view: memoryview, position: int) -> Record | None:
    """The whole record whose header begins there; None when there is none, or its checksum does not fit."""
    start = position + HEADER_SIZE
    if start > len(view):
        return None
    fields = view[position + _CHECKSUM.size : start]
    kind, length, received, rejected, duplicate, first, last, at_ms, digest = _FIELDS.unpack(fields)
    end = start + length
    if end > len(view) or kind & ~PROJECT_BIT not in _KINDS:
        return None
    (checksum,) = _CHECKSUM.unpack_from(view, position)
    if zlib.crc32(view[start:end], zlib.crc32(fields)) != checksum:
        return None
    project = DEFAULT_PROJECT
    if kind & PROJECT_BIT:
        named = start + 1 + view[start]
        project, start = bytes(view[start + 1 : named]).decode(), named
    counts = received, rejected, duplicate, first, last, at_ms, digest
    return Record(Kind(kind & ~PROJECT_BIT), *counts, end - start, start, project)


def without_payloads(segment: Segment) -> tuple[list[Record], bytes]:
    """Records and content of a settled segment whose requests gave up their bytes: counts and digests stay."""
    assert segment.settlement is not None
    kept = [
        replace(record, kind=Kind.DROPPED) if record.kind is Kind.REQUEST else record
        for record in segment.records
        if record.kind in {Kind.REQUEST, Kind.NOTE, Kind.DROPPED}
    ]
    payload = segment.settlement.encode()
    parts = [MAGIC, *(encode(record) for record in kept), encode(Record(Kind.SETTLED), payload), payload]
    return kept, b"".join(parts)


def end_of(records: list[Record]) -> int:
    """Length of the good part of a segment that holds these records."""
    return records[-1].offset + records[-1].length if records else len(MAGIC)
