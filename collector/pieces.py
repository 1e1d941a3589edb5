"""Requests taken apart and put together again, span by span (pure). Needed only off the ordinary path.

The ordinary path never does this: a batch is the concatenation of the requests' bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from collector import points
from collector.segment import Signal
from collector.validate import REQUESTS, parse
from leewatch.semconv.landing import EARLIEST_NS, FUTURE_NS

Key = tuple[str, str, int]
"""(trace id, span id, time in ns): what identifies a span or a log record in a batch. The time of a span is left 0;
that of a log record is the one the database stores, which replaces a time that makes no sense by that of receipt.
A data point has no ids, and its position in the batch in place of a time."""

PART_NS = 90 * 86_400 * 10**9
"""Time that one insert covers: it may touch 100 day-partitions at most (max_partitions_per_insert_block)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One span, log record or data point as a request of its own."""

    key: Key
    body: bytes


def pieces(signal: Signal, body: bytes, received_ns: int) -> Iterator[Piece]:
    """Every span, log record or data point of a request, with its resource and scope, in order."""
    if signal == "metrics":
        for position, *point in points.walk(parse(signal, body)):
            yield Piece(("", "", position), points.alone(REQUESTS[signal](), position, *point))
        return
    for item, resource, scope in _walk(signal, parse(signal, body)):
        yield Piece(key_of(signal, item, received_ns), _request(signal, item, resource, scope))


def keys(signal: Signal, body: bytes, received_ns: int) -> Counter[Key]:
    """How often each key stands in a request."""
    if signal == "metrics":
        return Counter(("", "", position) for position, *_ in points.walk(parse(signal, body)))
    return Counter(key_of(signal, item, received_ns) for item, _, _ in _walk(signal, parse(signal, body)))


def by_period(signal: Signal, body: bytes, received_ns: int, base: int = 0) -> dict[int, bytes]:
    """The request split so that each part covers at most PART_NS: period number to request bytes.

    base: accepted items of the batch before this request.
    """
    parts: dict[int, list[bytes]] = {}
    if signal == "metrics":
        for position, point, *rest in points.walk(parse(signal, body), base):
            period = period_of(points.stored_time(point, received_ns))
            parts.setdefault(period, []).append(points.alone(REQUESTS[signal](), position, point, *rest))
        return {period: b"".join(bodies) for period, bodies in parts.items()}
    for item, resource, scope in _walk(signal, parse(signal, body)):
        parts.setdefault(period_of(_time(signal, item, received_ns)), []).append(
            _request(signal, item, resource, scope)
        )
    return {period: b"".join(bodies) for period, bodies in parts.items()}


def period_of(sent_ns: int) -> int:
    """Number of the period that holds this time; 0 for times that the database replaces by that of receipt."""
    return sent_ns // PART_NS if sent_ns >= EARLIEST_NS else 0


def key_of(signal: Signal, item: Any, received_ns: int) -> Key:
    """Key of one span or log record."""
    at = 0 if signal == "traces" else _stored_time(item, received_ns)
    return item.trace_id.hex(), item.span_id.hex(), at


def _stored_time(record: Any, received_ns: int) -> int:
    """Time of a log record as the view over otlp_logs chooses it."""
    for at in (record.time_unix_nano, record.observed_time_unix_nano):
        if EARLIEST_NS <= at <= received_ns + FUTURE_NS:
            return int(at)
    return received_ns


def _time(signal: Signal, item: Any, received_ns: int) -> int:
    return int(item.start_time_unix_nano) if signal == "traces" else _stored_time(item, received_ns)


def _walk(signal: Signal, request: Any) -> Iterator[tuple[Any, Any, Any]]:
    if signal == "traces":
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield span, resource, scope
        return
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield record, resource, scope


def _request(signal: Signal, item: Any, resource: Any, scope: Any) -> bytes:
    request = REQUESTS[signal]()
    outer = request.resource_spans.add() if signal == "traces" else request.resource_logs.add()
    outer.resource.CopyFrom(resource.resource)
    outer.schema_url = resource.schema_url
    inner = outer.scope_spans.add() if signal == "traces" else outer.scope_logs.add()
    inner.scope.CopyFrom(scope.scope)
    inner.schema_url = scope.schema_url
    (inner.spans if signal == "traces" else inner.log_records).append(item)
    return bytes(request.SerializeToString())


def bare(signal: Signal, body: bytes) -> bytes:
    """The request without what may hold texts: attributes, events, links, messages and bodies; data points as they are."""
    if signal == "metrics":
        return body
    request = parse(signal, body)
    for item, _, _ in _walk(signal, request):
        for name in ("attributes", "events", "links", "status") if signal == "traces" else ("attributes", "body"):
            item.ClearField(name)
    return bytes(request.SerializeToString())


def missing(expected: Iterable[Piece], present: Counter[Key]) -> list[Piece]:
    """The pieces that are not present, each key as often as it lacks."""
    left = Counter(present)
    lacking = []
    for piece in expected:
        if left[piece.key] > 0:
            left[piece.key] -= 1
        else:
            lacking.append(piece)
    return lacking
