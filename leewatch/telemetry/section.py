"""The configuration section `telemetry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field as Key
from pydantic import SecretStr

from leewatch.config import Section


class TelemetrySection(Section):
    """Traces and metrics of Leewatch itself. Where a variable OTEL_* is set, it wins over the key."""

    enabled: bool = Key(False, description="send traces and metrics of Leewatch's own processes")
    endpoint: str = Key(
        "http://127.0.0.1:4317",
        pattern=r"^https?://\S+$",
        description="OTLP endpoint; may be this installation's own collector (OTEL_EXPORTER_OTLP_ENDPOINT)",
    )
    protocol: Literal["grpc", "http/protobuf"] = Key("grpc", description="OTEL_EXPORTER_OTLP_PROTOCOL")
    headers: Mapping[str, SecretStr] = Key(
        default_factory=dict, description="such as x-api-key (OTEL_EXPORTER_OTLP_HEADERS)"
    )
    sample_ratio: float = Key(1.0, ge=0, le=1, description="share of traces that are sent (OTEL_TRACES_SAMPLER)")
    metrics_seconds: float = Key(60.0, ge=0.1, le=3600, description="how often metrics are sent, seconds")
