"""A load generator process: pre-serialized requests, made unique by new trace ids in place, some in flight."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.bench.load import SPAN_BYTES, requests
from collector.bench.processes import usage
from collector.grpc import SERVICES

POOL = 16
"""Different requests that a sender repeats with fresh ids; enough that no cache of ours or the database's can help."""

Send = Callable[[bytes], None]


@dataclass(frozen=True)
class Plan:
    """What one sender process does. target: host:port of OTLP/gRPC, or the base URL of OTLP/HTTP.

    rate: spans a second, 0 for as many as are taken. span_bytes: about the size of a span. headers: more of them, over HTTP.
    """

    target: str
    http: bool
    seconds: float
    spans: int
    in_flight: int
    seed: int
    rate: float = 0.0
    span_bytes: int = SPAN_BYTES
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Sent:
    """What it did: acked requests and spans, seconds from send to ack of each, its CPU seconds and peak memory (MB)."""

    spans: int = 0
    bytes: int = 0
    failures: int = 0
    ack_seconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    peak_rss_mb: float = 0.0


class Template:
    """One serialized request whose trace ids can be replaced."""

    def __init__(self, body: bytes, trace_ids: list[bytes]) -> None:
        self._body = bytearray(body)
        self._offsets = [body.index(trace_id) for trace_id in trace_ids]

    def renew(self, number: int) -> bytes:
        """The request with the first half of every trace id replaced by this number."""
        half = number.to_bytes(8, "big")
        for offset in self._offsets:
            self._body[offset : offset + 8] = half
        return bytes(self._body)


def templates(spans: int, seed: int, span_bytes: int = SPAN_BYTES) -> list[Template]:
    """The pool."""
    pool = []
    for body in requests(POOL, spans, seed, time.time_ns(), span_bytes):
        parsed = ExportTraceServiceRequest.FromString(body)
        pool.append(Template(body, [span.trace_id for span in parsed.resource_spans[0].scope_spans[0].spans]))
    return pool


def run(plan: Plan, pipe: Connection) -> None:
    """Says "ready", waits for a word, sends for `plan.seconds`, gives back a Sent. The target of a process."""
    numbered = _numbered(templates(plan.spans, plan.seed, plan.span_bytes), plan.seed)
    lock = threading.Lock()
    sent = Sent()
    pipe.send("ready")
    pipe.recv()
    before = usage(os.getpid()).cpu_seconds
    begun = time.perf_counter()
    deadline = begun + plan.seconds
    turns = itertools.count()
    pause = plan.spans / plan.rate if plan.rate else 0.0

    def send_until_deadline(send: Send) -> None:
        while time.perf_counter() < deadline:
            with lock:
                body = next(numbered)
                turn = begun + next(turns) * pause if pause else 0.0
            time.sleep(max(0.0, turn - time.perf_counter()))
            # Counted from its turn: a request that waits for an answer to another has waited too.
            started = turn or time.perf_counter()
            try:
                send(body)
            except (grpc.RpcError, httpx.HTTPError):
                with lock:
                    sent.failures += 1
                time.sleep(0.1)
                continue
            with lock:
                sent.ack_seconds.append(time.perf_counter() - started)
                sent.spans += plan.spans
                sent.bytes += len(body)

    threads = [threading.Thread(target=send_until_deadline, args=(_transport(plan),)) for _ in range(plan.in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = usage(os.getpid())
    sent.cpu_seconds, sent.peak_rss_mb = used.cpu_seconds - before, used.peak_rss_mb
    pipe.send(sent)


def _numbered(pool: list[Template], seed: int) -> Iterator[bytes]:
    number = (seed + 1) << 40
    while True:
        yield pool[number % len(pool)].renew(number)
        number += 1


def _transport(plan: Plan) -> Send:
    if not plan.http:
        channel = grpc.insecure_channel(plan.target, options=[("grpc.use_local_subchannel_pool", 1)])
        export = channel.unary_unary(f"/{SERVICES['traces']}/Export")
        return lambda body: export(body, timeout=60)
    headers = {"Content-Type": "application/x-protobuf", **dict(plan.headers)}
    client = httpx.Client(timeout=60, trust_env=False, headers=headers)

    def post(body: bytes) -> None:
        client.post(f"{plan.target}/v1/traces", content=body).raise_for_status()

    return post
