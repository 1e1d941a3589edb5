"""What must come of a case, said by OTLP's own message classes (pure)."""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector import otlp_json, status
from collector.bench.fuzz.mutate import Case
from collector.body import reader
from collector.segment import Signal
from collector.validate import REQUESTS, MalformedError
from leewatch.semconv import wire

TYPES = (status.PROTOBUF, status.JSON)
_RESPONSES: dict[Signal, tuple[Any, str]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}


def sent(case: Case) -> bytes | None:
    """The request as protobuf bytes; None where content type, encoding or JSON forbid."""
    content_type = case.content_type.partition(";")[0]
    plain = case.plain if case.plain is not None else _inflated(case)
    if plain is None or content_type not in TYPES:
        return None
    try:
        return plain if content_type == status.PROTOBUF else otlp_json.to_protobuf(case.signal, plain)
    except MalformedError:
        return None


def _inflated(case: Case) -> bytes | None:
    """What is behind a damaged body: damage to a header, or to all of it, leaves one that can be read."""
    collected = reader(case.encoding, len(case.body) + (1 << 20))
    if collected is None:
        return None
    try:
        collected.feed(case.body)
        return collected.finish()
    except ValueError:
        return None


def is_valid(signal: Signal, body: bytes) -> bool:
    """Whether OTLP's own class reads it, or what is left of it once values that later ones replace are gone.

    Of a member that is sent twice the last counts (protobuf, "Last One Wins"); the class still looks into the first.
    """
    return _reads(signal, body) or _reads(signal, _canonical(signal, body))


def _reads(signal: Signal, body: bytes | None) -> bool:
    if body is None:
        return False
    try:
        REQUESTS[signal].FromString(body)
    except DecodeError:
        return False
    return True


def _canonical(signal: Signal, body: bytes) -> bytes | None:
    try:
        return wire.write(signal, wire.read(signal, body))
    except MalformedError:
        return None


def seen(signal: Signal, body: bytes) -> int | None:
    """Items of a request whose values are not looked into; None where it cannot be read even so."""
    try:
        return items(signal, wire.read(signal, body))
    except MalformedError:
        return None


def items(signal: Signal, request: Any) -> int:
    """Spans, log records or data points of a request message."""
    if signal == "traces":
        return sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
    if signal == "logs":
        return sum(len(scope.log_records) for group in request.resource_logs for scope in group.scope_logs)
    metrics = (m for group in request.resource_metrics for scope in group.scope_metrics for m in scope.metrics)
    return sum(len(getattr(metric, kind).data_points) for metric in metrics if (kind := metric.WhichOneof("data")))


def rejected(signal: Signal, content_type: str, answer: bytes) -> int:
    """Items that a successful answer says were refused. Raises DecodeError, ValueError for no such answer."""
    kind, member = _RESPONSES[signal]
    if content_type == status.JSON:
        camel = "".join(part.title() if number else part for number, part in enumerate(member.split("_")))
        return int(orjson.loads(answer).get("partialSuccess", {}).get(camel, 0))
    return int(getattr(kind.FromString(answer).partial_success, member))


def told(content_type: str, answer: bytes) -> bool:
    """Whether a refusal says why, as OTLP wants it: google.rpc.Status in the content type of the request."""
    try:
        if content_type == status.JSON:
            return bool(orjson.loads(answer).get("message"))
        return bool(Status.FromString(answer).message)
    except (DecodeError, ValueError):
        return False
