"""Which metrics the infrastructure page shows, and under which names they come. Data alone.

Names: OpenTelemetry semantic conventions (gen-ai, hardware, system, process); vLLM, NVIDIA's dcgm-exporter and host metrics as a
Collector's receivers pass them on; OpenLIT's GPU metrics. A token metric is shown per call and never added to tokens of spans:
the same calls are counted by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

_MIB: Final = 1 / 1024  # GiB per MiB
_BYTE: Final = 1 / 1024**3  # GiB per byte


@dataclass(frozen=True, slots=True)
class Distribution:
    """A chart of quantiles of one histogram: of the first of `names` that came."""

    key: str
    title: str
    unit: str
    names: tuple[str, ...]
    quantity: str


@dataclass(frozen=True, slots=True)
class Level:
    """A chart of a gauge, one line per `subject`; `names` maps each metric to the factor to the chart's unit.

    states: only points with one of these states. rest: show 100 minus the value. fold: how series of one subject combine.
    """

    key: str
    title: str
    unit: str
    subject: Literal["gpu", "host", "service"]
    names: Mapping[str, float]
    states: tuple[str, ...] = ()
    rest: bool = False
    fold: Literal["avg", "sum"] = "avg"


DISTRIBUTIONS: Final = (
    Distribution(
        "duration",
        "Operation duration",
        "s",
        (
            "gen_ai.client.operation.duration",
            "gen_ai.client.inference.duration",
            "gen_ai.server.request.duration",
            "vllm:e2e_request_latency_seconds",
            "llm.request.duration",
        ),
        "seconds",
    ),
    Distribution(
        "first_token",
        "Time to first token",
        "s",
        (
            "gen_ai.server.time_to_first_token",
            "gen_ai.client.operation.time_to_first_chunk",
            "vllm:time_to_first_token_seconds",
        ),
        "seconds",
    ),
    Distribution(
        "per_token",
        "Time per output token",
        "s",
        (
            "gen_ai.server.time_per_output_token",
            "gen_ai.client.operation.time_per_output_chunk",
            "vllm:time_per_output_token_seconds",
            "vllm:inter_token_latency_seconds",
        ),
        "seconds",
    ),
    Distribution("tokens", "Tokens per call", "tokens", ("gen_ai.client.token.usage",), "tokens"),
)

GPU: Final = (
    Level(
        "gpu_utilization",
        "GPU utilization",
        "%",
        "gpu",
        {"hw.gpu.utilization": 100, "DCGM_FI_DEV_GPU_UTIL": 1, "gpu.utilization": 1},
    ),
    Level(
        "gpu_memory",
        "GPU memory used",
        "GiB",
        "gpu",
        {"hw.gpu.memory.usage": _BYTE, "DCGM_FI_DEV_FB_USED": _MIB, "gpu.memory.used": _MIB},
    ),
    Level(
        "gpu_temperature",
        "GPU temperature",
        "°C",
        "gpu",
        {"hw.temperature": 1, "hw.gpu.temperature": 1, "DCGM_FI_DEV_GPU_TEMP": 1, "gpu.temperature": 1},
    ),
    Level(
        "gpu_power",
        "GPU power",
        "W",
        "gpu",
        {"hw.power": 1, "hw.gpu.power.draw": 1, "DCGM_FI_DEV_POWER_USAGE": 1, "gpu.power.draw": 1},
    ),
)

HOST: Final = (
    Level("cpu", "CPU busy", "%", "host", {"system.cpu.utilization": 100}, states=("idle",), rest=True),
    Level("memory", "Memory used", "%", "host", {"system.memory.utilization": 100}, states=("used",)),
    Level("process_cpu", "Process CPU", "% of one core", "service", {"process.cpu.utilization": 100}, fold="sum"),
    Level(
        "process_memory",
        "Process memory",
        "GiB",
        "service",
        {"process.memory.usage": _BYTE, "process.memory.physical_usage": _BYTE},
        fold="sum",
    ),
)


def chosen(distribution: Distribution, present: Iterable[str]) -> str | None:
    """The name under which this histogram comes; None when it does not."""
    names = set(present)
    return next((name for name in distribution.names if name in names), None)


def shown(levels: Iterable[Level], present: Iterable[str]) -> list[Level]:
    """The charts for which at least one metric came."""
    names = set(present)
    return [level for level in levels if names & set(level.names)]
