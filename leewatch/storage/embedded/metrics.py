"""Counters of the store."""

from __future__ import annotations

from leewatch.instruments import Metric

QUERIES = Metric("leewatch_store_queries_total", "counter", "Statements answered, by outcome")
QUERY_SECONDS = Metric("leewatch_store_query_seconds", "histogram", "Seconds from a statement to its whole answer")
OPEN = Metric("leewatch_store_open_queries", "gauge", "Statements that are not answered yet")
OPEN_LIMIT = Metric("leewatch_store_open_queries_limit", "gauge", "Open statements beyond which others are refused")
ALL = (QUERIES, QUERY_SECONDS, OPEN, OPEN_LIMIT)
