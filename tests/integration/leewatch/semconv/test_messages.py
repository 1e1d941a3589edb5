"""Message forms, lists flattened into attributes, token rules and events, sent in one request."""

# ruff: noqa: E501 - payloads

from __future__ import annotations

import json
from typing import Any

import pytest

from leewatch.testing import otlp

START = 1_700_000_000_000_000_000
LLM = {"gen_ai.operation.name": "chat"}


def oi(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in values.items()}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "indexed lists come in numeric order, gaps skipped": (
        {"attributes": LLM | {f"gen_ai.prompt.{n}.content": f"m{n}" for n in (10, 9, 2, 0)}},
        {"input_texts": ["m0", "m2", "m9", "m10"], "prompt_text": "m10", "dialect": "openllmetry"},
    ),
    "tool calls of OpenInference": (
        {
            "attributes": {"openinference.span.kind": "LLM"}
            | oi("llm.input_messages.0.message", {"role": "user", "contents.0.message_content.type": "text",
                 "contents.0.message_content.text": "one", "contents.1.message_content.text": "two"})
            | oi("llm.output_messages.0.message", {"role": "assistant", "tool_calls.1.tool_call.function.name": "b",
                 "tool_calls.0.tool_call.id": "t0", "tool_calls.0.tool_call.function.name": "a",
                 "tool_calls.0.tool_call.function.arguments": '{"q":1}'})
        },
        {"prompt_text": "one\ntwo", "response_text": "", "calls": [
            {"id": "t0", "name": "a", "arguments": '{"q":1}'}, {"id": "", "name": "b", "arguments": ""}]},
    ),
    "provider style content blocks and calls": (
        {"attributes": LLM | {
            "gen_ai.input.messages": json.dumps([
                {"role": "human", "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "u"}}]},
                {"role": "assistant", "content": None, "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "t", "content": "42"},
            ]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [
                {"type": "reasoning", "content": "hidden"}, {"type": "text", "content": "It is 42."}], "finish_reason": "end_turn"}]),
        }},
        {"prompt_text": "Look", "response_text": "It is 42.", "finish_reason": ["stop"], "input_roles": ["user", "assistant", "tool"]},
    ),
    "broken JSON stays one text message": (
        {"attributes": LLM | {"gen_ai.input.messages": '[{"role": "user", "conte', "gen_ai.output.messages": "plain"}},
        {"prompt_text": '[{"role": "user", "conte', "response_text": "plain"},
    ),
    "an answer without content stays an answer": (
        {"attributes": LLM | {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [], "finish_reason": "length"}])}},
        {"response_text": "", "finish_reason": ["length"]},
    ),
    "a choice without content is no text": (
        {"attributes": LLM | {"gen_ai.output.messages": json.dumps({"choices": [{"message": {"role": "assistant", "content": None}}]})}},
        {"response_text": ""},
    ),
    "text that looks like a list of numbers stays text": (
        {"attributes": LLM | {"gen_ai.prompt": "[1, 2]"}},
        {"prompt_text": "[1, 2]"},
    ),
    "a request body in input.value and a response in output.value": (
        {"attributes": {"openinference.span.kind": "CHAIN", "input.value": json.dumps({"messages": [{"role": "user", "content": "Q"}]}),
                        "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "content": "A"}}]})}},
        {"kind": "chain", "prompt_text": "Q", "response_text": "A", "usage_is_aggregate": True},
    ),
    "cached tokens left out of the input are added": (
        {"attributes": LLM | {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 100, "gen_ai.usage.output_tokens": "7"}},
        {"input_tokens": 105, "output_tokens": 7, "total_tokens": 112},
    ),
    "zero and false are values, a bad number is NULL": (
        {"attributes": LLM | {"gen_ai.usage.input_tokens": 0, "gen_ai.request.stream": False, "gen_ai.request.temperature": "warm",
                              "gen_ai.response.time_to_first_chunk": 0}},
        {"input_tokens": 0, "total_tokens": 0, "is_stream": False, "temperature": None, "ttft_ms": None},
    ),
    "time to first token by event, exception by event": (
        {"attributes": LLM, "start": START, "status": 2, "events": [
            {"name": "llm.content.completion.chunk", "time": START + 250_000_000},
            {"name": "exception", "attributes": {"exception.type": "Timeout", "exception.message": "too slow"}}]},
        {"ttft_ms": 250.0, "is_stream": True, "status": "ERROR", "error_type": "Timeout", "error_message": "too slow"},
    ),
    "masked content is flagged": (
        {"attributes": {"openinference.span.kind": "LLM", "input.value": "__REDACTED__"}},
        {"content_redacted": True, "prompt_text": "__REDACTED__"},
    ),
    "structured retrieval documents on a chat span": (
        {"attributes": LLM | {"gen_ai.retrieval.documents": json.dumps([{"id": "d", "content": "C", "score": 0.5}, {"content": "D"}])}},
        {"context_text": "C\n\nD", "context_length": 4},
    ),
    "embedding takes the first text": (
        {"attributes": {"openinference.span.kind": "EMBEDDING", "embedding.embeddings.0.embedding.text": "first",
                        "embedding.embeddings.1.embedding.text": "second"}},
        {"kind": "embedding", "prompt_text": "first"},
    ),
    "large blobs are replaced by size and hash": (
        {"attributes": LLM | {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [
            {"type": "text", "content": "See"}, {"type": "blob", "modality": "image", "content": "QUJD" * 2000}]}])}},
        {"prompt_text": "See", "blob_bytes": 6000},
    ),
}  # fmt: skip


def seen(found: dict[str, Any]) -> dict[str, Any]:
    """The row with what the cases look at inside messages."""
    messages, outputs = found["input_messages"], found["output_messages"]
    parts = [part for message in messages for part in message.get("parts", [])]
    return {
        **found,
        "input_texts": [message["content"] for message in messages],
        "input_roles": [message["role"] for message in messages],
        "calls": [call for message in outputs for call in message.get("tool_calls", [])],
        "blob_bytes": sum(part.get("bytes", 0) for part in parts),
    }


def test_every_form_is_normalized(ingest: Any) -> None:
    spans = [{**span, "span_id": f"{number:016x}"} for number, (span, _) in enumerate(CASES.values(), 1)]
    ingest.send(otlp.traces(spans))
    faults = []
    for number, (name, (_, expected)) in enumerate(CASES.items(), 1):
        found = seen(ingest.span(f"{number:016x}"))
        faults += [
            f"{name}: {field}: expected {value!r}, got {found.get(field)!r}"
            for field, value in expected.items()
            if found.get(field) != (pytest.approx(value) if isinstance(value, float) else value)
        ]
    assert not faults, "\n".join(faults)
