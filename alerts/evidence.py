"""What is gathered once when an alert begins: its worst span, as an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from alerts import message
from alerts.measure import Observation, selection, span
from alerts.rules import Rule
from leewatch.storage import queries


def example(client: Client, rule: Rule, observation: Observation, late_arrival_seconds: int) -> str:
    """An example of the breach, redacted: of the topic that moved, or the text of the worst span; empty when none is
    known."""
    if observation.drift is not None:
        return message.drift_example(observation.drift)
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


def _text(rule: Rule, content: Mapping[str, Any]) -> str:
    shows_response = rule.score is not None and rule.score.startswith("response.")
    return str(content["response_text"] if shows_response else content["prompt_text"])
