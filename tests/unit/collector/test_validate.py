"""Requests are judged span by span; what is refused is named, what is kept is kept as it was sent."""

from __future__ import annotations

import time

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import validate
from collector.segment import Signal
from collector.validate import MalformedError, TooManyError, check

TRACE, SPAN = b"t" * 16, b"s" * 8
AT = 1_700_000_000_000_000_000


def traces(*ids: tuple[bytes, bytes], start: int = AT) -> bytes:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for index, (trace_id, span_id) in enumerate(ids):
        spans.add(trace_id=trace_id, span_id=span_id, name=f"span {index}", start_time_unix_nano=start + index)
    return request.SerializeToString()


def test_a_valid_request_is_stored_byte_for_byte() -> None:
    body = traces((TRACE, SPAN), (TRACE, b"u" * 8))
    verdict = check("traces", body)
    assert verdict.payload == body
    assert (verdict.received, verdict.rejected, verdict.reason) == (2, 0, "")
    assert (verdict.first_ns, verdict.last_ns) == (AT, AT + 1)


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [
        (b"", SPAN),
        (b"t" * 15, SPAN),
        (b"t" * 17, SPAN),
        (bytes(16), SPAN),
        (TRACE, b""),
        (TRACE, b"s" * 9),
        (TRACE, bytes(8)),
    ],
)
def test_a_span_with_an_invalid_id_is_refused_alone(trace_id: bytes, span_id: bytes) -> None:
    verdict = check("traces", traces((TRACE, SPAN), (trace_id, span_id), (TRACE, b"u" * 8)))
    assert (verdict.received, verdict.rejected) == (3, 1)
    assert verdict.reason.startswith("1 span(s) refused: trace_id must be 16 bytes")
    kept = ExportTraceServiceRequest.FromString(verdict.payload)
    assert [span.name for span in kept.resource_spans[0].scope_spans[0].spans] == ["span 0", "span 2"]


def test_a_request_of_invalid_spans_alone_leaves_nothing_to_store() -> None:
    verdict = check("traces", traces((b"", b"")))
    assert (verdict.received, verdict.rejected, verdict.payload) == (1, 1, b"")


def test_an_empty_request_is_valid() -> None:
    verdict = check("traces", b"")
    assert (verdict.received, verdict.rejected) == (0, 0)


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"\x0a\x05ab", b'{"resourceSpans": []}', b"\x1f\x8b\x08\x00"])
def test_bytes_that_are_no_request_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError, match="not a protobuf ExportTraceServiceRequest"):
        check("traces", body)


def test_fields_reserved_for_the_collector_do_not_pass() -> None:
    smuggled = traces((TRACE, SPAN)) + b"\xc2\x3e\x05other"  # field 1000, a string
    verdict = check("traces", smuggled)
    assert b"other" not in verdict.payload
    assert verdict.received == 1


def test_fields_reserved_for_the_collector_do_not_pass_beside_a_refused_span() -> None:
    verdict = check("traces", traces((TRACE, SPAN), (TRACE, b"")) + b"\xc2\x3e\x05other")
    assert b"other" not in verdict.payload
    assert verdict.rejected == 1


@pytest.mark.parametrize(
    "odd",
    [
        b"\x0a\x10" + b"x" * 16,  # another trace_id before the one that counts
        b"\x08\x05",  # trace_id as a number
        b"\x38\x05",  # start_time_unix_nano as a varint
        b"\x9b\x06\x08\x01\x9c\x06",  # an unknown group
        b"\x30\x80\x80\x80\x80\x80\x20",  # kind beyond 32 bits
    ],
)
def test_what_parsers_read_differently_is_stored_as_we_read_it(odd: bytes) -> None:
    request = ExportTraceServiceRequest.FromString(traces((TRACE, SPAN)))
    span = odd + request.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    scope = b"\x12" + bytes([len(span)]) + span
    body = b"\x12" + bytes([len(scope)]) + scope
    verdict = check("traces", b"\x0a" + bytes([len(body)]) + body)
    assert verdict.payload == traces((TRACE, SPAN))


def test_a_senseless_time_does_not_widen_the_range() -> None:
    early, late = traces((TRACE, SPAN), start=0), traces((TRACE, SPAN), start=AT)
    verdict = check("traces", early + late)
    assert (verdict.first_ns, verdict.last_ns) == (AT, AT)


def test_log_records_need_no_trace_context_but_no_broken_one() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=AT)
    records.add(observed_time_unix_nano=AT + 5, trace_id=TRACE, span_id=SPAN)
    records.add(trace_id=b"short")
    verdict = check("logs", request.SerializeToString())
    assert (verdict.received, verdict.rejected) == (3, 1)
    assert verdict.reason.startswith("1 log record(s) refused")
    assert (verdict.first_ns, verdict.last_ns) == (AT, AT + 5)


def test_both_times_of_a_log_record_widen_the_range() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=1_700_000_000_000, observed_time_unix_nano=AT)  # milliseconds by mistake
    records.add(time_unix_nano=1_700_000_000_000, observed_time_unix_nano=AT + 9)
    verdict = check("logs", request.SerializeToString())
    assert (verdict.first_ns, verdict.last_ns) == (AT, AT + 9)


def wrapped(tag: int, body: bytes) -> bytes:
    length, size = len(body), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([tag]) + bytes(size) + body


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_a_large_body_of_empty_messages_is_refused_before_it_is_decoded(signal: Signal, depth: int) -> None:
    tags = (0x0A, 0x12, 0x12, 0x4A)
    body = bytes([tags[depth], 0]) * (4 << 20)
    for tag in reversed(tags[:depth]):
        body = wrapped(tag, body)
    began = time.process_time()
    with pytest.raises(TooManyError, match="empty messages"):
        check(signal, body)
    assert time.process_time() - began < 0.5


def test_more_spans_than_a_sender_means_are_refused_before_they_are_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "MOST_ITEMS", 100)
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(98):
        scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    assert check("traces", request.SerializeToString()).received == 98
    scope.spans.add()
    with pytest.raises(TooManyError, match="101 resources, scopes and spans; at most 100"):
        check("traces", request.SerializeToString())


def test_many_empty_texts_are_no_empty_messages() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    for _ in range(200_000):
        span.attributes.add(key="k").value.string_value = ""
    assert check("traces", request.SerializeToString()).received == 1
