"""What real instrumentation packages exported, and what each recorded span must become.

`tests/data/recorded/NAME.json` is written by bench/dialects: the OTLP requests of one package in protobuf's JSON form.
`expected.json` holds, per recording, the spans in order of their start with the values expected of them.

python -m leewatch.testing.dialects > docs/reference/dialects.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

DIRECTORY = Path(__file__).parents[2] / "tests" / "data" / "recorded"


@dataclass(frozen=True, slots=True)
class Recording:
    """One package. about: names and versions; requests: by signal, in the order in which they were sent."""

    name: str
    about: Mapping[str, str]
    requests: Mapping[str, tuple[Any, ...]]

    def span_ids(self) -> list[str]:
        """Ids of its spans, lower-case hex."""
        scopes = [
            s for request in self.requests["traces"] for group in request.resource_spans for s in group.scope_spans
        ]
        return [span.span_id.hex() for scope in scopes for span in scope.spans]


def recordings() -> list[Recording]:
    """All recordings, by name."""
    types: dict[str, Any] = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
    found = []
    for path in sorted(DIRECTORY.glob("*.json")):
        if path.stem == "expected":
            continue
        data = json.loads(path.read_text(encoding="utf-8"))
        requests = {signal: tuple(ParseDict(item, type_()) for item in data[signal]) for signal, type_ in types.items()}
        found.append(Recording(path.stem, data["about"], requests))
    return found


def expected() -> dict[str, list[dict[str, Any]]]:
    """Recording -> its LLM spans in order of start: `call` (what was asked), `name` (of the span) and `expect` (field: value)."""
    found: dict[str, list[dict[str, Any]]] = json.loads((DIRECTORY / "expected.json").read_text(encoding="utf-8"))
    return found


FIELDS = (
    "kind", "provider", "request_model", "response_model", "prompt_text", "response_text", "system_instructions",
    "input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "reasoning_tokens", "cost_total", "temperature",
    "max_tokens", "finish_reason", "is_stream", "ttft_ms", "tool_calls", "tool_definitions", "tool_name", "tool_arguments",
    "tool_result", "query_text", "context_documents", "session_id", "user_id", "tags", "metadata", "environment",
    "agent_name", "feature", "error_type", "error_message",
)  # fmt: skip
"""What the table shows and the expectations hold."""
KINDS = ("llm", "embedding", "retriever", "tool", "agent")
"""Spans with expectations; chains repeat what their children say."""


def seen(row: Mapping[str, Any]) -> dict[str, Any]:
    """What one row of `llm_spans` with its content says of FIELDS, without empty values.

    Content and reasons may have come by log records. Of measured times and tool definitions stands only whether they are there,
    of documents their texts.
    """
    outputs = json.loads(row.get("output_messages") or "[]")
    calls = [call for message in outputs for call in message.get("tool_calls", [])]
    reasons = [message["finish_reason"] for message in outputs if message.get("finish_reason")]
    found = {name: row.get(name) for name in FIELDS} | {
        "finish_reason": row.get("finish_reason") or reasons,
        "ttft_ms": (row.get("ttft_ms") or 0) > 0,
        "tool_calls": [[call["name"], json.loads(call["arguments"] or "null")] for call in calls],
        "tool_definitions": "lookup_price" in (row.get("tool_definitions") or ""),
        "context_documents": [document["content"] for document in json.loads(row.get("context_documents") or "[]")],
        "environment": row.get("environment") if row.get("environment") != "default" else "",
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {}, False)}


LIMITS = {
    "litellm_otel": "cached and reasoning tokens stand in a Python literal in `metadata.usage_object`, which is not read",
    "logfire_openai": "a stream is two spans, the request and a log of the answer; neither says that it is one",
    "openinference_anthropic": "the Anthropic SDK adds a span of its own to each call; the analyzers make it a step",
    "openinference_langchain": "the tags of a run are not exported",
    "openinference_llama_index": "inner steps (`_retrieve`, `predict`) repeat the retrieval and the call as kinds of their own",
    "openlit_sdk": "Anthropic's cached tokens are left out of the input and nothing tells; failed calls carry no prompt",
    "openllmetry_anthropic": "an answer that is streamed counts one output token more; the Anthropic SDK adds a span of its own",
    "openllmetry_chromadb": "`get` exports no documents, `query` no text",
    "openllmetry_langchain": "a tool's arguments are the callback's whole input",
    "otel_openai_events": "content and finish reasons come as log records; the analyzers fill the reasons in",
}
"""What the recordings show that one has to know."""

_INTRODUCTION = """# Dialects

What real instrumentation packages export, and what of it arrives. Each package made the same calls to local model servers: a
chat, a stream, a tool call with its second turn, an embedding, a refused call; frameworks also a retrieval, a chain or an agent
(`bench/dialects`). The recordings and all expected values are in `tests/data/recorded`; a test sends each through the store.
This page is generated: `python -m leewatch.testing.dialects`.

A number is how many of the recorded LLM spans (chains left out) carry the field; a dot: the package sends nothing for it.
"""


def page() -> str:
    """The table field x package as Markdown."""
    spans = {name: [span["expect"] for span in given] for name, given in expected().items()}
    names = sorted(spans)
    lines = [_INTRODUCTION, "| recording | package | spans |", "|---|---|--:|"]
    for recording in recordings():
        versions = ", ".join(f"{name} {version}" for name, version in recording.about.items())
        lines.append(f"| `{recording.name}` | {versions} | {len(spans[recording.name])} |")
    for start in range(0, len(names), 6):
        chosen = names[start : start + 6]
        lines += ["", "| field | " + " | ".join(f"`{name}`" for name in chosen) + " |", "|---|" + "--:|" * len(chosen)]
        for field in FIELDS:
            counts = [sum(field in span for span in spans[name]) for name in chosen]
            lines.append(f"| `{field}` | " + " | ".join(str(count) if count else "·" for count in counts) + " |")
    lines += ["", "## What to know", "", *(f"- `{name}`: {text}" for name, text in LIMITS.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
