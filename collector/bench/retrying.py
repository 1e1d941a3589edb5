"""Senders that behave as OTLP exporters do: each request again, byte for byte, until it is acked."""

from __future__ import annotations

import gzip
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import requests
from collector.bench.sender import Template
from collector.grpc import SERVICES

POOL = 8
RETRY_SECONDS = 0.05
CALL_SECONDS = 5.0
RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.use_local_subchannel_pool", 1),
]

Ids = set[tuple[bytes, bytes]]
"""(trace id, span id) of spans."""


class RetryingSender(threading.Thread):
    """Sends until `stop`; `pause` returns once nothing of its is unanswered.

    acked: ids of all spans that were acked. repeated: spans of requests that it sent again after their ack, as a client
    does whose answer got lost.
    """

    def __init__(self, transport: str, target: str, seed: int, spans: int, pace_seconds: float) -> None:
        """transport: grpc, http or gzip (over HTTP). target: host:port, or a base URL. pace_seconds: mean pause."""
        super().__init__(daemon=True, name=f"sender-{transport}-{seed}")
        self.acked: Ids = set()
        self.repeated = 0
        self._rng = random.Random(seed)
        self._pace = pace_seconds
        self._bodies = _bodies(seed, spans, self._rng)
        self._send = _transport(transport, target)
        self._running = threading.Event()
        self._idle = threading.Event()
        self._stopping = False
        self._running.set()

    def run(self) -> None:
        while True:
            if not self._running.is_set():
                self._idle.set()
                self._running.wait()
                self._idle.clear()
            if self._stopping:
                return
            body, ids = next(self._bodies)
            self._until_acked(body)
            self.acked |= ids
            if self._rng.random() < 0.05:
                self._until_acked(body)
                self.repeated += len(ids)
            time.sleep(self._rng.expovariate(1 / self._pace))

    def _until_acked(self, body: bytes) -> None:
        while not self._send(body):
            time.sleep(RETRY_SECONDS)

    def pause(self, seconds: float) -> bool:
        """Whether it came to rest within this time, all that it sent acked."""
        self._running.clear()
        return self._idle.wait(seconds)

    def resume(self) -> None:
        """Goes on sending."""
        self._running.set()

    def stop(self) -> None:
        """Ends the thread, once its last request is acked."""
        self._stopping = True
        self._running.set()


def _bodies(seed: int, spans: int, rng: random.Random) -> Iterator[tuple[bytes, Ids]]:
    pool = []
    for body in requests(POOL, spans, rng.getrandbits(32), time.time_ns()):
        parsed = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
        ids = [(span.trace_id[8:], span.span_id) for span in parsed]
        pool.append((Template(body, [span.trace_id for span in parsed]), ids))
    for number in itertools.count(seed << 40):
        template, ids = pool[number % len(pool)]
        half = number.to_bytes(8, "big")
        yield template.renew(number), {(half + tail, span) for tail, span in ids}


def _transport(transport: str, target: str) -> Callable[[bytes], bool]:
    """What sends one request and says whether it was acked."""
    if transport == "grpc":
        export = grpc.insecure_channel(target, options=RECONNECT).unary_unary(f"/{SERVICES['traces']}/Export")

        def over_grpc(body: bytes) -> bool:
            try:
                export(body, timeout=CALL_SECONDS)
            except grpc.RpcError:
                return False
            return True

        return over_grpc
    client = httpx.Client(timeout=CALL_SECONDS, trust_env=False)
    headers = {"Content-Type": "application/x-protobuf"}
    if transport == "gzip":
        headers["Content-Encoding"] = "gzip"

    def over_http(body: bytes) -> bool:
        content = gzip.compress(body, 1) if transport == "gzip" else body
        try:
            answer = client.post(f"{target}/v1/traces", content=content, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    return over_http
