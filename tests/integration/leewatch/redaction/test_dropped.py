"""`content: drop`: no text is in any table that is kept, whatever key or event brought it; what describes it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from leewatch.redaction.content import DROPPED
from leewatch.testing import otlp

MARKER = "quokka-7341"
DROP = {"content": "drop", "projects": {"open": {"content": "keep"}}}
MASK_AND_DROP = {"mode": "mask", "projects": {"closed": {"content": "drop"}}}
TEXT = f"the {MARKER} text"
MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": TEXT}]}])
ANSWER = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": TEXT}], "finish_reason": "stop"}])
KEPT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.response.finish_reasons": ["stop"],
    "session.id": "s-1",
    "langfuse.trace.metadata.tier": "gold",
    "http.route": "/chat",
    "vendor.retries": 3,
}
TEXTS = {
    "gen_ai.input.messages": MESSAGES,
    "gen_ai.output.messages": ANSWER,
    "gen_ai.system_instructions": TEXT,
    "gen_ai.tool.definitions": TEXT,
    "gen_ai.prompt.0.content": TEXT,
    "llm.input_messages.0.message.content": TEXT,
    "input.value": TEXT,
    "output.value": TEXT,
    "retrieval.documents.0.document.content": TEXT,
    "traceloop.entity.input": TEXT,
    "ai.prompt": TEXT,
    "logfire.msg": TEXT,
    "langfuse.observation.input": TEXT,
    "db.query.text": TEXT,
    "llm.prompt_template.variables": json.dumps({"q": TEXT}),
    "vendor.unheard_of": TEXT,
    "annotations.0.annotation.name": "judged",
    "annotations.0.annotation.score": 0.25,
    "annotations.0.annotation.explanation": TEXT,
}


def _span(**more: Any) -> dict[str, Any]:
    settings = json.dumps({"temperature": 0.5, "system": TEXT, "tools": [{"name": TEXT}]})
    return {
        "name": "chat",
        "attributes": {**KEPT, **TEXTS, "llm.invocation_parameters": settings},
        "events": [
            {"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": TEXT}},
            {
                "name": "exception",
                "attributes": {"exception.type": "E", "exception.message": TEXT, "exception.stacktrace": TEXT},
            },
        ],
        "status_message": TEXT,
        **more,
    }


def _record(span: Any) -> dict[str, Any]:
    return {
        "event_name": "gen_ai.user.message",
        "body": {"content": TEXT},
        "attributes": {"gen_ai.input.messages": MESSAGES, "gen_ai.provider.name": "openai"},
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
    }


def _kept(database: Any) -> str:
    """Every row of every table that is stored on disk, as text."""
    tables = database.rows(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0 AND engine != 'Memory'"
    )
    return "\n".join(
        database.client.raw_query(f"SELECT * FROM `{row['name']}` FORMAT JSONEachRow").decode() for row in tables
    )


@pytest.mark.parametrize(("policy", "project"), [(DROP, "default"), (MASK_AND_DROP, "closed")])
def test_no_text_is_kept_and_what_describes_it_is(redacting: Any, policy: Any, project: str) -> None:
    database = redacting(policy)
    database.send(otlp.traces([_span()]), project=project)
    span = database.rows("SELECT trace_id, span_id FROM llm_spans")[0]
    database.send(otlp.logs([_record(span), {"body": TEXT, "attributes": {"x": TEXT}}]), signal="logs", project=project)
    assert MARKER not in _kept(database)
    row = database.rows("SELECT * FROM llm_spans")[0]
    assert row["content_dropped"]
    assert (row["prompt_preview"], row["response_preview"], row["error_message"]) == ("", "", "")
    assert (row["prompt_length"], row["response_length"]) == (len(TEXT), len(TEXT))
    assert (row["model"], row["input_tokens"], row["session_id"], row["temperature"]) == ("m-1", 12, "s-1", 0.5)
    assert (row["status"], row["error_type"], row["finish_reason"], row["metadata"]) == (
        "UNSET",
        "E",
        ["stop"],
        {"tier": "gold"},
    )
    raw = database.rows("SELECT * FROM otel_traces")[0]
    attributes = raw["SpanAttributes"]
    assert {key: attributes.get(key) for key in KEPT} == {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in KEPT.items()
    }
    assert json.loads(attributes["llm.invocation_parameters"]) == {"temperature": 0.5}
    told = json.loads(attributes[DROPPED])
    assert set(told) == set(TEXTS) - {"annotations.0.annotation.score"}
    assert told["gen_ai.system_instructions"] == len(TEXT)
    assert raw["Events.Attributes"] == [{}, {"exception.type": "E"}]
    assert database.rows("SELECT name, value, explanation FROM scores") == [
        {"name": "judged", "value": 0.25, "explanation": ""}
    ]
    log = database.rows("SELECT * FROM otel_logs WHERE EventName != ''")[0]
    assert (log["Body"], log["LogAttributes"]["gen_ai.provider.name"]) == ("", "openai")


def test_content_waits_in_memory_as_it_would_be_read_from_the_content(redacting: Any) -> None:
    database = redacting(DROP)
    for project in ("default", "open"):
        request = otlp.traces([_span(name="waiting", trace_id="07" * 16, span_id="08" * 8)])
        database.send(request, project=project)
        database.send(
            otlp.logs([_record({"trace_id": "07" * 16, "span_id": "08" * 8})]),
            signal="logs",
            project=project,
        )
    where = f"trace_id = '{'07' * 16}'"
    texts = "prompt_text, response_text, system_instructions, input_messages, output_messages"
    kept = database.rows(f"SELECT {texts} FROM span_content WHERE {where}")
    held = database.rows(f"SELECT {texts} FROM span_content_waiting WHERE {where}")
    assert kept == held
    assert kept[0]["prompt_text"] == TEXT
    assert database.rows(f"SELECT project, content_dropped FROM llm_spans WHERE {where} ORDER BY project") == [
        {"project": "default", "content_dropped": True},
        {"project": "open", "content_dropped": False},
    ]


def test_named_attributes_stay(redacting: Any) -> None:
    database = redacting({"content": "drop", "keep_attributes": ["vendor.*", "StatusMessage", "exception.message"]})
    database.send(otlp.traces([_span()]))
    raw = database.rows("SELECT * FROM otel_traces")[0]
    assert (raw["SpanAttributes"]["vendor.unheard_of"], raw["StatusMessage"]) == (TEXT, TEXT)
    assert raw["Events.Attributes"][1] == {"exception.type": "E", "exception.message": TEXT}
    assert "logfire.msg" not in raw["SpanAttributes"]
    assert database.rows("SELECT error_message FROM llm_spans")[0]["error_message"] == TEXT
