"""Which variables win, what a failure tells, and that figures keep their values on the way to OTLP."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from leewatch import config
from leewatch.instruments import Metric, Registry
from leewatch.telemetry import export, spans
from leewatch.telemetry.conversion import metrics_data
from leewatch.telemetry.section import TelemetrySection

SECTION = TelemetrySection.model_validate(
    {"enabled": True, "endpoint": "http://a.example:1", "protocol": "http/protobuf", "headers": {"X-Api-Key": "s3cret"}}
)


GIVEN = {"headers": {"x-api-key": "s3cret"}, "endpoint": "http://a.example:1/v1/traces"}


@pytest.mark.parametrize(
    ("environment", "left"),
    [
        ({}, {"headers", "endpoint"}),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://b.example:2"}, {"headers"}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c.example:3/x"}, {"headers"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c.example:3/x"}, {"headers", "endpoint"}),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=other"}, {"endpoint"}),
    ],
)
def test_what_a_variable_says_is_left_to_the_exporter(
    environment: dict[str, str], left: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_class_of", lambda protocol, signal: dict)
    assert export._exporter(SECTION, "traces", environment) == {name: GIVEN[name] for name in left}


def test_the_protocol_of_the_environment_wins() -> None:
    exporter = export._exporter(SECTION, "metrics", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert ".proto.grpc." in type(exporter).__module__


def test_the_service_is_leewatch_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert export.resource_of("alerts", {}).attributes["service.name"] == "leewatch"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "watcher")
    attributes = export.resource_of("alerts", {"OTEL_SERVICE_NAME": "watcher"}).attributes
    assert (attributes["service.name"], attributes["leewatch.role"]) == ("watcher", "alerts")


@pytest.mark.parametrize("disabled", [{"LEEWATCH_TELEMETRY__ENABLED": "false"}, {"OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_set_up_where_it_is_off(tmp_path: Path, disabled: dict[str, str]) -> None:
    environment = {"LEEWATCH_TELEMETRY__ENABLED": "true", **disabled}
    with export.exported(config.load(data=tmp_path, environment=environment), "alerts", environment):
        assert not spans.enabled()


def test_a_failure_is_told_by_its_type_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    with pytest.raises(ValueError, match="password"), spans.span("work", items=3):
        raise ValueError("http://user:password@host")
    (span,) = memory.get_finished_spans()
    assert dict(span.attributes or {}) == {"leewatch.items": 3, "error.type": "ValueError"}
    assert (span.events, span.status.status_code, span.status.description) == ((), trace.StatusCode.ERROR, None)


def test_figures_keep_their_values() -> None:
    took = Metric("leewatch_x_seconds", "histogram", "Seconds", (0.1, 1.0))
    calls = Metric("leewatch_calls_total", "counter", "Calls")
    registry = Registry([took, calls], "test")
    for seconds in (0.05, 0.5, 0.5, 7.0):
        registry.observe(took, seconds, job="a")
    registry.add(calls, 5, outcome="ok")
    data = metrics_data(registry.metrics, registry.snapshot(), Resource({}), 1, 2)
    families = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    (point,) = families["leewatch_x_seconds"].data.data_points
    assert (point.count, point.sum, list(point.bucket_counts), list(point.explicit_bounds)) == (
        *(4, pytest.approx(8.05)),
        *([1, 2, 1], [0.1, 1.0]),
    )
    assert families["leewatch_x_seconds"].unit == "s"
    (point,) = families["leewatch_calls_total"].data.data_points
    assert (point.value, dict(point.attributes)) == (5, {"outcome": "ok"})
