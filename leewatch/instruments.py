"""Counters of a process, and the text in which Prometheus reads them (exposition format 0.0.4).

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters, the unit in the name.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """Name (with unit), type (`counter`, `gauge`, `histogram`) and meaning of one metric."""

    name: str
    kind: str
    help: str
    buckets: tuple[float, ...] = SECONDS
    """Upper bounds of a histogram's buckets."""


BUILD = Metric("leewatch_build_info", "gauge", "1, with the release and the role as labels")
READY = Metric("leewatch_ready", "gauge", "1 when /readyz answers 200")
CPU = Metric("process_cpu_seconds_total", "counter", "CPU time of the process, user and system, seconds")
RESIDENT = Metric("process_resident_memory_bytes", "gauge", "Memory of the process in RAM, bytes")
STARTED = Metric("process_start_time_seconds", "gauge", "When the process started, seconds since 1970")
OF_EVERY_PROCESS = (BUILD, READY, CPU, RESIDENT, STARTED)

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BEGAN = time.time()
_MEMORY = -1
with contextlib.suppress(
    OSError
):  # kept open: a process that fences itself in, as the store does, cannot open it later
    _MEMORY = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


@dataclass(frozen=True)
class Snapshot:
    """All values at one time. histograms: one count per bucket, one above them, and the sum."""

    values: Mapping[tuple[Metric, Labels], float]
    histograms: Mapping[tuple[Metric, Labels], Sequence[float]]


class Registry:
    """Values since this process started. Any thread."""

    def __init__(self, metrics: Sequence[Metric], role: str) -> None:
        """metrics: those of the role; those of every process come with them."""
        self.metrics = (*metrics, *OF_EVERY_PROCESS)
        self._lock = threading.Lock()
        self._values: dict[tuple[Metric, Labels], float] = {}
        self._histograms: dict[tuple[Metric, Labels], list[float]] = {}
        self._refresh: Callable[[], None] | None = None
        _LIVE.add(self)
        self.set(BUILD, 1, version=version("leewatch"), role=role)
        self.set(STARTED, _BEGAN)

    def before(self, refresh: Callable[[], None]) -> None:
        """Calls this before values are read: it sets those that are kept elsewhere."""
        self._refresh = refresh

    def add(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Counts up."""
        key = (metric, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Sets a gauge, or a counter that is kept elsewhere."""
        with self._lock:
            self._values[metric, tuple(sorted(labels.items()))] = float(value)

    def get(self, metric: Metric, **labels: str) -> float:
        """Its value; 0 when nothing was counted."""
        with self._lock:
            return self._values.get((metric, tuple(sorted(labels.items()))), 0.0)

    def observe(self, metric: Metric, seconds: float, **labels: str) -> None:
        """Adds one observation to a histogram."""
        key = (metric, tuple(sorted(labels.items())))
        with self._lock:
            counts = self._histograms.get(key)
            if counts is None:
                counts = self._histograms[key] = [0.0] * (len(metric.buckets) + 2)
            counts[bisect.bisect_left(metric.buckets, seconds)] += 1
            counts[-1] += seconds

    @contextlib.contextmanager
    def timed(self, metric: Metric, **labels: str) -> Iterator[None]:
        """Observes how long its block takes, however that ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.observe(metric, time.perf_counter() - began, **labels)

    def snapshot(self) -> Snapshot:
        """All values now."""
        if self._refresh is not None:
            self._refresh()
        self.set(CPU, time.process_time())
        with contextlib.suppress(OSError):
            self.set(RESIDENT, int(os.pread(_MEMORY, 100, 0).split()[1]) * _PAGE)
        with self._lock:
            return Snapshot(dict(self._values), {key: tuple(counts) for key, counts in self._histograms.items()})

    def render(self) -> str:
        """All metrics in Prometheus' text format."""
        return rendered(self.metrics, self.snapshot())


_LIVE: weakref.WeakSet[Registry] = weakref.WeakSet()


def registries() -> list[Registry]:
    """Those of this process that are in use."""
    return list(_LIVE)


def rendered(metrics: Sequence[Metric], snapshot: Snapshot) -> str:
    """These metrics in Prometheus' text format."""
    lines: list[str] = []
    for metric in metrics:
        lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
        lines += _plain(metric, snapshot.values)
        for (owner, labels), counts in snapshot.histograms.items():
            if owner is metric:
                lines += _histogram(metric, labels, counts)
    return "\n".join(lines) + "\n"


def _plain(metric: Metric, values: Mapping[tuple[Metric, Labels], float]) -> list[str]:
    return [
        f"{metric.name}{_labels(labels)} {value:.15g}" for (owner, labels), value in values.items() if owner is metric
    ]


def _histogram(metric: Metric, labels: Labels, counts: Sequence[float]) -> Iterable[str]:
    below = 0.0
    for bound, count in zip((*metric.buckets, "+Inf"), counts[:-1], strict=True):
        below += count
        yield f"{metric.name}_bucket{_labels((*labels, ('le', str(bound))))} {below:.15g}"
    yield f"{metric.name}_sum{_labels(labels)} {counts[-1]:.15g}"
    yield f"{metric.name}_count{_labels(labels)} {below:.15g}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return "{" + inner + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
