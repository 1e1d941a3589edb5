"""Sends spans and metrics of this process for as long as it is open."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from leewatch import instruments
from leewatch.config import Settings
from leewatch.telemetry.conversion import metrics_data
from leewatch.telemetry.section import TelemetrySection
from leewatch.telemetry.spans import ROLE

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""What the end of a role waits for its last spans and metrics."""
SILENT_ROLES = frozenset({"store"})
"""The kernel keeps the embedded store from connecting anywhere; its supervisor tells how it does."""


@contextmanager
def exported(settings: Settings, role: str, environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Sends what the role tells about itself, if the section `telemetry` says so. Whatever happens to it harms no role."""
    section = settings.section(TelemetrySection)
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not section.enabled or disabled or role in SILENT_ROLES:
        yield
        return
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    resource = resource_of(role, environment)
    sampler = None if "OTEL_TRACES_SAMPLER" in environment else ParentBased(TraceIdRatioBased(section.sample_ratio))
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(section, "traces", environment)))
    trace.set_tracer_provider(provider)
    metrics = _Metrics(section, resource, _exporter(section, "metrics", environment))
    metrics.start()
    try:
        yield
    finally:

        def end() -> None:
            metrics.stop()
            provider.shutdown()

        ending = threading.Thread(target=end, name="telemetry-end", daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


def resource_of(role: str, environment: Mapping[str, str]) -> Resource:
    """Who tells: service.name is `leewatch` unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    own = {
        "service.name": "leewatch",
        "service.version": version("leewatch"),
        "service.instance.id": str(uuid.uuid4()),
    }
    named = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if environment.get("OTEL_SERVICE_NAME") or "service.name=" in named:
        del own["service.name"]
    return Resource.create({**own, ROLE: role})


def _exporter(section: TelemetrySection, signal: str, environment: Mapping[str, str]) -> Any:
    """The stock exporter; what the environment says is left to it."""

    def given(*names: str) -> bool:
        upper = signal.upper()
        return any(environment.get(f"OTEL_EXPORTER_OTLP_{part}{name}") for name in names for part in ("", f"{upper}_"))

    asked = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    protocol = asked or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL") or section.protocol
    options: dict[str, Any] = {}
    if not given("HEADERS") and section.headers:
        options["headers"] = {key.lower(): value.get_secret_value() for key, value in section.headers.items()}
    if not given("ENDPOINT"):
        base = section.endpoint.rstrip("/")
        options["endpoint"] = base if protocol == "grpc" else f"{base}/v1/{signal}"
    return _class_of(protocol, signal)(**options)


def _class_of(protocol: str, signal: str) -> Any:
    """The libraries of the protocol at hand alone are loaded."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

        return GrpcSpans if signal == "traces" else GrpcMetrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans

    return HttpSpans if signal == "traces" else HttpMetrics


class _Metrics(threading.Thread):
    """Sends the values of every registry of this process at an interval, and once more at the end."""

    def __init__(self, section: TelemetrySection, resource: Resource, exporter: Any) -> None:
        super().__init__(name="telemetry-metrics", daemon=True)
        self._seconds = section.metrics_seconds
        self._resource = resource
        self._exporter = exporter
        self._began = time.time_ns()
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._seconds):
            self._send()

    def stop(self) -> None:
        self._stopping.set()
        self._send()
        self._exporter.shutdown()

    def _send(self) -> None:
        for registry in instruments.registries():
            try:
                snapshot = registry.snapshot()
                data = metrics_data(registry.metrics, snapshot, self._resource, self._began, time.time_ns())
                self._exporter.export(data)
            except Exception as error:  # noqa: BLE001  an exporter may raise anything; the role goes on
                log.debug("metrics of this process could not be sent: %s", type(error).__name__)
