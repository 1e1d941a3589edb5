"""What is mutated: small valid OTLP requests of each signal, and the values that break programs."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.bench.load import requests
from collector.segment import SIGNALS, Signal
from collector.validate import REQUESTS
from leewatch.semconv.mapping import FIELDS

LONGEST_BYTES = 3000
"""Longer seeds are left out: what they hold stands in shorter ones too, and most of a run would go into copying them."""

INTEGERS = (
    0,
    1,
    2,
    5,
    127,
    128,
    255,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 53,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)
DOUBLES = tuple(
    bytes.fromhex(text)
    for text in (
        "0000000000000000",
        "0000000000000080",  # -0
        "000000000000f07f",  # inf
        "000000000000f0ff",
        "000000000000f87f",  # nan
        "010000000000f0ff",  # a signalling nan
        "0100000000000000",  # the smallest number
        "ffffffffffffef7f",  # the largest
        "000000000000f0bf",
    )
)
BROKEN = (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"abc\xe2\x82")
"""No UTF-8; the second is a surrogate."""
TEXTS = (
    b"",
    b"\x00",
    "\u2028\ufeff\U0010ffff".encode(),
    b"'; DROP TABLE otel_traces; --",
    b"\\x00\\'\"`{x:String}",
    b"{",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b'{"a":' * 200,
    b"[" * 1200 + b"]" * 1200,
    b'[{"role":"user","parts":[{"type":"text","content":null}]}]',
    b'[{"role":1,"content":[[]],"parts":{"a":[]}},null,3,"x"]',
    b'[{"role":"\\ud800","content":"\\u0000"}]',
    b'{"input_tokens":"1e400","a":1,"a":2}',
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"0x10",
    b"99999999999999999999999999",
    b"1.5",
    b"true",
    b"null",
    b"2024-02-30T25:61:61Z",
    b"x" * 2000,
)


@dataclass(frozen=True)
class Corpus:
    """Seeds by signal (protobuf bytes), attribute keys that the database looks for."""

    seeds: dict[Signal, tuple[bytes, ...]]
    keys: tuple[bytes, ...]


def corpus(now_ns: int, recorded: Path | None = None) -> Corpus:
    """Requests of the load generator, of all kinds of metrics and of log events; those recorded from real instrumentations.

    recorded: directory of recordings (tests/data/recorded).
    """
    found: dict[Signal, list[bytes]] = {signal: [] for signal in SIGNALS}
    found["traces"] += [next(iter(requests(1, spans, spans, now_ns, 900))) for spans in (1, 2, 5)]
    found["traces"].append(_rich_trace(now_ns))
    found["logs"] += _logs(now_ns)
    found["metrics"] += _metrics(now_ns)
    for path in sorted(recorded.glob("*.json")) if recorded is not None else ():
        data = json.loads(path.read_text(encoding="utf-8"))
        for signal in ("traces", "logs"):
            for request in data.get(signal, ()) if isinstance(data, dict) else ():
                body = ParseDict(request, REQUESTS[signal]()).SerializeToString()
                if len(body) <= LONGEST_BYTES:
                    found[signal].append(body)
    return Corpus({signal: tuple(bodies) for signal, bodies in found.items()}, _keys())


def _keys() -> tuple[bytes, ...]:
    names = {key for field in FIELDS for _, key in field.ordered()}
    return (*sorted(name.encode() for name in names), b"", b"service.name", b"leewatch.truncated")


def _rich_trace(now_ns: int) -> bytes:
    """One span with everything that a span may have."""
    request = REQUESTS["traces"]()
    group = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    group.resource.attributes.extend(_attributes(now_ns))
    scope = group.scope_spans.add(schema_url="x")
    scope.scope.name, scope.scope.version = "fuzz", "1"
    scope.scope.attributes.extend(_attributes(now_ns))
    span = Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        parent_span_id=b"p" * 8,
        trace_state="a=b",
        name="chat x",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=now_ns,
        end_time_unix_nano=now_ns + 10**9,
        attributes=_attributes(now_ns),
        events=[Span.Event(time_unix_nano=now_ns, name="gen_ai.content.prompt", attributes=_attributes(now_ns))],
        links=[Span.Link(trace_id=b"l" * 16, span_id=b"m" * 8, attributes=_attributes(now_ns))],
    )
    span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "failed"
    scope.spans.append(span)
    return bytes(request.SerializeToString())


def _attributes(now_ns: int) -> Sequence[KeyValue]:
    rng = random.Random(now_ns)
    values = (
        ("text", AnyValue(string_value="value")),
        ("flag", AnyValue(bool_value=True)),
        ("gen_ai.usage.input_tokens", AnyValue(int_value=rng.getrandbits(31))),
        ("gen_ai.request.temperature", AnyValue(double_value=0.5)),
        ("bytes", AnyValue(bytes_value=b"\x00\xff")),
        ("list", AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue(int_value=1)]))),
        ("map", AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=False))]))),
    )
    return [KeyValue(key=key, value=value) for key, value in values]


def _logs(now_ns: int) -> list[bytes]:
    bodies = []
    for name in ("", "gen_ai.user.message", "gen_ai.evaluation.result", "gen_ai.client.inference.operation.details"):
        request = ExportLogsServiceRequest()
        group = request.resource_logs.add(schema_url="x")
        group.resource.attributes.extend(_attributes(now_ns))
        record = group.scope_logs.add().log_records.add(
            time_unix_nano=now_ns,
            observed_time_unix_nano=now_ns,
            severity_number=9,
            severity_text="INFO",
            trace_id=b"t" * 16,
            span_id=b"s" * 8,
            flags=1,
            event_name=name,
            attributes=_attributes(now_ns),
        )
        record.body.kvlist_value.values.add(key="content").value.string_value = "hello"
        bodies.append(request.SerializeToString())
    return bodies


def _metrics(now_ns: int) -> list[bytes]:
    times: dict[str, Any] = {
        "time_unix_nano": now_ns,
        "start_time_unix_nano": now_ns - 10**9,
        "attributes": _attributes(now_ns),
    }
    exemplar = {"time_unix_nano": now_ns, "as_double": 1.5, "span_id": b"s" * 8, "trace_id": b"t" * 16}
    buckets = {"offset": -2, "bucket_counts": [1, 2, 3]}
    kinds: dict[str, dict[str, Any]] = {
        "gauge": {"data_points": [{**times, "as_double": 1.5}, {**times, "as_int": 7}]},
        "sum": {"data_points": [{**times, "as_int": 7, "exemplars": [exemplar]}], "aggregation_temporality": 2},
        "histogram": {
            "data_points": [{**times, "count": 3, "sum": 4.5, "bucket_counts": [1, 2], "explicit_bounds": [1.0]}],
            "aggregation_temporality": 1,
        },
        "exponential_histogram": {
            "data_points": [{**times, "count": 6, "scale": 3, "positive": buckets, "negative": buckets}]
        },
        "summary": {
            "data_points": [{**times, "count": 2, "sum": 3.0, "quantile_values": [{"quantile": 0.5, "value": 1.0}]}]
        },
    }
    bodies = []
    for kind, value in kinds.items():
        request = ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="s", description="d")
        getattr(metric, kind).CopyFrom(type(getattr(metric, kind))(**value))
        bodies.append(request.SerializeToString())
    return bodies
