"""The answer to an accepted request, by signal (pure)."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.intake import Accepted
from collector.segment import Signal


def message(signal: Signal, accepted: Accepted) -> Any:
    """The response message: empty on full success, else count and reason (OTLP, section "Partial Success")."""
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if accepted.rejected:
            traces.partial_success.rejected_spans = accepted.rejected
            traces.partial_success.error_message = accepted.reason
        return traces
    if signal == "metrics":
        metrics = ExportMetricsServiceResponse()
        if accepted.rejected:
            metrics.partial_success.rejected_data_points = accepted.rejected
            metrics.partial_success.error_message = accepted.reason
        return metrics
    logs = ExportLogsServiceResponse()
    if accepted.rejected:
        logs.partial_success.rejected_log_records = accepted.rejected
        logs.partial_success.error_message = accepted.reason
    return logs
