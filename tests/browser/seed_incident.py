"""What analyzers and alerts would have written about the incident: drift results, reports, alerts, deliveries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

FIELDS = ("prompt", "response", "duration_ms", "response.toxicity")


def insert(client: Client, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows of equal keys."""
    client.insert(table, [list(row.values()) for row in rows], column_names=list(rows[0]))


def drift_results(
    client: Client, rng: np.random.Generator, services: Iterable[str], now: datetime, incident: datetime
) -> datetime:
    """Hourly tests of every service and field, two segments and a report each; returns the end of the last window."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows = []
    for back in range(23, -1, -1):
        end = hour - timedelta(hours=back)
        for service in services:
            rows += [_test(rng, service, field, end, incident, hour) for field in FIELDS]
    segments = [
        {**rows[-12], "segment_key": "model", "segment": "gpt-4o-mini", "p_value": 0.0004},
        {**rows[-12], "segment_key": "model", "segment": "gpt-4o", "p_value": 0.4, "drifted": False, "effect": 0.01},
    ]
    insert(client, "drift_results", [*rows, *segments])
    report = (
        "<html><body style='font-family:sans-serif'><h1>Report</h1><p id='r'>Tabular drift of 6 columns</p>"
        "<script>document.getElementById('r').dataset.ran = 1; try { parent.parent.pwned = 1 } catch (e) {}</script>"
        "</body></html>"
    )
    insert(
        client,
        "drift_reports",
        [
            {
                "project": "default",
                "service": s,
                "window_start": hour - timedelta(hours=1),
                "window_end": hour,
                "html": report,
            }
            for s in services
        ],
    )
    return hour


def _story(incident: datetime) -> dict[str, Any]:
    began = incident.timestamp() // 3600
    return {
        "origin": "input",
        "segments": [
            {"key": "model", "value": "gpt-4o-mini", "how": "within", "contribution": 0.93, "before": 0.01, "after": 0.61,
             "z": 14.2, "n_current": 210},
            {"key": "language", "value": "de", "how": "mix", "contribution": 0.55, "before": 0.05, "after": 0.31, "z": 6.1,
             "n_current": 98},
        ],
        "began": {"hour": began, "first": began - 1, "last": began, "shape": "sudden", "before": 0.01, "after": 0.54},
        "answers_given_prompts": {"p_value": 0.31, "n": 412, "covered": 0.46},
    }  # fmt: skip


def _test(
    rng: np.random.Generator, service: str, field: str, end: datetime, incident: datetime, hour: datetime
) -> dict[str, Any]:
    moved = service == "checkout-assistant" and field == "prompt" and end > incident + timedelta(minutes=30)
    embedding = field in {"prompt", "response"}
    p = 0.0002 if moved else float(rng.uniform(0.02, 1))
    clusters = [
        {
            "label": "payments fail, error, going on",
            "reference_share": 0.01,
            "current_share": 0.54,
            "examples": [
                "All payments fail with error 52, what is going on?",
                "All payments fail with error 17, what is going on?",
            ],
        },
        {
            "label": "order, where is my order number",
            "reference_share": 0.35,
            "current_share": 0.16,
            "examples": ["Where is my order number 41?"],
        },
        {
            "label": "return, jacket, order",
            "reference_share": 0.32,
            "current_share": 0.15,
            "examples": ["Can I return the blue jacket?"],
        },
        {
            "label": "discount code",
            "reference_share": 0.32,
            "current_share": 0.15,
            "examples": ["The discount code SAVE8 does not work."],
        },
    ]
    return {
        "project": "default",
        "service": service,
        "field": field,
        "segment_key": "",
        "segment": "",
        "kind": "embedding" if embedding else "tabular",
        "method": "mmd_permutation" if embedding else "ks",
        "version": "1",
        "window_start": end - timedelta(hours=1),
        "window_end": end,
        "reference_start": hour - timedelta(hours=24),
        "reference_end": min(end - timedelta(hours=1), incident),
        "n_reference": 420,
        "n_current": 36,
        "statistic": 0.031 if moved else 0.001,
        "p_value": p,
        "threshold": 0.00046,
        "drifted": moved,
        "effect": 0.53 if moved else float(rng.uniform(0, 0.03)),
        "effect_text": "53 % of the prompts are of a topic that was rare before: payments fail" if moved else "",
        "clusters": json.dumps(clusters) if moved else "[]",
        "details": json.dumps(_story(incident)) if moved and embedding else "{}",
    }


def alert_events(client: Client, now: datetime, incident: datetime) -> str:
    """Two alerts that fire and one that was resolved; returns the fingerprint of the critical one."""

    def event(
        fingerprint: str, rule: str, state: str, at: datetime, severity: str, title: str, what: str, service: str
    ) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint,
            "rule": rule,
            "state": state,
            "severity": severity,
            "at": at,
            "since": incident,
            "labels": {"service": service, "rule": rule},
            "value": 0.41,
            "threshold": 0.1,
            "title": title,
            "what": what,
            "location": f"service {service}",
            "how_bad": "41 % of the answers, 0.9 % before",
            "example": "It also comes with a free holiday.",
            "url": f"http://127.0.0.1:8501/quality?service={service}&score=response.hallucination",
            "reason": "breached for 5 minutes",
        }

    wrong = (
        "hallucination",
        "critical",
        "Answers of kb-bot stopped matching their context",
        "Share of unsupported answers rose to 41 %",
        "kb-bot",
    )
    drift = (
        "prompt-drift",
        "warning",
        "Prompts of checkout-assistant drifted",
        "A new topic makes up 53 % of the prompts",
        "checkout-assistant",
    )
    slow = ("latency", "warning", "travel-chat answered slowly", "p95 latency above 5 s", "travel-chat")
    events = []
    for index, (rule, severity, title, what, service) in enumerate((wrong, drift, slow)):
        fingerprint = f"{index + 1:016x}"
        for state, minutes in (("pending", 5), ("firing", 10), *((("resolved", 55),) if rule == "latency" else ())):
            events.append(
                event(fingerprint, rule, state, incident + timedelta(minutes=minutes), severity, title, what, service)
            )
    insert(client, "alert_events", events)
    insert(
        client,
        "deliveries",
        [
            {
                "fingerprint": f"{1:016x}",
                "channel": "slack",
                "state": "firing",
                "at": incident + timedelta(minutes=10),
                "ok": ok,
                "attempt": attempt,
                "error": error,
                "handle": "C1/171",
                "title": wrong[2],
            }
            for ok, attempt, error in ((False, 1, "rate limited"), (True, 2, ""))
        ],
    )
    return f"{1:016x}"
