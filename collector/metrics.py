"""Counters of the collector."""

from __future__ import annotations

from leewatch.instruments import Metric, Registry

ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

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
ACK_SECONDS = Metric(
    "leewatch_collector_ack_seconds", "histogram", "Seconds from a whole request to its durable ack", ACK_BUCKETS
)
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


class Metrics(Registry):
    """Values since this process started. Any thread."""

    def __init__(self) -> None:
        super().__init__(ALL, "collector")
