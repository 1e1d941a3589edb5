"""What several rows together tell of a span, on recorded payloads and in every order of arrival."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from analyzers.corrections import CorrectionsJob
from analyzers.store import AnalyzerStore
from leewatch.semconv import sql
from leewatch.testing import dialects, otlp

RECORDINGS = {recording.name: recording for recording in dialects.recordings()}
CALLS = "kind = 'llm' AND NOT usage_is_aggregate"
_numbers = itertools.count(1)
Send = Callable[..., None]
IDS = {"trace_id": "0a" * 16, "span_id": "0b" * 8}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


@pytest.fixture
def send(client: Client) -> Send:
    def insert(request: Any, signal: str = "traces") -> None:
        body = otlp.batch_body([request], f"batch-{next(_numbers)}")
        client.raw_insert(
            f"otlp_{signal}", insert_block=body, settings=sql.ingest_settings(signal), fmt="ProtobufSingle"
        )

    return insert


@pytest.fixture
def correct(client: Client) -> Callable[[], None]:
    work = CorrectionsJob(lambda: datetime.now(UTC), threading.Event())
    return lambda: work.run(AnalyzerStore(client))


def _alone(request: Any) -> list[Any]:
    """Every span as a request of its own."""
    found = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                one = type(request)()
                outer = one.resource_spans.add()
                outer.resource.CopyFrom(resource.resource)
                inner = outer.scope_spans.add()
                inner.scope.CopyFrom(scope.scope)
                inner.spans.append(span)
                found.append(one)
    return found


@pytest.mark.parametrize("name", ["openinference_anthropic", "openllmetry_anthropic"])
@pytest.mark.parametrize("seed", [0, 1])
def test_tokens_of_a_call_count_once_though_the_sdk_has_a_span_of_its_own(
    client: Client, send: Send, correct: Callable[[], None], name: str, seed: int
) -> None:
    spans = [one for request in RECORDINGS[name].requests["traces"] for one in _alone(request)]
    random.Random(seed).shuffle(spans)
    for number, span in enumerate(spans):
        send(span)
        if number == len(spans) // 2:
            correct()
    correct()
    correct()
    total = "SELECT count(), sum(total_tokens) FROM llm_spans FINAL WHERE total_tokens > 0 AND"
    inner = "name = 'anthropic.messages.create'"
    outer = client.query(f"{total} NOT {inner}").result_rows
    assert outer[0][0] > 0
    assert client.query(f"{total} {CALLS}").result_rows == outer
    seen = client.query(f"SELECT DISTINCT kind FROM llm_spans FINAL WHERE total_tokens > 0 AND {inner}").result_rows
    assert seen == [("chain",)]


def test_spans_of_different_answers_and_of_one_alone_stay_calls(
    client: Client, send: Send, correct: Callable[[], None]
) -> None:
    spans = [{"attributes": {**CHAT, "gen_ai.response.id": f"r-{number}"}} for number in range(5)]
    apart = {**CHAT, "gen_ai.response.id": "polled"}
    first = {"attributes": apart, "start": otlp_time(100), "end": otlp_time(99)}
    later = {"attributes": apart, "start": otlp_time(50), "end": otlp_time(49)}
    send(otlp.traces([*spans, first, later]))
    correct()
    assert client.query(f"SELECT count() FROM llm_spans FINAL WHERE {CALLS}").result_rows == [(7,)]


def otlp_time(seconds_ago: float) -> int:
    return int((datetime.now(UTC).timestamp() - seconds_ago) * 1e9)


@pytest.mark.parametrize("order", ["spans first", "logs first", "corrected between"])
def test_reasons_of_recorded_log_events_are_those_of_the_spans(
    client: Client, send: Send, correct: Callable[[], None], order: str
) -> None:
    recording = RECORDINGS["otel_openai_events"]
    signals = ["logs", "traces"] if order == "logs first" else ["traces", "logs"]
    for signal in signals:
        for request in recording.requests[signal]:
            send(request, signal)
        if order == "corrected between":
            correct()
    correct()
    wanted = [span["expect"].get("finish_reason", []) for span in dialects.expected()["otel_openai_events"]]
    found = client.query("SELECT finish_reason FROM llm_spans FINAL ORDER BY ts, span_id").result_rows
    assert [row[0] for row in found] == wanted
    assert any(wanted)


@pytest.mark.parametrize("logs_first", [False, True])
def test_an_exception_record_makes_its_span_a_failed_one(
    client: Client, send: Send, correct: Callable[[], None], logs_first: bool
) -> None:
    attributes = {"exception.type": "openai.RateLimitError", "exception.message": "slow down"}
    record = {"event_name": "gen_ai.client.operation.exception", "attributes": attributes, **IDS}
    own = {**CHAT, "error.type": "timeout"}
    spans = [{"attributes": CHAT, **IDS}, {"attributes": own, "trace_id": IDS["trace_id"], "span_id": "0c" * 8}]
    parts = [("traces", otlp.traces(spans)), ("logs", otlp.logs([record, {**record, "span_id": "0c" * 8}]))]
    for signal, request in reversed(parts) if logs_first else parts:
        send(request, signal)
        correct()
    found = client.query("SELECT status, error_type, error_message FROM llm_spans FINAL ORDER BY span_id").result_rows
    assert found[0] == ("ERROR", "openai.RateLimitError", "slow down")
    assert found[1][1] == "timeout"


def test_an_event_of_the_whole_exchange_fills_what_the_span_lacks(
    client: Client, send: Send, correct: Callable[[], None]
) -> None:
    usage = {
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ["stop", "length"],
    }
    record = {"event_name": "gen_ai.client.inference.operation.details", "attributes": usage, **IDS}
    send(otlp.logs([record]), "logs")
    send(otlp.traces([{"attributes": {**CHAT, "gen_ai.usage.input_tokens": 5}, **IDS}]))
    correct()
    rows = client.query("SELECT input_tokens, output_tokens, finish_reason FROM llm_spans FINAL").result_rows
    assert rows == [(5, 3, ["stop", "length"])]
    correct()
    assert client.query("SELECT count() FROM llm_spans").result_rows[0][0] <= 2
