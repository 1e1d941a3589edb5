"""A day of metrics as model servers, GPUs and hosts would have sent them; latency and load rise with the incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client
from seed_incident import insert

EVERY = timedelta(seconds=120)
BOUNDS = [0.01 * 2**power for power in range(14)]
TOKEN_BOUNDS = [float(4**power) for power in range(10)]
MODELS = {"checkout-assistant": "gpt-4o-mini", "kb-bot": "claude-sonnet-4", "travel-chat": "gpt-4o"}


def metrics(client: Client, rng: np.random.Generator, now: datetime, incident: datetime) -> None:
    """Fills the tables of gauges, sums and histograms."""
    times = [now - timedelta(days=1) + EVERY * step for step in range(1, int(timedelta(days=1) / EVERY))]
    insert(client, "otel_metrics_histogram", list(_distributions(rng, times, incident)))
    insert(client, "otel_metrics_gauge", list(_gauges(rng, times, incident)))
    insert(client, "otel_metrics_sum", list(_counters(rng, times)))


def _distributions(rng: np.random.Generator, times: list[datetime], incident: datetime) -> Iterator[dict[str, Any]]:
    """Cumulative seconds, and tokens as delta."""
    shapes = {
        "gen_ai.client.operation.duration": 1.1,
        "gen_ai.server.time_to_first_token": 0.28,
        "gen_ai.server.time_per_output_token": 0.021,
    }
    for service, model in MODELS.items():
        for name, middle in shapes.items():
            counts, total = np.zeros(len(BOUNDS) + 1, dtype=np.int64), 0.0
            for at in times:
                slow = 2.6 if at > incident and service == "checkout-assistant" else 1.0
                values = rng.lognormal(np.log(middle * slow), 0.5, int(rng.integers(4, 12)))
                counts += np.histogram(values, [-np.inf, *BOUNDS, np.inf])[0]
                total += float(values.sum())
                row = _histogram(service, model, name, "s", at, counts, total, BOUNDS)
                yield {**row, "StartTimeUnix": times[0] - EVERY, "AggregationTemporality": 2}
        for kind, middle in (("input", 640.0), ("output", 180.0)):
            for at in times:
                values = rng.lognormal(np.log(middle), 0.6, 8)
                counts = np.histogram(values, [-np.inf, *TOKEN_BOUNDS, np.inf])[0]
                row = _histogram(service, model, "gen_ai.client.token.usage", "{token}", at, counts, 0.0, TOKEN_BOUNDS)
                row["Attributes"] = {**row["Attributes"], "gen_ai.token.type": kind}
                yield {**row, "StartTimeUnix": at - EVERY, "AggregationTemporality": 1}


def _histogram(
    service: str, model: str, name: str, unit: str, at: datetime, counts: Any, total: float, bounds: list[float]
) -> dict[str, Any]:
    return {
        "ServiceName": service,
        "MetricName": name,
        "MetricUnit": unit,
        "Attributes": {"gen_ai.request.model": model},
        "TimeUnix": at,
        "Count": int(counts.sum()),
        "Sum": total,
        "BucketCounts": counts.tolist(),
        "ExplicitBounds": bounds,
    }


def _gauges(rng: np.random.Generator, times: list[datetime], incident: datetime) -> Iterator[dict[str, Any]]:
    for at in times:
        load = 0.35 + 0.2 * np.sin(at.timestamp() / 14_000) + (0.35 if at > incident else 0.0)
        for gpu in range(2):
            use = float(np.clip(load + rng.normal(0, 0.06) - 0.12 * gpu, 0.02, 1))
            labels = {"gpu": str(gpu), "UUID": f"GPU-{gpu}", "modelName": "NVIDIA L40S", "Hostname": "gpu-node-1"}
            for name, value in (
                ("DCGM_FI_DEV_GPU_UTIL", 100 * use),
                ("DCGM_FI_DEV_FB_USED", 21_000 + 9_000 * use),
                ("DCGM_FI_DEV_GPU_TEMP", 38 + 34 * use),
                ("DCGM_FI_DEV_POWER_USAGE", 60 + 240 * use),
            ):
                yield _gauge("dcgm-exporter", name, "", at, value, labels)
        for number, host in enumerate(("app-1", "app-2")):
            idle = float(np.clip(0.9 - load * 0.8 + rng.normal(0, 0.03) + 0.08 * number, 0.03, 0.99))
            resource = {"ResourceAttributes": {"host.name": host}}
            for state, value in (("idle", idle), ("user", (1 - idle) * 0.8), ("system", (1 - idle) * 0.2)):
                cpu = {"cpu": "cpu0", "state": state}
                yield {**_gauge("host-metrics", "system.cpu.utilization", "1", at, value, cpu), **resource}
            for state, value in (("used", 0.41 + 0.1 * number + 0.05 * load), ("free", 0.4)):
                yield {
                    **_gauge("host-metrics", "system.memory.utilization", "1", at, value, {"state": state}),
                    **resource,
                }


def _gauge(service: str, name: str, unit: str, at: datetime, value: float, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "ServiceName": service,
        "MetricName": name,
        "MetricUnit": unit,
        "Attributes": labels,
        "TimeUnix": at,
        "Value": float(value),
        "ResourceAttributes": {},
    }


def _counters(rng: np.random.Generator, times: list[datetime]) -> Iterator[dict[str, Any]]:
    """A counter whose process was started anew at noon of the list."""
    start, value = times[0] - EVERY, 0
    for index, at in enumerate(times):
        if index == len(times) // 2:
            start, value = at - EVERY, 0
        value += int(rng.integers(20, 60))
        yield {
            "ServiceName": "vllm",
            "MetricName": "vllm:generation_tokens",
            "MetricUnit": "{token}",
            "MetricDescription": "Number of generation tokens processed.",
            "Attributes": {"model_name": "llama-3.1-8b"},
            "StartTimeUnix": start,
            "TimeUnix": at,
            "Value": float(value),
            "AggregationTemporality": 2,
            "IsMonotonic": True,
        }
