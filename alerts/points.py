"""Measures rules over OTLP metrics: levels, rates and quantiles of any metric by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from alerts.observation import Window
from alerts.rules import Rule
from alerts.verdict import Sample
from leewatch.storage import queries

QUERIES: Mapping[str, str] = {
    "otlp_mean": "point_levels",
    "otlp_max": "point_levels",
    "otlp_rate": "point_rates",
    "otlp_p95": "point_quantiles",
}


def samples(client: Client, rule: Rule, span: Mapping[str, Any], window: Window) -> dict[tuple[str, ...], Sample]:
    """One sample per group of the rule's dimensions that has points in the window.

    span: query parameters `start`, `end` of the window. n: data points, for otlp_p95 observations.
    """
    name = QUERIES[str(rule.metric)]
    parameters = {
        "start": span["start"],
        "end": span["end"],
        "names": [rule.of],
        "by": list(rule.by),
        "keys": list(rule.attributes),
        "values": list(rule.attributes.values()),
        "project": rule.where.get("project", ""),
        "service": rule.where.get("service", ""),
    }
    if name == "point_quantiles":
        parameters["limit"] = float(rule.threshold or 0.0)
    rows = client.query(queries.load("points")[name], parameters=parameters).named_results()
    return {tuple(row["labels"]): _sample(rule, row, window) for row in rows}


def _sample(rule: Rule, row: Mapping[str, Any], window: Window) -> Sample:
    n = int(row["n"])
    if rule.metric == "otlp_p95":
        return Sample(n, float(row["p95"]), tail=float(row["tail"]))
    if rule.metric == "otlp_rate":
        return Sample(n, float(row["increase"]) / (window.end - window.start).total_seconds())
    if rule.metric == "otlp_max":
        return Sample(n, float(row["highest"] if rule.compare == ">" else row["lowest"]))
    return Sample(n, float(row["mean"]))
