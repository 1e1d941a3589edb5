"""What one hostile connection may not do to the others."""

from __future__ import annotations

import socket

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.bench.fuzz.connections import DATA, END_STREAM, call, frame, message, opened
from collector.bench.load import requests
from collector.bench.processes import Installation
from collector.grpc import SERVICES
from leewatch.semconv.protobuf import varint


def test_a_call_whose_path_is_no_utf8_does_not_close_the_grpc_port(installation: Installation) -> None:
    port = installation.settings.collector.grpc_port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as hostile:
        hostile.sendall(opened(call(path=b"\xff")) + frame(DATA, END_STREAM, 1, message(b"")))
        hostile.settimeout(5)
        assert hostile.recv(100)
        channel = grpc.insecure_channel(installation.grpc_target, options=[("grpc.max_reconnect_backoff_ms", 200)])
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        for body in requests(3, 2, seed=1, now_ns=1_760_000_000_000_000_000):
            answer = export(body, timeout=10, wait_for_ready=True)
            assert not ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
        channel.close()
    assert installation.accounting()["received"] == 6
    assert "opening port" in installation.log("collector").read_text()


def test_a_request_that_cannot_be_decoded_is_refused_while_large_ones_that_can_are_stored(
    installation: Installation,
) -> None:
    def field(number: int, payload: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(payload)) + payload

    nested = field(9, field(2, field(5, field(1, field(5, b"")))))
    crowd = field(1, field(2, field(2, field(1, b"t" * 16) + field(2, b"s" * 8) + nested * 4_800_000)))
    pid = installation.pid("collector")
    headers = {"Content-Type": "application/x-protobuf"}
    (large,) = requests(1, 2000, seed=1, now_ns=1_760_000_000_000_000_000)
    assert len(large) > 1 << 20
    with httpx.Client(base_url=installation.http_url, timeout=120, trust_env=False) as client:
        assert client.post("/v1/traces", content=large, headers=headers).status_code == 200
        assert client.post("/v1/traces", content=crowd, headers=headers).status_code in {400, 413}
        assert client.post("/v1/traces", content=large[:-3], headers=headers).status_code == 400
    assert installation.pid("collector") == pid
    assert installation.accounting()["received"] == 2000
    assert "decoded in this one" not in installation.log("collector").read_text()
