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
    "structured messages nest as deep as tool arguments do": (
        {"attributes": LLM | {
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Deep"}]}],
            "gen_ai.output.messages": [{"role": "assistant", "finish_reason": "tool_calls", "parts": [
                {"type": "tool_call", "id": "t", "name": "f", "arguments": {"a": {"b": [{"c": 1}]}}}]}],
        }},
        {"prompt_text": "Deep", "response_text": "", "calls": [{"id": "t", "name": "f", "arguments": '{"a":{"b":[{"c":1}]}}'}]},
    ),
    "a tool's result is no prompt": (
        {"attributes": LLM | {"gen_ai.input.messages": json.dumps([
            {"role": "user", "parts": [{"type": "text", "content": "Price?"}]},
            {"role": "user", "parts": [{"type": "tool_call_response", "id": "t", "response": "12 euro"}]}])}},
        {"prompt_text": "Price?"},
    ),
    "a framework is the provider only when nothing better is named": (
        {"attributes": LLM | {"gen_ai.provider.name": "langchain", "gen_ai.system": "Anthropic"}},
        {"provider": "anthropic"},
    ),
    "a framework alone is the provider": ({"attributes": LLM | {"gen_ai.provider.name": "CrewAI"}}, {"provider": "crewai"}),
    "disjoint buckets are added, whose total is the sum of all": (
        {"attributes": {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(
            {"input": 10, "input_cached_tokens": 5, "output": 7, "output_reasoning": 3, "total": 25})}},
        {"input_tokens": 15, "output_tokens": 10, "cache_read_tokens": 5, "reasoning_tokens": 3, "total_tokens": 25},
    ),
    "buckets inside the counts are not added": (
        {"attributes": {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(
            {"input": 10, "input_cached_tokens": 5, "output": 7, "total": 17})}},
        {"input_tokens": 10, "output_tokens": 7, "total_tokens": 17},
    ),
    "what Langfuse's LangChain handler hides in metadata": (
        {"attributes": {"langfuse.observation.type": "generation", "langfuse.observation.metadata.langfuse_session_id": '"s"',
                        "langfuse.trace.metadata.langfuse_user_id": "u", "langfuse.observation.metadata.plan": '"pro"',
                        "langfuse.observation.metadata.limit": "7"}},
        {"session_id": "s", "user_id": "u", "metadata": {"plan": "pro", "limit": "7"}},
    ),
    "the AI SDK's provider metadata": (
        {"attributes": {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.promptTokens": 9, "ai.response.providerMetadata":
                        json.dumps({"anthropic": {"usage": {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}}})}},
        {"input_tokens": 9, "cache_read_tokens": 4, "cache_write_tokens": 2},
    ),
    "the AI SDK's rerank and nested context": (
        {"attributes": {"ai.operationId": "ai.rerank.doRerank", "ai.settings.context.sessionId": "s", "ai.settings.context.tier": "gold"}},
        {"kind": "reranker", "session_id": "s", "metadata": {"tier": "gold"}},
    ),
    "Logfire's events": (
        {"attributes": LLM | {"events": json.dumps([
            {"event.name": "gen_ai.system.message", "role": "system", "content": "Brief."},
            {"event.name": "gen_ai.user.message", "role": "user", "content": "Hue?"},
            {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Teal"}}])}},
        {"prompt_text": "Hue?", "response_text": "Teal", "system_instructions": "Brief.", "input_roles": ["system", "user"]},
    ),
    "Pydantic AI's list of all messages": (
        {"attributes": {"gen_ai.operation.name": "invoke_agent", "pydantic_ai.all_messages": json.dumps([
            {"role": "user", "parts": [{"type": "text", "content": "Hue?"}]},
            {"role": "assistant", "parts": [{"type": "text", "content": "Teal"}]}])}},
        {"kind": "agent", "prompt_text": "Hue?", "response_text": "Teal", "input_roles": ["user"], "usage_is_aggregate": True},
    ),
    "Logfire's answer of a whole response": (
        {"attributes": LLM | {"request_data": json.dumps({"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": "Q"}]}),
                              "response_data": json.dumps({"message": {"role": "assistant", "content": "A"},
                                                           "usage": {"prompt_tokens": 4, "completion_tokens": 2}})}},
        {"prompt_text": "Q", "response_text": "A", "temperature": 0.5, "input_tokens": 4, "output_tokens": 2},
    ),
    "a retriever's output is its documents, not an answer": (
        {"attributes": {"gen_ai.operation.name": "retrieval", "input.value": "q", "output.value": json.dumps(
            {"documents": [{"page_content": "D", "metadata": {"p": 1}}]})}},
        {"kind": "retriever", "query_text": "q", "context_text": "D", "response_text": ""},
    ),
    "time to first chunk in seconds beats milliseconds": (
        {"attributes": LLM | {"gen_ai.request.stream": True, "gen_ai.client.operation.time_to_first_chunk": "0.5",
                              "ai.response.msToFirstChunk": 7}},
        {"ttft_ms": 500.0},
    ),
    "the variant of a feature flag, and content kept elsewhere": (
        {"attributes": LLM | {"gen_ai.input.messages_ref": "s3://b/1", "gen_ai.framework.tags": "a, b"},
         "events": [{"name": "feature_flag.evaluation", "attributes": {"feature_flag.key": "k", "feature_flag.result.variant": "B"}}]},
        {"variant": "B", "metadata": {"gen_ai.input.messages_ref": "s3://b/1"}, "tags": ["a", "b"], "input_messages": []},
    ),
    "a whole message of the oldest conventions": (
        {"attributes": LLM | {"gen_ai.prompt": "Hi", "gen_ai.completion": '{"role":"assistant","content":"Ho"}', "gen_ai.prompt.prompt_error": "x"}},
        {"prompt_text": "Hi", "response_text": "Ho"},
    ),
    "the level of an observation is its status": (
        {"attributes": {"langfuse.observation.type": "generation", "langfuse.observation.level": "ERROR",
                        "langfuse.observation.status_message": "refused"}},
        {"status": "ERROR", "error_type": "_OTHER", "error_message": "refused"},
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
