"""Tracer and logger providers that export at once to the recorder."""

from __future__ import annotations

from typing import Any

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def tracer_provider(address: str, set_global: bool = True) -> TracerProvider:
    """Spans go out when `force_flush` is called."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces")))
    if set_global:
        trace.set_tracer_provider(provider)
    return provider


def logger_provider(address: str) -> Any:
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{address}/v1/logs")))
    _logs.set_logger_provider(provider)
    return provider
