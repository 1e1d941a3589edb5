"""What one hostile connection may not do to the others."""

from __future__ import annotations

import socket

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.bench.fuzz.connections import DATA, END_STREAM, call, frame, message, opened
from collector.bench.load import requests
from collector.bench.processes import Installation
from collector.grpc import SERVICES


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
