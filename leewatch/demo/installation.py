"""The installation a demonstration runs on: free ports, its own data directory, short windows."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

WINDOW_SECONDS = 30
LATENESS_SECONDS = 4
REFERENCE_HOURS = 4
MIN_PROMPTS = 300
REFIT_HOURS = 0.05

RULE_DEFAULTS: dict[str, Any] = {"window_seconds": WINDOW_SECONDS, "min_samples": 30, "resolve_seconds": 10}


def configuration() -> dict[str, dict[str, Any]]:
    """Sections of `leewatch.yaml` for a demonstration; ports are free at the time of the call.

    Time is compressed: a window of 30 s stands for the hour of a real installation, so the false-alarm budget is given
    for as many windows as a real month has.
    """
    store, grpc, http, dashboard = free_ports(4)
    windows_per_month = 30 * 24
    demo_windows_per_30_days = 30 * 86_400 / WINDOW_SECONDS
    return {
        "store": {"port": store},
        "collector": {"grpc_port": grpc, "http_port": http, "flush_seconds": 0.3},
        "dashboard": {"port": dashboard},
        "analyzers": {"interval_seconds": 2, "content_wait_seconds": 10, "max_lag_seconds": 0},
        "drift": {
            "window_seconds": WINDOW_SECONDS,
            "lateness_seconds": LATENESS_SECONDS,
            "min_window": 60,
            "min_reference": 300,
            "reference_days": 1,
            "false_alarms_per_30_days": demo_windows_per_30_days / windows_per_month,
        },
        "topics": {"min_prompts": MIN_PROMPTS, "refit_hours": REFIT_HOURS, "days": 1},
        "alerts": {
            "evaluate_seconds": 3,
            "lateness_seconds": LATENESS_SECONDS,
            "group_wait_seconds": 1,
            "rules": rules(),
        },
    }


def rules() -> list[dict[str, Any]]:
    """The rules of the demonstration: the shipped ones at short windows."""
    score = {"metric": "score_rate", "above": 0.5, "by": ["service"], **RULE_DEFAULTS}
    return [
        {
            **score,
            "name": "response-toxicity",
            "title": "Toxic responses",
            "score": "response.toxicity",
            "threshold": 0.05,
            "severity": "critical",
        },
        {
            **score,
            "name": "response-hallucination",
            "title": "Responses not grounded in their context",
            "score": "response.hallucination",
            "threshold": 0.25,
            "severity": "critical",
        },
        {
            **score,
            "name": "response-refusal",
            "title": "Refused requests",
            "score": "response.refusal",
            "threshold": 0.25,
            "severity": "warning",
        },
        {
            **RULE_DEFAULTS,
            "name": "error-rate",
            "title": "Failing requests",
            "metric": "error_rate",
            "threshold": 0.05,
            "by": ["service"],
            "severity": "critical",
        },
        {"name": "prompt-drift", "title": "Prompts drifted", "drift": "prompt", "severity": "warning"},
        {"name": "response-drift", "title": "Responses drifted", "drift": "response", "severity": "warning"},
    ]


def write(directory: Path) -> Path:
    """Path of the configuration file written into the data directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "demo.yaml"
    path.write_text(yaml.safe_dump(configuration(), sort_keys=False), encoding="utf-8")
    return path


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
