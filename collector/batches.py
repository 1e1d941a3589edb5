"""What one insert carries: for each project of a segment a batch of requests, told apart by the fields behind them.

An insert is a run of messages in protobuf's delimited form (a length before each), which the database reads as rows of the
landing table. A message is the requests of one project one after the other, which is one request again, and our fields.
So a segment takes one insert however many projects share it, and each project's batch has its own row in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from collector.pieces import PART_NS, Piece, by_period, period_of
from collector.segment import Record, Segment, Signal
from collector.spool import Spool
from leewatch.projects import DEFAULT_PROJECT
from leewatch.semconv.protobuf import EXTRA_FIELDS, varint


@dataclass(frozen=True, slots=True)
class Batch:
    """The requests of one project in one segment. `name` stands in every row that comes of it, and in the ledger.

    received_ns: receive time of all of it, ns since the epoch.
    """

    name: str
    project: str
    received_ns: int
    records: tuple[Record, ...]

    @property
    def accepted(self) -> int:
        """Spans, log records or data points that are to be stored."""
        return sum(record.accepted for record in self.records)


@dataclass(frozen=True, slots=True)
class Message:
    """A batch's share of one insert: so many bytes, in pieces."""

    batch: Batch
    size: int
    bodies: Iterable[bytes]

    @classmethod
    def of(cls, batch: Batch, bodies: Sequence[bytes]) -> Message:
        return cls(batch, sum(map(len, bodies)), bodies)

    def encode(self, redaction_key: bytes = b"") -> Iterator[bytes]:
        """The message as it stands in the insert. redaction_key: what hashed values are keyed with, where any are."""
        end = trailer(self.batch, redaction_key)
        yield varint(self.size + len(end))
        yield from self.bodies
        yield end


def batches(segment: Segment) -> list[Batch]:
    """What the segment holds to be stored, by project, in order of first appearance."""
    grouped: dict[str, list[Record]] = {}
    for record in segment.requests:
        grouped.setdefault(record.project, []).append(record)
    at = received_ns(segment) if segment.records else 0
    return [Batch(_name(segment, project), project, at, tuple(own)) for project, own in grouped.items()]


def _name(segment: Segment, project: str) -> str:
    """No two projects share a name, and a project's name has no @."""
    return segment.token if project == DEFAULT_PROJECT else f"{segment.token}@{project}"


def inserts(spool: Spool, segment: Segment) -> Iterator[tuple[str, list[Message]]]:
    """(dedup token, messages) of each insert of a segment: one, unless its spans cover too many days."""
    whole = batches(segment)
    if not whole:
        return
    first = min(record.first_ns for record in segment.requests)
    last = max(record.last_ns for record in segment.requests)
    if last - first <= PART_NS:
        sizes = (sum(record.length for record in batch.records) for batch in whole)
        yield (
            segment.token,
            [
                Message(batch, size, spool.payloads(segment, batch.records))
                for batch, size in zip(whole, sizes, strict=True)
            ],
        )
        return
    grouped: dict[int, list[Message]] = {}
    for batch in whole:
        for number, bodies in _by_period(spool, segment, batch).items():
            grouped.setdefault(number, []).append(Message.of(batch, bodies))
    for number in sorted(grouped):
        yield f"{segment.token}/{number}", grouped[number]


def _by_period(spool: Spool, segment: Segment, batch: Batch) -> dict[int, list[bytes]]:
    grouped: dict[int, list[bytes]] = {}
    before = 0
    for record, payload in zip(batch.records, spool.payloads(segment, batch.records), strict=True):
        period = period_of(record.first_ns)
        # Data points are known by their position in the batch, which parts of it must be told.
        whole = period == period_of(record.last_ns) and segment.signal != "metrics"
        parts = {period: payload} if whole else by_period(segment.signal, payload, batch.received_ns, before)
        before += record.accepted
        for number, body in parts.items():
            grouped.setdefault(number, []).append(body)
    return grouped


def periods(signal: Signal, group: Sequence[Piece], received_ns: int) -> Iterator[list[Piece]]:
    """The pieces in groups that each fit one insert."""
    grouped: dict[int, list[Piece]] = {}
    for piece in group:
        grouped.setdefault(next(iter(by_period(signal, piece.body, received_ns))), []).append(piece)
    yield from grouped.values()


def fresh_token(batch: str, group: Sequence[Piece]) -> str:
    """A token for exactly these pieces, the same after every restart."""
    return f"{batch}/{hashlib.sha256(repr([piece.key for piece in group]).encode()).hexdigest()[:24]}"


def received_ns(segment: Segment) -> int:
    """When the first request of a segment came, ns since the epoch: the receive time of all of it."""
    return segment.records[0].at_ms * 1_000_000


def trailer(batch: Batch, redaction_key: bytes = b"") -> bytes:
    """Protobuf fields behind a concatenated request by which the views learn project, receive time and batch."""
    return b"".join(
        (
            _text_field(EXTRA_FIELDS["project"], batch.project.encode()),
            varint(EXTRA_FIELDS["received_at"] << 3) + varint(batch.received_ns),
            _text_field(EXTRA_FIELDS["batch"], batch.name.encode()),
            _text_field(EXTRA_FIELDS["redaction_key"], redaction_key) if redaction_key else b"",
        )
    )


def _text_field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data
