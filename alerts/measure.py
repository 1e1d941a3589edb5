"""Measures every group of a rule in its present window: the database's answer as verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from clickhouse_connect.driver.client import Client

from alerts import points
from alerts.observation import DriftTest, Observation, Window
from alerts.rules import OTLP, QUANTILES, SCORES, TOTALS, Filter, Rule
from alerts.verdict import Sample, judge, judge_drift
from leewatch.schema import Cluster
from leewatch.storage import queries

DIMENSIONS: tuple[str, ...] = get_args(Filter)
DRIFT_DIMENSIONS = ("project", "service", "segment")
KNOWN_SECONDS = 86_400
"""A group whose last span is older is no longer missed by a rule that looks for too little traffic."""
STALE_WINDOWS = 3
"""Windows without a drift test after which the last result no longer stands."""
LEAF_KINDS = ("llm", "embedding", "reranker")


def observe(
    client: Client, rule: Rule, now: datetime, lateness_seconds: float, late_arrival_seconds: int
) -> list[Observation]:
    """Every group of the rule with traffic (or with a drift test), as it stands at `now`."""
    if rule.drift is not None:
        return _drift(client, rule, now, lateness_seconds, late_arrival_seconds)
    end = now - timedelta(seconds=lateness_seconds)
    window = Window(end - timedelta(seconds=rule.window_seconds), end)
    samples = _samples(client, rule, window, late_arrival_seconds)
    earlier: Mapping[tuple[str, ...], Sample] = {}
    if rule.ratio_to_seconds_ago is not None:
        earlier = _samples(client, rule, window.earlier(rule.ratio_to_seconds_ago), late_arrival_seconds)
    return [
        Observation(_labels(rule, group), window, judge(rule, sample, earlier.get(group)))
        for group, sample in sorted(samples.items())
    ]


def selection(rule: Rule, labels: Mapping[str, str]) -> dict[str, Any]:
    """Query parameters that pick the spans of one group: `filter`, `filter_values`, `kinds`."""
    pairs: dict[str, str] = {str(key): value for key, value in rule.where.items()}
    pairs |= {key: labels[key] for key in rule.by if key in labels}
    return {
        "filter": [DIMENSIONS.index(key) + 1 for key in pairs],
        "filter_values": list(pairs.values()),
        "kinds": _kinds(rule),
    }


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def moment(epoch_ms: int) -> datetime:
    """The time, UTC."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def span(window: Window, late_arrival_seconds: int) -> dict[str, Any]:
    """Query parameters of a window: `start`, `end`, `late`."""
    return {"start": milliseconds(window.start), "end": milliseconds(window.end), "late": late_arrival_seconds}


def _kinds(rule: Rule) -> list[str]:
    if "kind" in rule.where:
        return [rule.where["kind"]]
    return list(LEAF_KINDS) if _sums_usage(rule) else ["llm"]


def _sums_usage(rule: Rule) -> bool:
    return rule.metric in {"input_tokens", "output_tokens", "cost"}


def _labels(rule: Rule, group: Sequence[str]) -> dict[str, str]:
    fixed: dict[str, str] = {str(key): value for key, value in rule.where.items()}
    return fixed | dict(zip(rule.by, group, strict=True))


def _samples(client: Client, rule: Rule, window: Window, late: int) -> dict[tuple[str, ...], Sample]:
    if rule.metric in OTLP:
        return points.samples(client, rule, span(window, late), window)
    parameters = {
        **span(window, late),
        **selection(rule, {}),
        "by": [DIMENSIONS.index(key) + 1 for key in rule.by],
    }
    if rule.metric in SCORES:
        parameters |= {"score": rule.score, "above": rule.above if rule.above is not None else 0.0}
        rows = client.query(queries.load("alerts")["score_metrics"], parameters=parameters).named_results()
        return {tuple(row["labels"]): _score_sample(rule, row) for row in rows}
    missed = rule.metric in TOTALS and rule.compare == "<"
    known = window.start - timedelta(seconds=KNOWN_SECONDS) if missed else window.start
    parameters |= {
        "known_since": milliseconds(known),
        "leaves": _sums_usage(rule),
        "ttft": rule.metric == "ttft_p95",
        "high": rule.compare == ">",
        "threshold": float(rule.threshold or 0.0),
    }
    rows = client.query(queries.load("alerts")["span_metrics"], parameters=parameters).named_results()
    return {tuple(row["labels"]): _span_sample(rule, row) for row in rows}


def _score_sample(rule: Rule, row: Mapping[str, Any]) -> Sample:
    value = row["share"] if rule.metric == "score_rate" else row["mean"]
    return Sample(int(row["n"]), float(value), float(row["effective"]), deviation=float(row["deviation"]))


def _span_sample(rule: Rule, row: Mapping[str, Any]) -> Sample:
    n = int(row["n"])
    if rule.metric == "error_rate":
        return Sample(n, row["errors"] / n if n else 0.0)
    if rule.metric in QUANTILES:
        timed = int(row["timed"])
        quantile = (0.5, 0.95, 0.99).index(QUANTILES[str(rule.metric)])
        return Sample(timed, float(row["quantiles"][quantile]), tail=row["slow"] / timed if timed else 0.0)
    return Sample(n, float(n if rule.metric == "requests" else row[str(rule.metric)]))


def _drift(client: Client, rule: Rule, now: datetime, lateness: float, late: int) -> list[Observation]:
    segment_key = next((key for key in rule.by if key not in {"project", "service"}), "")
    by = [key for key in DRIFT_DIMENSIONS if key == "service" or key in rule.by or (key == "segment" and segment_key)]
    rows = client.query(
        queries.load("alerts")["drift_windows"],
        parameters={
            "by": [DRIFT_DIMENSIONS.index(key) + 1 for key in by],
            "field": rule.drift,
            "segment_key": segment_key,
            "known_since": milliseconds(now - timedelta(days=7)),
            "now": milliseconds(now),
            "late": late,
            "project": rule.where.get("project", ""),
            "service": rule.where.get("service", ""),
        },
    ).named_results()
    observations = []
    for row in rows:
        named = dict(zip((segment_key if key == "segment" else key for key in by), row["labels"], strict=True))
        observations.append(_drift_observation(rule, row, {**named, "field": str(rule.drift)}, now, lateness))
    return observations


def _drift_observation(
    rule: Rule, row: Mapping[str, Any], labels: Mapping[str, str], now: datetime, lateness: float
) -> Observation:
    window = Window(moment(row["start_ms"]), moment(row["end_ms"]))
    stale_after = STALE_WINDOWS * (window.end - window.start) + timedelta(seconds=lateness)
    verdict = judge_drift(rule, bool(row["drifted"]), row["effect"], row["n_current"], now - window.end > stale_after)
    clusters = tuple(
        Cluster(c["label"], c["reference_share"], c["current_share"], tuple(c.get("examples", ())))
        for c in json.loads(row["clusters"] or "[]")
    )
    test = DriftTest(
        row["method"],
        row["n_reference"],
        row["n_current"],
        row["p_value"],
        row["threshold"],
        row["effect"],
        row["effect_text"],
        clusters,
    )
    return Observation(labels, window, verdict, test)
