"""Three generated applications that report through the real OpenTelemetry SDK, each in another attribute dialect."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context

from leewatch.demo.handbook import grounded, ungrounded
from leewatch.demo.texts import ABUSE, CHAT, NEW_TOPIC, SUPPORT, Exchange, exchange

SUPPORT_SERVICE, HANDBOOK_SERVICE, CHAT_SERVICE = "support-bot", "handbook-qa", "community-chat"
ERROR_SHARE = 0.005
CHARACTERS_PER_TOKEN = 4
NEW_TOPIC_SHARE, UNGROUNDED_SHARE, ABUSE_SHARE = 0.6, 0.7, 0.45
"""Share of the traffic that an incident touches."""


@dataclass(frozen=True)
class Call:
    """One model call to report. Times in ns since the epoch; an empty model means the provider's default."""

    exchange: Exchange
    model: str
    start_ns: int
    duration_ns: int
    first_token_ns: int
    session: str
    failed: bool


Report = Callable[[Tracer, Call], None]


class Application:
    """A service that takes turns and exports them over OTLP/gRPC. `close` flushes."""

    def __init__(self, service: str, endpoint: str, rng: random.Random, models: tuple[str, str], version: str) -> None:
        """models: the healthy model, and the one it calls while its incident lasts."""
        resource = Resource.create(
            {"service.name": service, "service.version": version, "deployment.environment.name": "demo"}
        )
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=16384, max_export_batch_size=256, schedule_delay_millis=500)
        )
        self._tracer = self._provider.get_tracer("leewatch.demo", version)
        self._rng = rng
        self._models = models
        self.service = service

    def turn(self, start_ns: int, incident: bool) -> None:
        """Reports one turn that began at start_ns."""
        rng = self._rng
        model = self._models[1] if incident else self._models[0]
        said = _EXCHANGES[self.service](rng, incident)
        duration = int(1e6 * (250 + 12 * len(said.response) ** 0.8) * rng.lognormvariate(0, 0.35))
        call = Call(
            said,
            model,
            start_ns,
            duration,
            int(duration * rng.uniform(0.1, 0.25)),
            session=f"s-{rng.randrange(10_000):04d}",
            failed=rng.random() < ERROR_SHARE,
        )
        _REPORTS[self.service](self._tracer, call)

    def flush(self) -> bool:
        """Whether everything reported so far was exported."""
        return bool(self._provider.force_flush(30_000))

    def close(self) -> None:
        """Flushes and ends the exporter."""
        self._provider.shutdown()


def applications(endpoint: str, rng: random.Random) -> tuple[Application, ...]:
    """The three services of the demonstration."""
    seeds = [random.Random(rng.getrandbits(64)) for _ in range(3)]
    return (
        Application(SUPPORT_SERVICE, endpoint, seeds[0], ("gpt-4o", "gpt-4o"), "2.4.0"),
        Application(HANDBOOK_SERVICE, endpoint, seeds[1], ("gpt-4o", "gpt-4o-mini"), "1.9.1"),
        Application(CHAT_SERVICE, endpoint, seeds[2], ("claude-3-5-haiku-latest", "claude-3-5-haiku-latest"), "0.7.3"),
    )


def _support(rng: random.Random, incident: bool) -> Exchange:
    return exchange(NEW_TOPIC if incident and rng.random() < NEW_TOPIC_SHARE else rng.choice(SUPPORT), rng)


def _handbook(rng: random.Random, incident: bool) -> Exchange:
    return ungrounded(rng) if incident and rng.random() < UNGROUNDED_SHARE else grounded(rng)


def _chat(rng: random.Random, incident: bool) -> Exchange:
    return exchange(ABUSE if incident and rng.random() < ABUSE_SHARE else rng.choice(CHAT), rng)


