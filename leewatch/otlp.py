"""Rows of prompts and responses as OTLP spans, and the client that sends them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus

from leewatch.errors import InputError, StoreUnavailableError

RETRYABLE = {429, 502, 503, 504}
"""OTLP specification 1.7, section OTLP/HTTP, Failures: the client should retry these."""
NUMBERS: Mapping[str, tuple[str, type]] = {
    "input_tokens": ("gen_ai.usage.input_tokens", int),
    "output_tokens": ("gen_ai.usage.output_tokens", int),
    "temperature": ("gen_ai.request.temperature", float),
    "cost": ("gen_ai.usage.cost", float),
}
STRINGS: Mapping[str, str] = {
    "session_id": "gen_ai.conversation.id",
    "user_id": "user.id",
    "prompt_name": "gen_ai.prompt.name",
    "environment": "deployment.environment.name",
}
USED = {
    "prompt",
    "response",
    "context",
    "model",
    "provider",
    "ts",
    "duration_ms",
    "system",
    "service",
    "error",
    *NUMBERS,
    *STRINGS,
}


@dataclass(frozen=True)
class RowDefaults:
    """What a row that does not say it gets."""

    service: str
    model: str
    provider: str = ""


def span_from_row(row: Mapping[str, Any], start_ns: int, defaults: RowDefaults, ids: random.Random) -> tuple[str, Span]:
    """The service and the GenAI span of one row; texts become structured messages, unknown scalar keys metadata.

    row: `{prompt, response, context?, system?, model?, provider?, ts?, duration_ms?, input_tokens?, ...}`; start_ns
    stands in for a missing `ts` (ISO 8601, or seconds since the epoch). Raises InputError for an unreadable value.
    """
    start = _time_ns(row["ts"]) if row.get("ts") not in (None, "") else start_ns
    model = str(row.get("model") or defaults.model)
    span = Span(
        trace_id=ids.randbytes(16),
        span_id=ids.randbytes(8),
        name=f"chat {model}".strip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + int(_number(row, "duration_ms", float) or 0) * 1_000_000,
    )
    attributes: dict[str, str | int | float] = {"gen_ai.operation.name": "chat"}
    if model:
        attributes["gen_ai.request.model"] = model
    if row.get("provider") or defaults.provider:
        attributes["gen_ai.provider.name"] = str(row.get("provider") or defaults.provider)
    attributes.update(_texts(row))
    for key, (attribute, kind) in NUMBERS.items():
        value = _number(row, key, kind)
        if value is not None:
            attributes[attribute] = value
    attributes.update({attribute: str(row[key]) for key, attribute in STRINGS.items() if row.get(key)})
    extra = {k: v for k, v in row.items() if k not in USED and isinstance(v, str | int | float | bool) and v != ""}
    if extra:
        attributes["metadata"] = json.dumps(extra, ensure_ascii=False)
    if row.get("error"):
        attributes["error.type"] = str(row["error"])
        span.status.CopyFrom(SpanStatus(code=SpanStatus.STATUS_CODE_ERROR, message=str(row["error"])))
    span.attributes.extend(KeyValue(key=key, value=_any(value)) for key, value in attributes.items())
    return str(row.get("service") or defaults.service), span


def request_of(spans: Sequence[tuple[str, Span]]) -> ExportTraceServiceRequest:
    """One export request that holds all spans, grouped by service in order of first appearance."""
    groups: dict[str, list[Span]] = {}
    for service, span in spans:
        groups.setdefault(service, []).append(span)
    scope = InstrumentationScope(name="leewatch.replay")
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=[KeyValue(key="service.name", value=_any(service))]),
                scope_spans=[ScopeSpans(scope=scope, spans=group)],
            )
            for service, group in groups.items()
        ]
    )


def send(
    client: httpx.Client,
    endpoint: str,
    request: ExportTraceServiceRequest,
    patience_seconds: float = 120.0,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Number of spans the collector refused, after delivering the request with the retries that OTLP asks for.

    Raises StoreUnavailableError when the collector stays unreachable or busy for patience_seconds, InputError when it
    refuses the request for good.
    """
    body = request.SerializeToString()
    deadline = time.monotonic() + patience_seconds
    wait = 0.5
    while True:
        try:
            response = client.post(
                f"{endpoint.rstrip('/')}/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
            )
        except httpx.TransportError as error:
            reason, hint = f"{type(error).__name__}: {error}", 0.0
        else:
            if response.status_code == httpx.codes.OK:
                return int(ExportTraceServiceResponse.FromString(response.content).partial_success.rejected_spans)
            if response.status_code not in RETRYABLE:
                raise InputError(f"{endpoint} refused the spans: {response.status_code} {_message(response)}")
            reason, hint = f"{response.status_code} {_message(response)}", _seconds(response.headers.get("retry-after"))
        wait = min(max(hint, wait * 1.5), 10.0)
        if time.monotonic() + wait > deadline:
            raise StoreUnavailableError(
                f"no collector took the spans at {endpoint} within {patience_seconds:.0f} s ({reason}). "
                "Start one with `leewatch up`, or pass --endpoint URL"
            )
        sleep(wait)


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    prompt, response = row.get("prompt"), row.get("response")
    texts = {}
    messages = []
    if row.get("system"):
        messages.append(_message_json("system", str(row["system"])))
    if prompt:
        messages.append(_message_json("user", str(prompt)))
    if messages:
        texts["gen_ai.input.messages"] = json.dumps(messages, ensure_ascii=False)
    if response:
        texts["gen_ai.output.messages"] = json.dumps([_message_json("assistant", str(response))], ensure_ascii=False)
    context = row.get("context")
    if context:
        contents = context if isinstance(context, list) else [context]
        documents = [{"id": str(number), "content": str(content)} for number, content in enumerate(contents)]
        texts["gen_ai.retrieval.documents"] = json.dumps(documents, ensure_ascii=False)
    return texts


def _message_json(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _any(value: str | int | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def _number(row: Mapping[str, Any], key: str, kind: type) -> Any:
    value = row.get(key)
    if value is None or value == "":
        return None
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise InputError(f"{key}: expected a number, got {value!r}") from None


def _time_ns(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value * 1e9)
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        raise InputError(f"ts: expected ISO 8601 or seconds since the epoch, got {value!r}") from None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1e9)


def _message(response: httpx.Response) -> str:
    if "protobuf" in response.headers.get("content-type", ""):
        try:
            return str(Status.FromString(response.content).message)
        except ValueError:
            return ""
    return response.text[:500]


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
