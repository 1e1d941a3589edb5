"""The short way of plain chats gives what the long way gives."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from leewatch.semconv import plain
from leewatch.testing import otlp

LONG_WAY = {"db.vector.query.top": "any"}
"""An attribute that says nothing about a chat, of a family that the short way does not read."""
OWN = ("trace_id", "span_id", "ingested_at", "received_at", "batch")


def _text(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}], **more}


def _chat(*asked: Mapping[str, Any], answer: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {"gen_ai.operation.name": "chat"}
    if asked:
        attributes["gen_ai.input.messages"] = json.dumps(asked)
    if answer:
        attributes["gen_ai.output.messages"] = json.dumps([answer])
    return attributes | {key.replace("__", "."): value for key, value in more.items()}


HELLO = _text("user", 'Hello, é "quoted"\n\\ and ☃')
GOODBYE = _text("assistant", "Good bye.", finish_reason="end_turn")
PLAIN: tuple[dict[str, Any], ...] = (
    _chat(),
    _chat(HELLO),
    _chat(answer=GOODBYE),
    _chat(_text("system", "Be brief."), HELLO, answer=GOODBYE),
    _chat(_text("human", "Hello"), answer=_text("model", "Bye")),
    _chat(HELLO, _text("assistant", "And?"), _text("user", "More"), answer={**GOODBYE, "name": "Ada"}),
    _chat(HELLO, answer={"role": "assistant", "parts": [*GOODBYE["parts"], *GOODBYE["parts"]]}),
    _chat(HELLO, answer={"role": "assistant", "content": "As text"}),
    _chat(HELLO, answer={"parts": [{"type": "text", "content": "No role"}]}),
    _chat(
        HELLO,
        answer=GOODBYE,
        gen_ai__provider__name="az.ai.openai",
        gen_ai__system="openai",
        gen_ai__request__model="m-1",
        gen_ai__response__model="m-1-2026",
        gen_ai__response__id="r",
        gen_ai__request__temperature=0.5,
        gen_ai__request__top_p=2,
        gen_ai__request__max_tokens="lots",
        gen_ai__response__finish_reasons=["max_tokens", "stop"],
        gen_ai__request__stream=True,
        gen_ai__response__time_to_first_chunk=0.25,
        gen_ai__conversation__id="c",
        user__id='"quoted"',
        error__type="timeout",
        unknown__key="kept in otel_traces alone",
    ),
    _chat(HELLO, gen_ai__usage__input_tokens=10, gen_ai__usage__output_tokens=5, gen_ai__usage__total_tokens=17),
    _chat(
        HELLO,
        gen_ai__usage__input_tokens=10,
        gen_ai__usage__output_tokens=5,
        gen_ai__usage__total_tokens=20,
        gen_ai__usage__cache_read__input_tokens=5,
    ),
    _chat(HELLO, gen_ai__usage__input_tokens=2, gen_ai__usage__cache_read__input_tokens=8),
    _chat(HELLO, gen_ai__system_instructions='[{"type":"text","content":"Be kind."}]'),
    _chat(_text("system", "Second"), HELLO, gen_ai__system_instructions="First"),
    _chat(HELLO, gen_ai__output__messages="__REDACTED__"),
    {"gen_ai.operation.name": "Text_Completion", "gen_ai.provider.name": "LangChain", "gen_ai.system": "Anthropic"},
)
LONG: tuple[dict[str, Any], ...] = (
    _chat(
        HELLO, answer={"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]}
    ),
    _chat(HELLO, gen_ai__completion="not JSON"),
    _chat(HELLO, traceloop__association__properties__team="a"),
    _chat(HELLO, gen_ai__request__seed=7),
    {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e"},
)
RESOURCE = {"service.name": "shop", "service.version": "1.2", "deployment.environment.name": "test"}


def _sent(ingest: Any, more: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name of each span -> all its columns in both tables, but for those that differ between any two spans."""
    spans = [
        {"name": f"span {number}", "attributes": {**attributes, **more}, "start": START + number, "status": number % 3}
        for number, attributes in enumerate((*PLAIN, *LONG))
    ]
    batch = ingest.send(otlp.traces(spans, RESOURCE))
    rows = ingest.rows("SELECT * FROM llm_spans WHERE batch = {batch:String}", batch=batch)
    contents = {row["span_id"]: row for row in ingest.rows("SELECT * FROM llm_content FINAL")}
    return {
        row["name"]: {key: text for key, text in {**contents.get(row["span_id"], {}), **row}.items() if key not in OWN}
        for row in rows
    }


START = time.time_ns() - 10**9


def test_the_short_way_gives_the_same_columns_as_the_long_one(ingest: Any) -> None:
    short, long = _sent(ingest, {}), _sent(ingest, LONG_WAY)
    assert len(short) == len(PLAIN) + len(LONG)
    assert short == long


def test_plain_chats_go_the_short_way_and_others_do_not(ingest: Any) -> None:
    for name in ("taken_short", "taken_long"):
        ingest.client.command(f"CREATE TABLE {name} (name String) ENGINE = MergeTree ORDER BY name")
    ways = {"taken_short": "llm_step_plain_1", "taken_long": "llm_step_kinds"}
    for name, step in ways.items():
        ingest.client.command(f"CREATE MATERIALIZED VIEW {name}_mv TO {name} AS SELECT SpanName AS name FROM {step}")
    _sent(ingest, {})
    taken = {name: {row["name"] for row in ingest.rows(f"SELECT name FROM {name}")} for name in ways}
    for name in ways:
        ingest.client.command(f"DROP VIEW {name}_mv")
        ingest.client.command(f"DROP TABLE {name}")
    assert taken["taken_short"] == {f"span {number}" for number in range(len(PLAIN)) if number != _REDACTED}
    assert taken["taken_long"] == {
        f"span {number}" for number in [_REDACTED, *range(len(PLAIN), len(PLAIN) + len(LONG))]
    }


_REDACTED = next(number for number, attributes in enumerate(PLAIN) if "__REDACTED__" in attributes.values())


def test_no_column_of_the_short_way_reads_what_a_plain_chat_cannot_have() -> None:
    for column in plain.columns():
        assert "Events." not in column.sql
        assert "SpanAttributes" not in column.sql or column.name == "content_redacted"
