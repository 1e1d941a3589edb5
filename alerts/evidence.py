"""What is gathered once when an alert begins: since when, and its worst span as an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from alerts import message
from alerts.measure import milliseconds, moment, selection, span
from alerts.observation import Observation, Window
from alerts.onset import Bucket, onset
from alerts.rules import EXACT, OTLP, QUANTILES, SCORES, SHARES, Rule
from leewatch.storage import queries

BUCKETS = 60
"""Slices of two windows in which the beginning of a breach is looked for."""


def example(client: Client, rule: Rule, observation: Observation, late_arrival_seconds: int) -> str:
    """An example of the breach, redacted: of the topic that moved, or the text of the worst span; empty when none is
    known."""
    if observation.drift is not None:
        return message.drift_example(observation.drift)
    if rule.metric in OTLP:
        return ""
    parameters = {
        **selection(rule, observation.labels),
        **span(observation.window, late_arrival_seconds),
        "high": rule.compare == ">",
        "score": rule.score or "",
        "metric": rule.metric,
    }
    sql = queries.load("alerts")
    name = "worst_scored_span" if rule.score is not None else "worst_span"
    worst = next(iter(client.query(sql[name], parameters=parameters).named_results()), None)
    if worst is None:
        return ""
    if rule.metric == "error_rate" and (worst["error_message"] or worst["error_type"]):
        return message.example(f"{worst['error_type']}: {worst['error_message']}".strip(": "))
    keys = {key: worst[key] for key in ("project", "trace_id", "span_id")}
    content = next(iter(client.query(sql["span_text"], parameters=keys).named_results()), None)
    return message.example(_text(rule, content)) if content is not None else ""


def since(client: Client, rule: Rule, observation: Observation, late_arrival_seconds: int) -> datetime:
    """When the breach began, to a thirtieth of the window; the window's start where it cannot be told more closely.

    Looks one window further back, as what is breached now may have begun before there were samples enough to say so.
    """
    window = observation.window
    if observation.drift is not None or rule.metric in EXACT | OTLP or rule.ratio_to_seconds_ago is not None:
        return window.start
    length = window.end - window.start
    wide = Window(window.start - length, window.end)
    step = max(1, milliseconds(wide.end) - milliseconds(wide.start)) // BUCKETS + 1
    share = rule.metric in SHARES or rule.metric in QUANTILES
    parameters = {
        **selection(rule, observation.labels),
        **span(wide, late_arrival_seconds),
        "step": step,
        "share": share,
        "score": rule.score or "",
        "above": rule.above if rule.above is not None else 0.0,
        "failed": rule.metric == "error_rate",
        "ttft": rule.metric == "ttft_p95",
        "threshold": float(rule.threshold or 0.0),
    }
    name = "score_buckets" if rule.metric in SCORES else "span_buckets"
    rows = client.query(queries.load("alerts")[name], parameters=parameters).result_rows
    buckets = [Bucket(int(position), float(n), float(total)) for position, n, total in rows]
    limit = 1 - QUANTILES[str(rule.metric)] if rule.metric in QUANTILES else float(rule.threshold or 0.0)
    return moment(milliseconds(wide.start) + onset(buckets, limit, rule.compare == ">") * step)


def _text(rule: Rule, content: Mapping[str, Any]) -> str:
    shows_response = rule.score is not None and rule.score.startswith("response.")
    return str(content["response_text"] if shows_response else content["prompt_text"])
