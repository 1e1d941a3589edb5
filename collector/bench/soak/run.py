"""A day of traffic against a store and a collector of its own, with everything watched that could grow."""

from __future__ import annotations

import gzip
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.bench.processes import Installation
from collector.bench.soak.traffic import DAY_SECONDS, Request, day
from collector.bench.soak.verdict import MOST_PARTS, Trend, trend
from collector.bench.soak.watch import ROLES, sample
from collector.grpc import SERVICES
from collector.segment import SIGNALS

TRANSPORTS = ("grpc", "http", "gzip")
RECONNECT_EVERY = 200
"""Requests after which a sender opens a new connection, as clients that restart do."""
SAMPLES = 120
KEPT_SAMPLES = 40
KEEP_SECONDS = 45
"""collector.keep_seconds: ten minutes would outlast the warm-up."""
DRAIN_SECONDS = 300.0
RETRY_SECONDS = 0.2
LATE_SECONDS = 30.0

Progress = Callable[[float, int], None]


@dataclass
class Result:
    """One run. trends: of every series after the warm-up; samples: some of them, series by name; late_seconds: how far
    the senders fell behind the plan at most."""

    seconds: float
    spans: int
    seed: int
    sent: dict[str, int] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    repeated: int = 0
    connections: int = 0
    late_seconds: float = 0.0
    drain_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    trends: list[Trend] = field(default_factory=list)
    samples: list[dict[str, float]] = field(default_factory=list)
    data: str = ""

    @property
    def passed(self) -> bool:
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self)}


def measure(seconds: float, spans: int, seed: int, recorded: Path | None, progress: Progress) -> Result:
    """Sends a day of so many spans within so many seconds. progress: called with (share of the day, spans sent).

    The data directory is left behind, and named, when something grew or got lost.
    """
    directory = Path(tempfile.mkdtemp(prefix="leewatch-soak-"))
    running = Installation(directory / "data", {"COLLECTOR__KEEP_SECONDS": KEEP_SECONDS})
    result = Result(seconds, spans, seed)
    try:
        for role in ROLES:
            running.start(role)
        _Run(running, result, progress).execute(recorded)
    finally:
        running.close()
    if result.passed:
        shutil.rmtree(directory)
    else:
        result.data = str(directory)
    return result


class _Run:
    def __init__(self, running: Installation, result: Result, progress: Progress) -> None:
        self._running = running
        self._result = result
        self._progress = progress
        self._requests: queue.Queue[Request | None] = queue.Queue(32)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._began = 0.0

    def execute(self, recorded: Path | None) -> None:
        result = self._result
        # The day ends now: no time lies in the future.
        begin_ns = time.time_ns() - DAY_SECONDS * 10**9
        result.sent = dict.fromkeys(SIGNALS, 0)
        self._began = time.monotonic()
        senders = [threading.Thread(target=self._send_all, args=(transport,), daemon=True) for transport in TRANSPORTS]
        watcher = threading.Thread(target=self._watch, daemon=True)
        for thread in (*senders, watcher):
            thread.start()
        for request in day(result.spans, result.seed, begin_ns, recorded):
            time.sleep(max(0.0, self._began + request.due * result.seconds - time.monotonic()))
            self._requests.put(request)
            late = time.monotonic() - self._began - request.due * result.seconds
            result.late_seconds = round(max(result.late_seconds, late), 1)
            self._progress(request.due, result.sent["traces"])
        for _ in senders:
            self._requests.put(None)
        for sender in senders:
            sender.join()
        self._ended.set()
        watcher.join()
        self._drain()
        self._judge()

    # -- sending ------------------------------------------------------------------------------------------------------

    def _send_all(self, transport: str) -> None:
        send: Callable[[Request], bool] | None = None
        close: Callable[[], None] = lambda: None  # noqa: E731
        for number in range(1 << 60):
            request = self._requests.get()
            if request is None:
                close()
                return
            if number % RECONNECT_EVERY == 0:
                close()
                send, close = _connection(self._running, transport)
                with self._lock:
                    self._result.connections += 1
            assert send is not None
            while not send(request):
                with self._lock:
                    self._result.repeated += 1
                time.sleep(RETRY_SECONDS)
            with self._lock:
                self._result.sent[request.signal] += request.items
                self._result.requests += 1

    def _watch(self) -> None:
        pause = self._result.seconds / SAMPLES
        while not self._ended.wait(pause):
            at = round(time.monotonic() - self._began, 1)
            try:
                self._result.samples.append({"seconds": at, **sample(self._running)})
            except (ClickHouseError, OSError) as error:
                self._result.faults.append(f"at {at:.0f} s nothing could be read: {error}")

    # -- afterwards ---------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        began = time.monotonic()
        while _sum(self._running, "spooled") and time.monotonic() < began + DRAIN_SECONDS:
            time.sleep(0.2)
        self._result.drain_seconds = round(time.monotonic() - began, 1)
        account = _account(self._running)
        self._result.stored = {signal: account[signal]["stored"] for signal in SIGNALS}

    def _judge(self) -> None:
        result = self._result
        if result.stored != result.sent:
            result.faults.append(f"sent {result.sent}, stored {result.stored}")
        if result.late_seconds > LATE_SECONDS:
            result.faults.append(f"the senders fell {result.late_seconds:.0f} s behind")
        names = sorted({name for found in result.samples for name in found} - {"seconds"})
        times = [found["seconds"] for found in result.samples]
        for name in names if len(times) > 2 else ():
            found = trend(name, times, [sampled.get(name, 0.0) for sampled in result.samples])
            result.trends.append(found)
            if not found.bounded:
                result.faults.append(f"{name} grew by {found.growth}, {found.allowed} are allowed")
            if name.endswith(".fullest.parts") and found.most > MOST_PARTS:
                result.faults.append(f"{name}: {found.most} parts in one partition, {MOST_PARTS} are allowed")
        step = max(1, len(result.samples) // KEPT_SAMPLES)
        result.samples = result.samples[::step]


def _connection(running: Installation, transport: str) -> tuple[Callable[[Request], bool], Callable[[], None]]:
    """(what sends a request and says whether it was acked, what closes the connection)."""
    if transport == "grpc":
        channel = grpc.insecure_channel(running.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)])
        exports = {signal: channel.unary_unary(f"/{name}/Export") for signal, name in SERVICES.items()}

        def over_grpc(request: Request) -> bool:
            try:
                exports[request.signal](request.body, timeout=30)
            except grpc.RpcError:
                return False
            return True

        return over_grpc, channel.close
    headers = {
        "Content-Type": "application/x-protobuf",
        **({"Content-Encoding": "gzip"} if transport == "gzip" else {}),
    }
    client = httpx.Client(timeout=30, trust_env=False, headers=headers, base_url=running.http_url)

    def over_http(request: Request) -> bool:
        body = gzip.compress(request.body, 1) if transport == "gzip" else request.body
        try:
            return client.post(f"/v1/{request.signal}", content=body).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return over_http, client.close


def _account(running: Installation) -> dict[str, dict[str, int]]:
    account = running.accounting()
    return {signal: account if signal == "traces" else account[signal] for signal in SIGNALS}


def _sum(running: Installation, name: str) -> int:
    return sum(of_signal[name] for of_signal in _account(running).values())
