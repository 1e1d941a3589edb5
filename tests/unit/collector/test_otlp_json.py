"""OTLP/JSON means the same as OTLP/protobuf."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.otlp_json import to_protobuf
from collector.validate import MalformedError, check

SPAN: dict[str, Any] = {
    "traceId": "5B8EFFF798038103D269B633813FC60C",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "eee19b7ec3c1b173",
    "name": "chat",
    "kind": 3,
    "startTimeUnixNano": "1544712660000000001",
    "endTimeUnixNano": 1544712661000000000,
    "unknownField": {"deep": [1, 2]},
    "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}],
    "status": {"code": "STATUS_CODE_ERROR"},
    "attributes": [
        {"key": "zero", "value": {"intValue": "0"}},
        {"key": "number", "value": {"intValue": 7}},
        {"key": "false", "value": {"boolValue": False}},
        {"key": "bytes", "value": {"bytesValue": base64.b64encode(b"\x00\xff").decode()}},
        {"key": "list", "value": {"arrayValue": {"values": [{"doubleValue": 0.0}, {"stringValue": ""}]}}},
    ],
}


def request(*spans: dict[str, Any]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def only_span(body: bytes) -> Any:
    return ExportTraceServiceRequest.FromString(to_protobuf("traces", body)).resource_spans[0].scope_spans[0].spans[0]


def test_ids_are_hex_in_either_case() -> None:
    span = only_span(request(SPAN))
    assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert span.span_id.hex() == "eee19b7ec3c1b174"
    assert span.parent_span_id.hex() == "eee19b7ec3c1b173"
    assert span.links[0].trace_id == span.trace_id


def test_numbers_enums_and_bytes_come_in_every_allowed_spelling() -> None:
    span = only_span(request(SPAN))
    assert span.start_time_unix_nano == 1544712660000000001
    assert span.end_time_unix_nano == 1544712661000000000
    assert (span.kind, span.status.code) == (3, 2)
    values = {attribute.key: attribute.value for attribute in span.attributes}
    assert values["zero"].WhichOneof("value") == "int_value"
    assert values["number"].int_value == 7
    assert values["false"].WhichOneof("value") == "bool_value"
    assert values["bytes"].bytes_value == b"\x00\xff"
    assert [value.WhichOneof("value") for value in values["list"].array_value.values] == [
        "double_value",
        "string_value",
    ]


@pytest.mark.parametrize("change", [{"traceId": "xyz"}, {"spanId": 7}, {"parentSpanId": "nothex"}, {"traceId": "00"}])
def test_a_span_whose_ids_are_not_hex_is_refused_alone(change: dict[str, Any]) -> None:
    verdict = check("traces", to_protobuf("traces", request(SPAN, {**SPAN, **change})))
    assert (verdict.received, verdict.rejected) == (2, 1)


def test_a_root_span_may_name_an_empty_parent() -> None:
    assert check("traces", to_protobuf("traces", request({**SPAN, "parentSpanId": ""}))).rejected == 0


def test_log_records_convert_too() -> None:
    record = {"timeUnixNano": "5", "traceId": SPAN["traceId"], "spanId": SPAN["spanId"], "severityNumber": 9}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    parsed = ExportLogsServiceRequest.FromString(to_protobuf("logs", body))
    assert parsed.resource_logs[0].scope_logs[0].log_records[0].span_id.hex() == SPAN["spanId"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": 1}]}]}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ],
)
def test_what_is_no_otlp_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        to_protobuf("traces", body)


def test_an_empty_object_is_an_empty_request() -> None:
    assert to_protobuf("traces", b"{}") == b""
