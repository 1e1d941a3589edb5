"""Bytes of an OTLP request to bytes worth storing, or a typed rejection (pure).

Attributes are never looked at: the database decodes them. Walking the spans costs one id check and one time each.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collector import points
from collector.oversize import cut, has_longer
from collector.segment import Signal
from leewatch.projects import DEFAULT_PROJECT
from leewatch.semconv import wire
from leewatch.semconv.landing import EARLIEST_NS
from leewatch.semconv.wire import REQUESTS, MalformedError, parse

__all__ = ["REQUESTS", "MalformedError", "TooManyError", "Verdict", "check", "digest", "parse"]

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)
_NEVER = 1 << 64
LARGE_BYTES = 1 << 20
MOST_ITEMS = 1_000_000
_EMPTY = (b"\x0a\x00", b"\x12\x00", b"\x2a\x00", b"\x32\x00", b"\x3a\x00", b"\x4a\x00", b"\x5a\x00", b"\x6a\x00")
"""Tag and length of empty messages in the fields of OTLP that repeat: 1, 2, 5, 6, 7, 9, 11, 13."""
_LEVELS: dict[Signal, tuple[str, str, str]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


class TooManyError(ValueError):
    """The bytes hold more messages than any sender would put into one request; decoding them would cost everyone dearly."""


LONGEST_VALUE_BYTES = 4 << 20
"""About a million tokens of English."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of one request.

    payload: the bytes to store: what was not refused, in protobuf's canonical form.
    received, rejected: spans, log records or data points.
    first_ns, last_ns: range of event times of what is stored; times before EARLIEST_NS do not count,
    the database replaces them by that of receipt. reason: for the sender, empty when nothing was refused.
    digest: of the project and the bytes as received: the same bytes of another project are another request.
    truncated: values that were cut.
    """

    payload: bytes
    received: int
    rejected: int
    first_ns: int
    last_ns: int
    reason: str
    digest: bytes
    truncated: int = 0


def check(
    signal: Signal, body: bytes, project: str = DEFAULT_PROJECT, longest_value: int = LONGEST_VALUE_BYTES
) -> Verdict:
    """Judges the decompressed protobuf bytes of one request of a project. Raises MalformedError, TooManyError.

    longest_value: bytes of a value beyond which it is cut and flagged.
    """
    _refuse_hollow(body)
    request = wire.read(signal, body)
    _refuse_crowded(signal, request)
    received, rejected, first, last = _CHECKS[signal](request)
    if received > MOST_ITEMS:
        raise TooManyError(f"the request holds {received} data points; at most {MOST_ITEMS} are taken at once")
    if rejected:
        _remove(signal, request)
    # Written anew: the database reads repeated fields, foreign wire types and overlong numbers in its own way or not at
    # all, and fields from 1000 up are ours. Canonical bytes say to it what they said to the checks above.
    payload = wire.write(signal, request) if rejected < received else b""
    truncated = 0
    if len(body) > longest_value and signal != "metrics" and has_longer(request, longest_value):
        whole = parse(signal, payload)
        truncated = cut(whole, longest_value)
        payload = whole.SerializeToString()
    reason = _reason(signal, rejected) if rejected else ""
    return Verdict(payload, received, rejected, min(first, last), last, reason, digest(body, project), truncated)


def _refuse_hollow(body: bytes) -> None:
    """An empty message takes 2 bytes here and up to 180 when decoded. Counting their tags takes ms for the largest body.

    The most of them that a sender can mean are attributes with a name of one letter and an empty text: one in 9 bytes.
    """
    few = len(body) // 6
    # The length of each is a zero byte; counting single bytes is so much cheaper that it goes first.
    if len(body) > LARGE_BYTES and body.count(b"\x00") > few and sum(map(body.count, _EMPTY)) > few:
        raise TooManyError("the request consists of empty messages; lower the batch size of the exporter")


def _refuse_crowded(signal: Signal, request: Any) -> None:
    groups, scopes, items = _LEVELS[signal]
    held = getattr(request, groups)
    count = len(held)
    if count <= MOST_ITEMS:
        for group in held:
            inner = getattr(group, scopes)
            count += len(inner) + (
                sum(len(getattr(scope, items)) for scope in inner) if len(inner) <= MOST_ITEMS else 0
            )
    if count > MOST_ITEMS:
        raise TooManyError(
            f"the request holds {count} resources, scopes and {items.replace('_', ' ')}; at most {MOST_ITEMS} are taken at "
            "once: lower the batch size of the exporter"
        )


def digest(body: bytes, project: str) -> bytes:
    """16 bytes that tell requests apart. No project can make a request whose digest is that of another's."""
    plain = hashlib.sha256(body).digest()
    return plain[:16] if project == DEFAULT_PROJECT else hmac.digest(project.encode(), plain, "sha256")[:16]


def _reason(signal: Signal, rejected: int) -> str:
    if signal == "traces":
        return (
            f"{rejected} span(s) refused: trace_id must be 16 bytes, span_id 8 bytes, neither all zero "
            "(opentelemetry-proto trace.proto)"
        )
    if signal == "metrics":
        return f"{rejected} {points.REASON}"
    return f"{rejected} log record(s) refused: trace_id must be absent or 16 bytes, span_id absent or 8 bytes"


def _check_traces(request: Any) -> tuple[int, int, int, int]:
    received = rejected = last = 0
    first = _NEVER
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                received += 1
                trace_id, span_id = span.trace_id, span.span_id
                if len(trace_id) != 16 or len(span_id) != 8 or trace_id == _NO_TRACE or span_id == _NO_SPAN:
                    rejected += 1
                    continue
                start = span.start_time_unix_nano
                if EARLIEST_NS <= start < first:
                    first = start
                if start > last:
                    last = start
    return received, rejected, first, last


def _check_logs(request: Any) -> tuple[int, int, int, int]:
    received = rejected = last = 0
    first = _NEVER
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                received += 1
                if len(record.trace_id) not in {0, 16} or len(record.span_id) not in {0, 8}:
                    rejected += 1
                    continue
                # Which of the two the database takes depends on when it was received: both count.
                for at in (record.time_unix_nano, record.observed_time_unix_nano):
                    if EARLIEST_NS <= at < first:
                        first = at
                    if at > last:
                        last = at
    return received, rejected, first, last


_CHECKS: dict[Signal, Callable[[Any], tuple[int, int, int, int]]] = {
    "traces": _check_traces,
    "logs": _check_logs,
    "metrics": points.check,
}


def _remove(signal: Signal, request: Any) -> None:
    """Takes the refused items out of the request."""
    if signal == "metrics":
        for metric, of_metric, _, _ in points.metrics_of(request):
            _keep_only(of_metric, points.valid_points(metric, of_metric))
        return
    if signal == "traces":
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                _keep_only(scope.spans, [span for span in scope.spans if _span_is_valid(span)])
        return
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            kept = [r for r in scope.log_records if len(r.trace_id) in {0, 16} and len(r.span_id) in {0, 8}]
            _keep_only(scope.log_records, kept)


def _span_is_valid(span: Any) -> bool:
    return (
        len(span.trace_id) == 16 and len(span.span_id) == 8 and span.trace_id != _NO_TRACE and span.span_id != _NO_SPAN
    )


def _keep_only(items: Any, kept: list[Any]) -> None:
    if len(kept) == len(items):
        return
    copies = [type(item).FromString(item.SerializePartialToString()) for item in kept]
    del items[:]
    items.extend(copies)
