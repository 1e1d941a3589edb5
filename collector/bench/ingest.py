"""Sustained spans/s from OTLP to queryable `llm_spans`, on this machine, clients included."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from collector.bench.load import SPAN_BYTES
from collector.bench.processes import Installation, RoleNotReadyError, Usage
from collector.bench.sender import Plan, Sent, run
from leewatch.storage.client import connect

DRAIN_SECONDS = 300.0
"""Longest wait for the last span; when it passes, something is wrong and the measurement fails."""
ROLES = ("store", "collector")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Result:
    """One measurement. spans_per_second, megabytes_per_second: from the first send until the last span is queryable in llm_spans.
    stored_bytes_per_span: on disk, by table, when the last span was queryable.

    accepted_per_second: while sending. ack_ms: from send to durable ack. cpu_us_per_span: by process, all threads.
    """

    spans: int
    spans_per_second: float
    accepted_per_second: float
    megabytes_per_second: float
    bytes_per_span: float
    spans_per_request: int
    transport: str
    send_seconds: float
    drain_seconds: float
    ack_ms: dict[str, float]
    cpu_us_per_span: dict[str, float]
    peak_rss_mb: dict[str, float]
    stored_bytes_per_span: dict[str, float]
    failures: int
    cores: int
    load_average_before: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Options:
    """How to measure. in_flight: requests each sender process keeps unanswered.

    rate: spans a second of all senders, 0 for as many as are taken. span_bytes: about the size of a span.
    """

    seconds: float = 20.0
    http: bool = False
    spans_per_request: int = 512
    senders: int = 1
    in_flight: int = 4
    seed: int = 0
    rate: float = 0.0
    span_bytes: int = SPAN_BYTES


def measure(options: Options, progress: Progress) -> Result:
    """Starts a store and a collector of its own on free ports, loads them, waits until all is queryable.

    progress: called with (spans acked, spans queryable) several times a second. Raises RoleNotReadyError.
    """
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="leewatch-bench-") as name:
        running = Installation(Path(name) / "data")
        try:
            for role in ROLES:
                running.start(role)
            return _measured(running, options, progress, load_before)
        finally:
            running.close()


def _measured(running: Installation, options: Options, progress: Progress, load_before: float) -> Result:
    # One sender's short run first: the first insert of a fresh store compiles its views.
    _send(running, Options(0.1, options.http, 16, 1, 1, seed=1 << 16), progress)
    before = {role: running.usage(role) for role in ROLES}
    base = _queryable(running)
    started, sent = _send(running, options, progress)
    send_seconds = time.monotonic() - started
    total = sum(each.spans for each in sent)
    _await(running, base + total, progress)
    elapsed = time.monotonic() - started
    after = {role: running.usage(role) for role in ROLES}
    acks = sorted(ack for each in sent for ack in each.ack_seconds)
    return Result(
        spans=total,
        spans_per_second=round(total / elapsed, 1),
        accepted_per_second=round(total / send_seconds, 1),
        megabytes_per_second=round(sum(each.bytes for each in sent) / elapsed / 1e6, 1),
        bytes_per_span=round(sum(each.bytes for each in sent) / max(total, 1), 1),
        spans_per_request=options.spans_per_request,
        transport="http" if options.http else "grpc",
        send_seconds=round(send_seconds, 2),
        drain_seconds=round(elapsed - send_seconds, 2),
        ack_ms={name: round(1000 * quantile(acks, q), 1) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        cpu_us_per_span=_cpu(before, after, sent, total),
        peak_rss_mb={
            **{role: round(after[role].peak_rss_mb, 1) for role in ROLES},
            "senders": round(sum(each.peak_rss_mb for each in sent), 1),
        },
        stored_bytes_per_span=_stored(running),
        failures=sum(each.failures for each in sent),
        cores=os.cpu_count() or 1,
        load_average_before=round(load_before, 2),
    )


def _cpu(before: dict[str, Usage], after: dict[str, Usage], sent: list[Sent], total: int) -> dict[str, float]:
    seconds = {role: after[role].cpu_seconds - before[role].cpu_seconds for role in ROLES}
    seconds["senders"] = sum(each.cpu_seconds for each in sent)
    return {name: round(1e6 * spent / max(total, 1), 2) for name, spent in seconds.items()}


def _send(running: Installation, options: Options, progress: Progress) -> tuple[float, list[Sent]]:
    """Runs the senders to their end; the moment they were let go, and what each did."""
    target = running.http_url if options.http else running.grpc_target
    context = multiprocessing.get_context("spawn")
    with _processes() as processes:
        pipes: list[Connection] = []
        for index in range(options.senders):
            ours, theirs = context.Pipe()
            seed = options.seed + index
            plan = Plan(
                target,
                options.http,
                options.seconds,
                options.spans_per_request,
                options.in_flight,
                seed,
                options.rate / options.senders,
                options.span_bytes,
            )
            process = context.Process(target=run, args=(plan, theirs), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        started = time.monotonic()
        for pipe in pipes:
            pipe.send("go")
        while not all(pipe.poll(0.3) for pipe in pipes):
            _tell(running, progress)
        return started, [pipe.recv() for pipe in pipes]


@contextmanager
def _processes() -> Iterator[list[Any]]:
    processes: list[Any] = []
    try:
        yield processes
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.terminate()


def _await(running: Installation, count: int, progress: Progress) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while (found := _queryable(running)) < count:
        if time.monotonic() > deadline:
            raise RoleNotReadyError(f"only {found} of {count} spans are in llm_spans after {DRAIN_SECONDS:.0f} s")
        progress(count, found)
        time.sleep(0.05)
    progress(count, found)


def _tell(running: Installation, progress: Progress) -> None:
    account = running.accounting()
    progress(account["received"], account["stored"])


def _queryable(running: Installation) -> int:
    client = connect(running.settings)
    try:
        return int(client.query("SELECT count() FROM llm_spans").result_rows[0][0])
    finally:
        client.close()


def _stored(running: Installation) -> dict[str, float]:
    client = connect(running.settings)
    try:
        rows = client.query(
            "SELECT table, sum(bytes_on_disk) / (SELECT count() FROM llm_spans) FROM system.parts "
            "WHERE active AND database = currentDatabase() GROUP BY table ORDER BY 2 DESC LIMIT 4"
        ).result_rows
        return {table: round(size, 1) for table, size in rows}
    finally:
        client.close()


def quantile(ordered: list[float], q: float) -> float:
    """The smallest value that a share q of the (sorted) values does not exceed; 0 for none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1))]
