"""Inserting OTLP: exactly once, every span counted, clocks that are wrong, content by log records."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from leewatch.semconv import sql
from leewatch.testing import otlp

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]',
}
DAY_NS = 86_400_000_000_000
TRACE_TABLES = ("otel_traces", "otel_traces_trace_id_ts", "llm_spans", "llm_content", "batches")


def test_the_same_token_adds_no_row_anywhere_and_the_ledger_counts_spans_of_several_days(ingest: Any) -> None:
    now = time.time_ns()
    request = otlp.traces([{"attributes": CHAT, "start": now - day * DAY_NS} for day in range(5)] + [{"name": "plain"}])
    ingest.send(request, batch="one")
    first = {table: ingest.count(table) for table in TRACE_TABLES}
    ingest.send(request, batch="one")
    assert first == {"otel_traces": 6, "otel_traces_trace_id_ts": 6, "llm_spans": 5, "llm_content": 5, "batches": 1}
    assert {table: ingest.count(table) for table in TRACE_TABLES} == first
    assert ingest.rows("SELECT batch, signal, spans FROM batches") == [{"batch": "one", "signal": "traces", "spans": 6}]


@pytest.mark.parametrize("broken", ["llm_spans", "llm_content", "batches"])
def test_a_retry_after_one_target_failed_completes_it_and_repeats_no_other(ingest: Any, broken: str) -> None:
    request = otlp.traces([{"attributes": CHAT} for _ in range(3)])
    column = "batch" if broken != "llm_content" else "trace_id"
    ingest.client.command(f"ALTER TABLE {broken} ADD CONSTRAINT refuse CHECK {column} = 'never'")
    try:
        with pytest.raises(Exception, match="VIOLATED_CONSTRAINT"):
            ingest.send(request, batch="one")
    finally:
        ingest.client.command(f"ALTER TABLE {broken} DROP CONSTRAINT refuse")
    for _ in range(2):
        ingest.send(request, batch="one")
    counts = {table: ingest.count(table) for table in TRACE_TABLES}
    assert counts == {"otel_traces": 3, "otel_traces_trace_id_ts": 3, "llm_spans": 3, "llm_content": 3, "batches": 1}


def test_repair_adds_what_is_missing_and_nothing_twice(ingest: Any) -> None:
    ingest.send(otlp.traces([{"attributes": CHAT} for _ in range(4)]), batch="one")
    lost = ingest.rows("SELECT span_id FROM llm_spans LIMIT 1")[0]["span_id"]
    ingest.client.command(f"ALTER TABLE llm_spans DELETE WHERE span_id = '{lost}' SETTINGS mutations_sync = 2")
    ingest.client.command("TRUNCATE TABLE llm_content")
    for _ in range(2):
        for table in sql.REPAIRED:
            ingest.client.command(sql.repair_statement(table), parameters={"batch": "one"})
    assert ingest.count("llm_spans") == 4
    assert ingest.client.command("SELECT count() FROM llm_content FINAL") == 4


def test_clocks_that_make_no_sense_are_replaced_and_flagged(ingest: Any) -> None:
    now = time.time_ns()
    spans = {
        "good": {"start": now - 5_000_000_000, "end": now},
        "zero": {"start": 0, "end": now},
        "monotonic": {"start": 12_345, "end": 1_012_345},
        "wrapped": {"start": 2**63 + 5, "end": 2**63 + 6},
        "future": {"start": now + 3 * DAY_NS, "end": now + 3 * DAY_NS + 2_000_000},
        "backwards": {"start": now - 1_000, "end": now - 2_000},
        "endless": {"start": now - 1_000, "end": 2**64 - 1},
        "old": {"start": now - 900 * DAY_NS, "end": now - 900 * DAY_NS + 3_000_000},
    }
    ingest.send(
        otlp.traces([{"name": name, "attributes": CHAT, **times} for name, times in spans.items()]), received_at=now
    )
    rows = {
        row["name"]: row
        for row in ingest.rows("SELECT name, toUnixTimestamp64Nano(ts) AS ns, duration_ms, clock_skewed FROM llm_spans")
    }
    seen = {name: (row["ns"], row["duration_ms"], row["clock_skewed"]) for name, row in rows.items()}
    assert seen == {
        "good": (now - 5_000_000_000, 5000.0, False),
        "zero": (now, 0.0, True),
        "monotonic": (now, 1.0, True),
        "wrapped": (now, pytest.approx(1e-6), True),
        "future": (now, 2.0, True),
        "backwards": (now - 1_000, 0.0, True),
        "endless": (now - 1_000, 0.0, True),
        "old": (now - 900 * DAY_NS, 3.0, False),
    }
    assert ingest.count("otel_traces") == len(spans)


def test_messages_in_log_records_become_the_content_of_their_span_in_any_order_of_arrival(ingest: Any) -> None:
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    context = {"trace_id": trace, "span_id": span}
    records = [
        {
            "event_name": "gen_ai.choice",
            "body": {"index": 0, "finish_reason": "stop", "message": {"content": "Teal"}},
            "time": 13 + 10**18,
        },
        {"attributes": {"event.name": "gen_ai.system.message"}, "body": {"content": "Be brief."}, "time": 10**18 + 11},
        {"event_name": "gen_ai.user.message", "body": {"content": "Hue?"}, "time": 10**18 + 12},
        {"event_name": "other.event", "body": "unrelated", "time": 10**18},
    ]
    request = otlp.logs(
        [{**record, **context} for record in records]
        + [{"event_name": "gen_ai.user.message", "body": {"content": "No span"}}]
    )
    ingest.send(request, signal="logs", batch="logs")
    ingest.send(request, signal="logs", batch="logs")
    assert ingest.count("otel_logs") == 5
    ingest.send(
        otlp.traces([{**context, "attributes": {"gen_ai.operation.name": "chat", "gen_ai.system_instructions": "[]"}}])
    )
    found = ingest.span(span)
    assert (found["prompt_text"], found["response_text"], found["system_instructions"]) == ("Hue?", "Teal", "Be brief.")
    assert [message["role"] for message in found["input_messages"]] == ["system", "user"]
    assert found["output_messages"] == [{"role": "assistant", "content": "Teal", "finish_reason": "stop"}]
    assert ingest.rows("SELECT spans FROM batches WHERE signal = 'logs'") == [{"spans": 5}]


def test_log_records_with_content_switched_off_leave_no_text(ingest: Any) -> None:
    context = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203334"}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    records = [
        {"event_name": "gen_ai.user.message", "body": {}},
        {"event_name": "gen_ai.tool.message", "body": {"content": "5 C", "id": "t1"}},
        {"event_name": "gen_ai.choice", "body": choice},
    ]
    ingest.send(otlp.logs([{**record, **context} for record in records]), signal="logs")
    found = ingest.span(context["span_id"])
    assert "{" not in found["prompt_text"] + found["response_text"]
    assert [m["tool_call_id"] for m in found["input_messages"] if m["role"] == "tool"] == ["t1"]
    assert found["output_messages"] == [{"role": "assistant", "content": "", "finish_reason": "stop"}]


def test_log_records_with_ids_of_zeros_join_no_span(ingest: Any) -> None:
    context = {"trace_id": "0" * 32, "span_id": "0" * 16}
    record = {"event_name": "gen_ai.user.message", "body": {"content": "No span"}, **context}
    ingest.send(otlp.logs([record]), signal="logs")
    assert (ingest.count("otel_logs"), ingest.count("llm_content")) == (1, 0)


def test_a_details_record_with_structured_messages_becomes_content(ingest: Any) -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Weather in Oslo?"}]}]
    call = {"type": "tool_call", "id": "t1", "name": "weather", "arguments": {"city": "Oslo"}}
    record = {
        "event_name": "gen_ai.client.inference.operation.details",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203332",
        "attributes": {
            "gen_ai.input.messages": messages,
            "gen_ai.output.messages": [{"role": "assistant", "parts": [call], "finish_reason": "tool_call"}],
            "gen_ai.system_instructions": [{"type": "text", "content": "Use tools."}],
        },
    }
    ingest.send(otlp.logs([record]), signal="logs")
    found = ingest.span("b7ad6b7169203332")
    assert (found["prompt_text"], found["response_text"], found["system_instructions"]) == (
        "Weather in Oslo?",
        "",
        "Use tools.",
    )
    assert found["output_messages"][0]["tool_calls"] == [
        {"id": "t1", "name": "weather", "arguments": '{"city":"Oslo"}'}
    ]


def test_a_stock_collectors_row_is_normalized_too(ingest: Any) -> None:
    row = {
        "Timestamp": datetime.now(UTC),
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "SpanId": "b7ad6b7169203333",
        "SpanName": "chat",
        "StatusCode": "STATUS_CODE_ERROR",
        "ServiceName": "s",
        "SpanAttributes": {"gen_ai.request.model": "m"},
    }
    ingest.client.insert("otel_traces", [list(row.values())], column_names=list(row))
    assert ingest.rows("SELECT project, service, kind, model, status, error_type FROM llm_spans") == [
        {"project": "default", "service": "s", "kind": "llm", "model": "m", "status": "ERROR", "error_type": "_OTHER"}
    ]


def test_a_negative_duration_from_another_writer_is_no_duration(ingest: Any) -> None:
    row = {
        "Timestamp": datetime.now(UTC),
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "SpanId": "b7ad6b7169203335",
        "Duration": 2**64 - 1_000,
        "SpanAttributes": {"gen_ai.request.model": "m"},
    }
    ingest.client.insert("otel_traces", [list(row.values())], column_names=list(row))
    assert ingest.rows("SELECT duration_ms, end_ts = ts AS same FROM llm_spans") == [{"duration_ms": 0.0, "same": 1}]


def test_a_parent_id_of_zeros_is_no_parent(ingest: Any) -> None:
    span = {"attributes": CHAT, "parent_span_id": "0" * 16}
    ingest.send(otlp.traces([span]))
    assert ingest.rows("SELECT parent_span_id FROM llm_spans") == [{"parent_span_id": ""}]
