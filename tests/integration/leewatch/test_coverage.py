"""The coverage report tells what each service's telemetry lacks, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from leewatch.config import Settings
from leewatch.coverage import coverage
from leewatch.semconv import sql
from leewatch.semconv.lookup import Own
from leewatch.storage.client import connect
from leewatch.testing import otlp

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
WHOLE = {
    **CHAT,
    "gen_ai.input.messages": '[{"role":"user","content":"Hi"}]',
    "gen_ai.output.messages": '[{"role":"assistant","content":"Ho"}]',
    "gen_ai.usage.input_tokens": 3,
    "session.id": "s",
    "user.id": "u",
}
MASKED = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m",
    "llm.input_messages.0.message.content": "__REDACTED__",
}


@pytest.fixture
def client(database: Settings) -> Iterator[Client]:
    made = connect(database)
    yield made
    made.close()


def _send(client: Client, service: str, *attributes: dict[str, Any]) -> None:
    request = otlp.traces([{"attributes": one} for one in attributes], {"service.name": service})
    body = otlp.batch_body([request], service)
    client.raw_insert("otlp_traces", insert_block=body, settings=sql.ingest_settings("traces"), fmt="ProtobufSingle")


def test_what_is_missing_is_counted_with_its_reason_for_each_service(client: Client) -> None:
    _send(client, "whole", WHOLE, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"})
    uploaded = {**CHAT, "gen_ai.input.messages_ref": "s3://x", "gen_ai.new_key": "v"}
    _send(client, "partly", CHAT, uploaded, MASKED, {**WHOLE, "gen_ai.new_key": "v", "app.own": "v"})
    found = {one.service: one for one in coverage(client, datetime.now(UTC) - timedelta(hours=1))}
    whole, partly = found["whole"], found["partly"]
    assert (whole.spans, whole.calls, whole.dialects, whole.kinds) == (2, 1, ("genai",), {"llm": 1, "tool": 1})
    assert set(whole.missing.values()) == {0}
    assert set(whole.without_content.values()) == {0}
    assert whole.unmapped == {}
    assert partly.dialects == ("genai", "openinference")
    assert partly.missing == {"model": 0, "tokens": 3, "prompt": 2, "response": 3, "session": 3, "user": 3}
    assert partly.without_content == {
        "masked_by_sender": 1,
        "dropped_here": 0,
        "uploaded_elsewhere": 1,
        "not_sent": 1,
    }
    assert partly.unmapped == {"gen_ai.new_key": 2}
    own = {"feature": Own(("gen_ai.new_key",))}
    assert coverage(client, datetime.now(UTC) - timedelta(hours=1), own)[0].unmapped == {}


def test_nothing_since_then_is_no_service(client: Client) -> None:
    _send(client, "whole", WHOLE)
    assert coverage(client, datetime.now(UTC) + timedelta(hours=1)) == []
