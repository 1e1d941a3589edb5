"""Counters of the collector, and the text in which Prometheus reads them (exposition format 0.0.4)."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
INSERT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """Name (with unit), type and meaning of one metric."""

    name: str
    kind: str
    help: str


REQUESTS = Metric(
    "leewatch_collector_requests_total", "counter", "OTLP requests answered, by signal, transport, outcome"
)
REQUEST_BYTES = Metric("leewatch_collector_request_bytes_total", "counter", "Bytes of accepted requests, decompressed")
ITEMS = Metric(
    "leewatch_collector_items_total", "counter", "Spans, log records or data points by signal and what became of them"
)
SPOOLED = Metric(
    "leewatch_collector_spooled_items",
    "gauge",
    "Spans, log records or data points durable here, not yet in the database",
)
SPOOL_BYTES = Metric("leewatch_collector_spool_bytes", "gauge", "Bytes waiting for the database")
SPOOL_DISK_BYTES = Metric("leewatch_collector_spool_disk_bytes", "gauge", "Bytes of all segments, kept ones included")
SPOOL_LIMIT_BYTES = Metric(
    "leewatch_collector_spool_limit_bytes", "gauge", "Waiting bytes beyond which senders get 503"
)
QUARANTINE_BYTES = Metric(
    "leewatch_collector_quarantine_bytes", "gauge", "Bytes of the spool that could not be read after a crash or damage"
)
INFLIGHT_BYTES = Metric("leewatch_collector_inflight_bytes", "gauge", "Bytes of requests that are not answered yet")
DISK_FREE_BYTES = Metric("leewatch_collector_disk_free_bytes", "gauge", "Bytes left on the disk of the spool")
TRUNCATED = Metric(
    "leewatch_collector_truncated_values_total", "counter", "Values longer than collector.max_value_mb that were cut"
)
SET_ASIDE = Metric(
    "leewatch_collector_segments_set_aside", "gauge", "Segments that fail for an unclear reason and are tried again"
)
ACK_SECONDS = Metric("leewatch_collector_ack_seconds", "histogram", "Seconds from a whole request to its durable ack")
INSERT_SECONDS = Metric("leewatch_collector_insert_seconds", "histogram", "Seconds of one insert, by signal")
INSERT_FAILURES = Metric("leewatch_collector_insert_failures_total", "counter", "Failed inserts by signal and reason")
REPAIRED = Metric(
    "leewatch_collector_repaired_items_total", "counter", "Spans found missing after a crash, inserted again"
)
UNDERIVED = Metric(
    "leewatch_collector_underived_items_total",
    "counter",
    "Items stored raw from which a view could not derive its rows",
)
STORE_UP = Metric("leewatch_collector_store_up", "gauge", "1 when the last exchange with the database succeeded")

ALL = (
    REQUESTS,
    REQUEST_BYTES,
    ITEMS,
    SPOOLED,
    SPOOL_BYTES,
    SPOOL_DISK_BYTES,
    SPOOL_LIMIT_BYTES,
    QUARANTINE_BYTES,
    INFLIGHT_BYTES,
    DISK_FREE_BYTES,
    TRUNCATED,
    SET_ASIDE,
    ACK_SECONDS,
    INSERT_SECONDS,
    INSERT_FAILURES,
    REPAIRED,
    UNDERIVED,
    STORE_UP,
)


class Metrics:
    """Values since this process started. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[Metric, Labels], float] = {}
        self._histograms: dict[tuple[Metric, Labels], list[float]] = {}

    def add(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Counts up."""
        key = (metric, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        """Sets a gauge, or a counter that is kept elsewhere."""
        with self._lock:
            self._values[metric, tuple(sorted(labels.items()))] = value

    def get(self, metric: Metric, **labels: str) -> float:
        """Its value; 0 when nothing was counted."""
        with self._lock:
            return self._values.get((metric, tuple(sorted(labels.items()))), 0.0)

    def observe(self, metric: Metric, seconds: float, **labels: str) -> None:
        """Adds one observation to a histogram."""
        key = (metric, tuple(sorted(labels.items())))
        bounds = buckets_of(metric)
        with self._lock:
            counts = self._histograms.get(key)
            if counts is None:
                # one count per bucket, one above them, and the sum
                counts = self._histograms[key] = [0.0] * (len(bounds) + 2)
            counts[bisect.bisect_left(bounds, seconds)] += 1
            counts[-1] += seconds

    def render(self) -> str:
        """All metrics in Prometheus' text format."""
        with self._lock:
            values = dict(self._values)
            histograms = {key: list(counts) for key, counts in self._histograms.items()}
        lines: list[str] = []
        for metric in ALL:
            lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}")
            lines += _plain(metric, values)
            for (owner, labels), counts in histograms.items():
                if owner is metric:
                    lines += _histogram(metric, labels, counts)
        return "\n".join(lines) + "\n"


def buckets_of(metric: Metric) -> tuple[float, ...]:
    """Upper bounds of a histogram's buckets, seconds."""
    return ACK_BUCKETS if metric is ACK_SECONDS else INSERT_BUCKETS


def _plain(metric: Metric, values: Mapping[tuple[Metric, Labels], float]) -> list[str]:
    return [
        f"{metric.name}{_labels(labels)} {value:.15g}" for (owner, labels), value in values.items() if owner is metric
    ]


def _histogram(metric: Metric, labels: Labels, counts: list[float]) -> Iterable[str]:
    below = 0.0
    for bound, count in zip((*buckets_of(metric), "+Inf"), counts[:-1], strict=True):
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
