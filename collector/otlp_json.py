"""OTLP/JSON to protobuf bytes, and answers back to JSON (pure).

OTLP's JSON mapping (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) is protobuf's with three
differences: ids are hex, not base64; enums are integers; unknown fields are ignored. The ids are rewritten, protobuf's
parser does the rest. It also takes enum names, 64-bit numbers as strings or numbers, and base64 bytesValue.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError

from collector.segment import Signal
from collector.validate import REQUESTS, MalformedError

# (lists that lead to the items, per signal); each in both spellings that protobuf's parser takes
_PATHS: dict[Signal, tuple[tuple[str, str], ...]] = {
    "traces": (("resourceSpans", "resource_spans"), ("scopeSpans", "scope_spans"), ("spans", "spans")),
    "logs": (("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs"), ("logRecords", "log_records")),
    "metrics": (("resourceMetrics", "resource_metrics"), ("scopeMetrics", "scope_metrics"), ("metrics", "metrics")),
}
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram")
_EXEMPLARS = (("dataPoints", "data_points"), ("exemplars", "exemplars"))
_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")
_INVALID = base64.b64encode(b"?").decode()
"""Stands for an id that is not hex: one byte, so the item is refused alone, as one with a wrong length is."""


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """The request as protobuf bytes. Raises MalformedError."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedError(f"expected a JSON object, got a {type(document).__name__}")
    for item in _items(document, _PATHS[signal]):
        if signal == "metrics":
            _rewrite_exemplars(item)
        else:
            _rewrite(item)
    message = REQUESTS[signal]()
    try:
        ParseDict(document, message, ignore_unknown_fields=True)
    except (ParseError, RecursionError) as error:
        raise MalformedError(f"not an OTLP/JSON {message.DESCRIPTOR.name}: {error}") from None
    return bytes(message.SerializeToString())


def _items(node: dict[str, Any], path: tuple[tuple[str, str], ...]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(path[0]):
        children = node.get(name)
        if not isinstance(children, list):
            continue  # absent, or of a wrong type, which the parser names
        for child in children:
            if isinstance(child, dict):
                if len(path) == 1:
                    yield child
                else:
                    yield from _items(child, path[1:])


def _rewrite(item: dict[str, Any]) -> None:
    """Ids of a span or log record, and of a span's links, from hex to base64."""
    valid = _rewrite_ids(item)
    links = item.get("links")
    for link in links if isinstance(links, list) else ():
        valid = not isinstance(link, dict) or (_rewrite_ids(link) and valid)
    if not valid:
        item.pop("span_id", None)
        item["spanId"] = _INVALID


def _rewrite_exemplars(metric: dict[str, Any]) -> None:
    """Ids of a metric's exemplars from hex to base64. One that is not hex is left out: the data point counts without it."""
    kinds = [metric[kind] for kind in _KINDS if isinstance(metric.get(kind), dict)]
    for exemplar in chain.from_iterable(_items(kind, _EXEMPLARS) for kind in kinds):
        if not _rewrite_ids(exemplar):
            for name in _IDS:
                exemplar.pop(name, None)


def _rewrite_ids(item: dict[str, Any]) -> bool:
    valid = True
    for name in _IDS:
        value = item.get(name)
        if not value:
            item.pop(name, None)  # absent, null and "" mean the same
            continue
        try:
            item[name] = base64.b64encode(bytes.fromhex(value)).decode()
        except (ValueError, TypeError, binascii.Error):
            item[name] = _INVALID
            valid = False
    return valid


def from_message(message: Any) -> bytes:
    """An answer as JSON bytes; 64-bit numbers are strings, as protobuf's mapping has it."""
    return MessageToJson(message, indent=None).encode()
