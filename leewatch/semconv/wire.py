"""OTLP requests in the form in which the landing tables read them: canonical protobuf, values nested once at most.

AnyValue nests without limit, a table's columns do not, and each level of them makes every insert dearer. So the database reads
scalars and lists of scalars; a map, or a list that holds more than scalars, becomes its JSON text here. Such values are rare
on spans and found at no cost: requests are parsed with OTLP's own descriptors in which a value too deep has a required field
that is never there, so that writing such a message fails. Only then is a request walked.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any, Literal

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, EncodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

Signal = Literal["traces", "logs", "metrics"]

REQUESTS: dict[Signal, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
"""Message class of each signal's request, as opentelemetry-proto defines it."""

_COMMON = "opentelemetry.proto.common.v1"
_TOO_DEEP = "leewatch.TooDeep"
_LARGEST_FIELD = 536_870_911
_EXACT = 1 << 53


class MalformedError(ValueError):
    """The bytes are not the request they claim to be."""


def parse(signal: Signal, body: bytes) -> Any:
    """The request message as OTLP defines it. Raises MalformedError."""
    return _parsed(REQUESTS[signal], body)


def read(signal: Signal, body: bytes) -> Any:
    """The request message, for `write`: the same fields as in `parse`, but values that nest cannot be looked into.

    Raises MalformedError.
    """
    return _parsed(_FLAT[signal], body)


def write(signal: Signal, request: Any) -> bytes:
    """What a landing table reads of a request that `read` gave: canonical bytes without fields that OTLP does not define.

    Raises MalformedError for values nested deeper than protobuf reads (100 messages).
    """
    request.DiscardUnknownFields()
    try:
        return bytes(request.SerializeToString())
    except EncodeError:  # the required field of a value that is too deep is missing
        whole = parse(signal, request.SerializePartialToString())
    whole.DiscardUnknownFields()
    for value in _values(signal, whole):
        _flatten(value)
    return bytes(whole.SerializeToString())


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise MalformedError(f"not a protobuf {kind.DESCRIPTOR.name}: {error}") from None


# -- descriptors ------------------------------------------------------------------------------------------------------


def _flat_classes() -> dict[Signal, Any]:
    """OTLP's request classes, made anew with values that nest once."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_too_deep_file())
    pool.Add(_common_file())
    modules = (resource_pb2, trace_pb2, logs_pb2, metrics_pb2)
    for module in (*modules, trace_service_pb2, logs_service_pb2, metrics_service_pb2):
        pool.Add(_file(module))
    return {
        signal: message_factory.GetMessageClass(pool.FindMessageTypeByName(kind.DESCRIPTOR.full_name))
        for signal, kind in REQUESTS.items()
    }


def _file(module: Any) -> descriptor_pb2.FileDescriptorProto:
    described = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(described)
    return described


def _too_deep_file() -> descriptor_pb2.FileDescriptorProto:
    package, name = _TOO_DEEP.split(".")
    described = descriptor_pb2.FileDescriptorProto(name="leewatch/too_deep.proto", package=package, syntax="proto2")
    field = descriptor_pb2.FieldDescriptorProto
    message = described.message_type.add(name=name)
    # The members of ArrayValue and of KeyValueList alike; unread, so that nothing of them is lost before they are.
    message.field.add(name="values", number=1, label=field.LABEL_REPEATED, type=field.TYPE_BYTES)
    message.field.add(name="never", number=_LARGEST_FIELD, label=field.LABEL_REQUIRED, type=field.TYPE_BOOL)
    return described


def _common_file() -> descriptor_pb2.FileDescriptorProto:
    described = _file(common_pb2)
    described.dependency.append("leewatch/too_deep.proto")
    messages = {message.name: message for message in described.message_type}
    scalar = described.message_type.add()
    scalar.CopyFrom(messages["AnyValue"])
    scalar.name = "ScalarValue"
    _forbid(messages["AnyValue"], {"kvlist_value"})
    _forbid(scalar, {"array_value", "kvlist_value"})
    (values,) = messages["ArrayValue"].field
    values.type_name = f".{_COMMON}.ScalarValue"
    return described


def _forbid(message: descriptor_pb2.DescriptorProto, fields: set[str]) -> None:
    for field in message.field:
        if field.name in fields:
            field.type_name = f".{_TOO_DEEP}"


_FLAT = _flat_classes()


# -- deep values ------------------------------------------------------------------------------------------------------


def _values(signal: Signal, request: Any) -> Iterator[Any]:
    """Every AnyValue that a landing table reads."""
    groups = {"traces": "resource_spans", "logs": "resource_logs", "metrics": "resource_metrics"}[signal]
    scopes = {"traces": "scope_spans", "logs": "scope_logs", "metrics": "scope_metrics"}[signal]
    inside = {"traces": _of_spans, "logs": _of_records, "metrics": _of_metrics}[signal]
    for group in getattr(request, groups):
        yield from _of(group.resource.attributes)
        for scope in getattr(group, scopes):
            yield from _of(scope.scope.attributes)
            yield from inside(scope)


def _of(attributes: Any) -> Iterator[Any]:
    for attribute in attributes:
        yield attribute.value


def _of_spans(scope: Any) -> Iterator[Any]:
    for span in scope.spans:
        yield from _of(span.attributes)
        for event in span.events:
            yield from _of(event.attributes)
        for link in span.links:
            yield from _of(link.attributes)


def _of_records(scope: Any) -> Iterator[Any]:
    for record in scope.log_records:
        yield record.body
        yield from _of(record.attributes)


def _of_metrics(scope: Any) -> Iterator[Any]:
    for metric in scope.metrics:
        yield from _of(metric.metadata)
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points if kind else ():
            yield from _of(point.attributes)
            for exemplar in getattr(point, "exemplars", ()):
                yield from _of(exemplar.filtered_attributes)


def _flatten(value: Any) -> None:
    """Replaces a map, or a list of more than scalars, by its JSON text."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value" or (kind == "array_value" and _is_deep(value.array_value.values)):
        value.string_value = json_text(value)


def _is_deep(values: Any) -> bool:
    return any(value.WhichOneof("value") in {"array_value", "kvlist_value"} for value in values)


def json_text(value: Any) -> str:
    """JSON of an AnyValue: bytes are base64, nan and infinities are strings, no value is null; a key sent twice stays twice."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return orjson.dumps(value.string_value).decode()
    if kind == "kvlist_value":
        members = (f"{orjson.dumps(kv.key).decode()}:{json_text(kv.value)}" for kv in value.kvlist_value.values)
        return "{" + ",".join(members) + "}"
    if kind == "array_value":
        return "[" + ",".join(map(json_text, value.array_value.values)) + "]"
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        return _number(value.double_value)
    if kind == "bytes_value":
        return orjson.dumps(base64.b64encode(value.bytes_value).decode()).decode()
    return "null"


def _number(number: float) -> str:
    if not math.isfinite(number):
        return f'"{number}"'
    # The database writes 2.0 as 2: equal values have equal texts, whichever of the two wrote them.
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)
