"""Requests in the form that the database reads: canonical, values nested once at most."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from leewatch.semconv import wire
from leewatch.testing import otlp


def written(**attributes: Any) -> dict[str, AnyValue]:
    request = otlp.traces([{"attributes": attributes}])
    body = wire.write("traces", wire.read("traces", request.SerializeToString()))
    (span,) = wire.parse("traces", body).resource_spans[0].scope_spans[0].spans
    return {attribute.key: attribute.value for attribute in span.attributes}


def test_scalars_and_lists_of_scalars_stay_as_they_are() -> None:
    request = otlp.traces([{"attributes": {"a": 1, "b": ["x", 2.5, True], "c": "", "d": []}}]).SerializeToString()
    assert wire.write("traces", wire.read("traces", request)) == request


def test_deeper_values_become_their_json() -> None:
    values = written(m={"k": [1, {"x": None}]}, l=[[1], [2.0, 'a"b']], e={}, s="plain")
    assert values["m"].string_value == '{"k":[1,{"x":null}]}'
    assert values["l"].string_value == '[[1],[2,"a\\"b"]]'
    assert values["e"].string_value == "{}"
    assert values["s"].string_value == "plain"


def test_depth_has_no_limit_of_ours() -> None:
    deep: Any = "end"
    for _ in range(10):
        deep = {"d": [deep]}
    assert json.loads(written(deep=deep)["deep"].string_value) == deep


def test_values_deeper_than_protobuf_reads_are_malformed() -> None:
    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        return bytes([number << 3 | 2, size & 0x7F | 0x80, size >> 7]) + content

    value = b""
    for _ in range(120):
        value = field(5, field(1, value))
    body = value
    for number in (2, 9, 2, 2, 1):
        body = field(number, body)
    request = wire.read("traces", body)
    with pytest.raises(wire.MalformedError):
        wire.write("traces", request)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(double_value=float("nan")), '"nan"'),
        (AnyValue(double_value=float("-inf")), '"-inf"'),
        (AnyValue(double_value=1e300), "1e+300"),
        (AnyValue(int_value=-(2**63)), str(-(2**63))),
        (AnyValue(bytes_value=b"\x00\xff"), '"AP8="'),
        (AnyValue(bool_value=False), "false"),
        (AnyValue(), "null"),
    ],
)
def test_json_of_every_kind_of_value(value: AnyValue, text: str) -> None:
    assert wire.json_text(value) == text


def test_a_key_sent_twice_stays_twice() -> None:
    value = AnyValue()
    value.kvlist_value.values.extend(KeyValue(key="k", value=AnyValue(int_value=n)) for n in (1, 2))
    assert wire.json_text(value) == '{"k":1,"k":2}'


def test_fields_that_otlp_does_not_define_are_left_out_also_beside_deep_values() -> None:
    request = otlp.traces([{"attributes": {"m": {"k": 1}}}])
    body = wire.write("traces", wire.read("traces", request.SerializeToString() + b"\xc2\x3e\x01p"))
    assert len(wire.parse("traces", body).SerializeToString()) == len(body)
    assert b"\xc2\x3e" not in body


@pytest.mark.parametrize("place", ["resource", "body", "event", "link"])
def test_values_are_found_wherever_a_landing_table_reads_them(place: str) -> None:
    deep = KeyValue(key="k")
    deep.value.kvlist_value.SetInParent()
    if place == "body":
        records = wire.REQUESTS["logs"]()
        records.resource_logs.add().scope_logs.add().log_records.add().body.CopyFrom(deep.value)
        body = wire.write("logs", wire.read("logs", records.SerializeToString()))
        assert wire.parse("logs", body).resource_logs[0].scope_logs[0].log_records[0].body.string_value == "{}"
        return
    request = wire.REQUESTS["traces"]()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    owner = {"resource": request.resource_spans[0].resource, "event": span.events.add(), "link": span.links.add()}
    owner[place].attributes.append(deep)
    body = wire.write("traces", wire.read("traces", request.SerializeToString()))
    assert b"{}" in body


def test_bytes_that_are_no_request_are_refused() -> None:
    with pytest.raises(wire.MalformedError, match="ExportTraceServiceRequest"):
        wire.read("traces", b"\xff\xff")