def _tokens(text: str) -> int:
    return max(1, len(text) // CHARACTERS_PER_TOKEN)


def _genai(tracer: Tracer, call: Call) -> None:
    """OpenTelemetry GenAI semantic conventions: one client span with structured messages."""
    said = call.exchange
    messages = [
        _message("system", "You are the friendly support assistant of a small online shop. Answer briefly."),
        _message("user", said.prompt),
    ]
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.model,
        "gen_ai.conversation.id": call.session,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": call.first_token_ns / 1e9,
        "gen_ai.input.messages": json.dumps(messages),
        "gen_ai.usage.input_tokens": _tokens(said.prompt) + 20,
    }
    if not call.failed:
        attributes["gen_ai.output.messages"] = json.dumps(
            [{**_message("assistant", said.response), "finish_reason": "stop"}]
        )
        attributes["gen_ai.usage.output_tokens"] = _tokens(said.response)
        attributes["gen_ai.response.finish_reasons"] = ["stop"]
    root = tracer.start_span("POST /chat", kind=SpanKind.SERVER, start_time=call.start_ns - 4_000_000)
    _end(tracer, root, f"chat {call.model}", attributes, call, "genai")


def _openinference(tracer: Tracer, call: Call) -> None:
    """OpenInference: a chain with a retriever and a model call."""
    said = call.exchange
    documents = {
        f"retrieval.documents.{number}.document.{key}": value
        for number, text in enumerate(said.documents)
        for key, value in (
            ("id", f"handbook-{zlib.crc32(text.encode()) % 997}"),
            ("content", text),
            ("score", 0.9 - 0.1 * number),
        )
    }
    root = tracer.start_span(
        "answer question",
        start_time=call.start_ns - 40_000_000,
        attributes={"openinference.span.kind": "CHAIN", "input.value": said.prompt, "session.id": call.session},
    )
    retriever = tracer.start_span(
        "search handbook",
        context=set_span_in_context(root),
        start_time=call.start_ns - 35_000_000,
        attributes={"openinference.span.kind": "RETRIEVER", "input.value": said.prompt, **documents},
    )
    retriever.end(call.start_ns - 2_000_000)
    attributes: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": call.model,
        "llm.invocation_parameters": json.dumps({"temperature": 0.0, "max_tokens": 256}),
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": "Answer from the handbook only.",
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": said.prompt,
        "llm.token_count.prompt": _tokens(said.prompt) + sum(map(_tokens, said.documents)),
        "session.id": call.session,
        **documents,
    }
    if not call.failed:
        attributes["llm.output_messages.0.message.role"] = "assistant"
        attributes["llm.output_messages.0.message.content"] = said.response
        attributes["llm.token_count.completion"] = _tokens(said.response)
    _end(tracer, root, "ChatCompletion", attributes, call, "openinference")


def _openllmetry(tracer: Tracer, call: Call) -> None:
    """OpenLLMetry: a workflow span around a model call with indexed prompts."""
    said = call.exchange
    attributes: dict[str, Any] = {
        "llm.request.type": "chat",
        "gen_ai.system": "Anthropic",
        "gen_ai.request.model": call.model,
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": said.prompt,
        "gen_ai.usage.prompt_tokens": _tokens(said.prompt),
        "traceloop.workflow.name": "community",
        "traceloop.association.properties.session_id": call.session,
    }
    if not call.failed:
        attributes["gen_ai.completion.0.role"] = "assistant"
        attributes["gen_ai.completion.0.content"] = said.response
        attributes["gen_ai.completion.0.finish_reason"] = "end_turn"
        attributes["gen_ai.usage.completion_tokens"] = _tokens(said.response)
    root = tracer.start_span(
        "community.workflow",
        start_time=call.start_ns - 3_000_000,
        attributes={"traceloop.span.kind": "workflow", "traceloop.entity.name": "community"},
    )
    _end(tracer, root, "anthropic.chat", attributes, call, "openllmetry")


def _end(tracer: Tracer, root: Any, name: str, attributes: dict[str, Any], call: Call, dialect: str) -> None:
    """Adds the model call under the root and ends both."""
    end = call.start_ns + call.duration_ns
    span = tracer.start_span(
        name,
        context=set_span_in_context(root),
        kind=SpanKind.CLIENT,
        start_time=call.start_ns,
        attributes={**attributes, "demo.dialect": dialect},
    )
    if call.failed:
        span.set_attribute("error.type", "timeout")
        span.set_status(Status(StatusCode.ERROR, "the model did not answer in time"))
    span.end(end)
    root.end(end + 3_000_000)


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


_EXCHANGES = {SUPPORT_SERVICE: _support, HANDBOOK_SERVICE: _handbook, CHAT_SERVICE: _chat}
_REPORTS: dict[str, Report] = {SUPPORT_SERVICE: _genai, HANDBOOK_SERVICE: _openinference, CHAT_SERVICE: _openllmetry}
