"""What each collector of one port tells the others about itself, so that any of them answers for all."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.accounting import Accounts, Totals, merged
from collector.segment import SIGNALS, Signal
from leewatch.errors import LeewatchError
from leewatch.instruments import Labels, Metric, Snapshot

WAIT_SECONDS = 8.0
"""How long one that is being restarted is waited for."""
AGAIN_SECONDS = 0.1
OF_ONE = frozenset({"leewatch_collector_disk_free_bytes", "leewatch_build_info", "process_start_time_seconds"})
"""Metrics that are the same for all, or of which the smallest counts."""
LEAST = frozenset({"leewatch_ready", "leewatch_collector_store_up"})


class SiblingAwayError(LeewatchError):
    """Another collector of this port does not answer; it is being started again. Try again."""

    retryable = True


@dataclass(frozen=True)
class Figures:
    """Accounts by signal and project, and metrics, of one collector or of several together."""

    accounts: Mapping[Signal, Accounts]
    snapshot: Snapshot

    def encode(self) -> bytes:
        accounts = {s: {p: t.as_dict() for p, t in of.items()} for s, of in self.accounts.items()}
        values = [(metric.name, labels, value) for (metric, labels), value in self.snapshot.values.items()]
        histograms = [(m.name, labels, list(counts)) for (m, labels), counts in self.snapshot.histograms.items()]
        return json.dumps({"accounts": accounts, "values": values, "histograms": histograms}).encode()

    @classmethod
    def decode(cls, content: bytes, metrics: Iterable[Metric]) -> Figures:
        """Raises ValueError or KeyError for what `encode` did not write whole."""
        read = json.loads(content)
        known = {metric.name: metric for metric in metrics}
        accounts = {s: {p: Totals(**t) for p, t in read["accounts"][s].items()} for s in SIGNALS}
        values = {(known[name], _labels(labels)): value for name, labels, value in read["values"]}
        histograms = {(known[name], _labels(labels)): tuple(counts) for name, labels, counts in read["histograms"]}
        return cls(accounts, Snapshot(values, histograms))


def _labels(read: list[list[str]]) -> Labels:
    return tuple((name, value) for name, value in read)


def together(figures: list[Figures]) -> Figures:
    """The sum; of what cannot be added, the smallest."""
    accounts = {s: merged(one.accounts.get(s, {}) for one in figures) for s in SIGNALS}
    values: dict[tuple[Metric, Labels], float] = {}
    histograms: dict[tuple[Metric, Labels], tuple[float, ...]] = {}
    for one in figures:
        for key, value in one.snapshot.values.items():
            if key not in values:
                values[key] = value
            elif key[0].name in OF_ONE | LEAST:
                values[key] = min(values[key], value)
            else:
                values[key] += value
        for key, counts in one.snapshot.histograms.items():
            before = histograms.get(key, (0.0,) * len(counts))
            histograms[key] = tuple(a + b for a, b in zip(before, counts, strict=True))
    return Figures(accounts, Snapshot(values, histograms))


class Siblings:
    """Tells the others the figures of this collector, in a thread of its own, and asks them for theirs."""

    def __init__(self, directory: Path, number: int, count: int, own: Callable[[], Figures]) -> None:
        self._directory = directory
        self._number = number
        self._count = count
        self._own = own
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> None:
        if self._count == 1:
            return
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(self._number)
        path.unlink(missing_ok=True)
        own = self._own

        class Tell(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(own().encode())

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Tell)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="siblings", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def all(self, metrics: Iterable[Metric]) -> Figures:
        """The figures of all collectors of this port. Raises SiblingAwayError."""
        others = [self._ask(number, metrics) for number in range(self._count) if number != self._number]
        return together([self._own(), *others])

    def _ask(self, number: int, metrics: Iterable[Metric]) -> Figures:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return Figures.decode(self._read(self._path(number)), metrics)
            if time.monotonic() > deadline:
                raise SiblingAwayError(f"collector {number + 1} of {self._count} does not answer. Try again.")
            time.sleep(AGAIN_SECONDS)

    def _read(self, path: Path) -> bytes:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(WAIT_SECONDS)
            asked.connect(str(path))
            pieces = []
            while piece := asked.recv(1 << 16):
                pieces.append(piece)
            return b"".join(pieces)

    def _path(self, number: int) -> Path:
        return self._directory / f"collector-{number}.sock"
