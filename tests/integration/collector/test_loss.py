"""Nothing that was acked is lost, whatever the database answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, Installation
from leewatch.config import Settings
from leewatch.storage.client import address
from leewatch.testing.waiting import until

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def load(spans: int, seed: int, poison: int | None = None, name: str = "(") -> bytes:
    """A request; the span of index `poison` has this name."""
    (body,) = requests(1, spans, seed, time.time_ns())
    if poison is None:
        return body
    request = ExportTraceServiceRequest.FromString(body)
    request.resource_spans[0].scope_spans[0].spans[poison].name = name
    return request.SerializeToString()


def test_an_unknown_error_holds_up_no_other_segment_and_costs_only_the_culprit(
    installation: Installation, rows: Callable[[str], Any], constraint: Callable[..., Any]
) -> None:
    # 427, CANNOT_COMPILE_REGEXP, is in neither list of codes.
    with constraint("otel_traces", "match('x', SpanName) < 2"):
        assert installation.post(load(8, 1, poison=3)).status_code == 200
        until(lambda: "set aside" in installation.log("collector").read_text())
        assert installation.post(load(5, 2)).status_code == 200
        until(lambda: installation.accounting()["stored"] == 5)
        assert installation.accounting()["spooled"] == 8
        until(lambda: installation.accounting()["spooled"] == 0)
    assert installation.accounting() == {**installation.accounting(), "stored": 12, "dead_lettered": 1}
    for table in ("otel_traces", "llm_spans"):
        assert rows(f"SELECT count() FROM {table}") == [(12,)]
    ((reason,),) = rows("SELECT reason FROM dead_letters")
    assert reason.startswith("Code: 427")


def test_a_span_that_cannot_be_derived_is_stored_raw_and_reported_and_costs_no_other_span(
    installation: Installation, rows: Callable[[str], Any], constraint: Callable[..., Any]
) -> None:
    with constraint("llm_spans", "name != '('"):
        assert installation.post(load(9, 1, poison=4)).status_code == 200
        until(lambda: installation.accounting()["stored"] == 9)
        assert rows("SELECT count() FROM otel_traces") == [(9,)]
        assert rows("SELECT count(), countIf(name = '(') FROM llm_spans") == [(8, 0)]
        assert rows("SELECT count() FROM llm_content FINAL") == [(9,)]
    assert installation.accounting()["dead_lettered"] == 0
    letters = rows("SELECT kind, derived, project, spans FROM dead_letters")
    assert letters == [("derivation", "llm_spans", "default", 1)]
    text = httpx.get(f"{installation.http_url}/metrics", trust_env=False).text
    assert 'leewatch_collector_underived_items_total{signal="traces",table="llm_spans"} 1' in text


class Brittle(threading.Thread):
    """A database that dies of certain bytes: hands everything on, but resets a connection that carries them."""

    def __init__(self, host: str, port: int, deadly: bytes) -> None:
        super().__init__(daemon=True)
        self._target = (host, port)
        self._deadly = deadly
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                upstream = socket.create_connection(self._target)
                for source, sink in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        tail = b""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self._deadly in tail + data:
                    break
                tail = data[-len(self._deadly) :]
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.mark.slow
def test_a_span_that_breaks_every_connection_is_found_and_given_up_once_others_go_in(
    database: Settings, tmp_path: Path, rows: Callable[[str], Any]
) -> None:
    where = address(database)
    proxy = Brittle(where.host, where.port, b"deadly name")
    proxy.start()
    dsn = f"http://{where.user}:{where.password}@127.0.0.1:{proxy.port}/{where.database}"
    running = Installation(tmp_path / "data", {"STORAGE__DSN": dsn, **AT_ONCE})
    try:
        running.start("collector")
        assert running.post(load(1, 7, poison=0, name="deadly name")).status_code == 200
        until(lambda: "set aside" in running.log("collector").read_text())
        assert running.post(load(6, 8)).status_code == 200
        until(lambda: running.accounting()["stored"] == 6)
        until(lambda: running.accounting()["dead_lettered"] == 1)
        assert running.accounting()["spooled"] == 0
    finally:
        running.close()
        proxy.close()
    assert rows("SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces") == [(6, 6)]
