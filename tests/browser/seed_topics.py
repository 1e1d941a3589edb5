"""Topics of the made-up traffic: one for each kind of prompt, a new one since the incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client
from seed_incident import insert

LABELS = {
    "checkout-assistant": ("order, number, arrives", "return, jacket, blue", "discount, code, work"),
    "kb-bot": ("warranty, long", "voltage, need"),
    "travel-chat": ("train, lyon, find", "porto, hours, see"),
}
NEW = "payments, fail, error"
PLACES = ((-0.6, 0.2), (0.5, 0.45), (0.15, -0.5), (0.75, -0.3))


def topics(client: Client, spans: Sequence[Mapping[str, Any]], now: datetime, incident: datetime) -> None:
    """Topics of all services, and the topic of every span; every fortieth is far from all of them."""
    first = now - timedelta(days=9)
    rows = [
        _topic(service, number + 1, label, now, first)
        for service, labels in LABELS.items()
        for number, label in enumerate(labels)
    ]
    rows.append(_topic("checkout-assistant", 4, NEW, now, incident + timedelta(minutes=30)))
    insert(client, "topics", rows)
    insert(
        client,
        "span_topics",
        [
            {
                **{key: span[key] for key in ("service", "ts", "trace_id", "span_id")},
                "field": "prompt",
                "topic_id": 0 if span["index"] % 40 == 7 else 4 if span["topic"] < 0 else span["topic"] + 1,
                "similarity": 0.8,
            }
            for span in spans
        ],
    )


def _topic(service: str, number: int, label: str, now: datetime, first_seen: datetime) -> dict[str, Any]:
    x, y = PLACES[number - 1]
    return {
        "service": service,
        "field": "prompt",
        "topic_id": number,
        "model": "all-MiniLM-L6-v2",
        "label": label,
        "keywords": label.split(", "),
        "centroid": [1.0] + [0.0] * 31,
        "floor": 0.3,
        "x": x,
        "y": y,
        "rows": 100,
        "share": 0.3,
        "examples": [f"A question about {label}", f"Another one about {label}, by [EMAIL]"],
        "first_seen": first_seen,
        "last_seen": now,
        "fitted_at": now - timedelta(hours=2),
        "version": "1",
    }
