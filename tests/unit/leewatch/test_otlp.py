import json
import random

import httpx
import pytest

from leewatch.errors import InputError, StoreUnavailableError
from leewatch.otlp import RowDefaults, request_of, send, span_from_row

DEFAULTS = RowDefaults("shop", "m-1", "openai")


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def test_a_row_becomes_a_genai_span_with_structured_messages():
    row = {"prompt": "Hi", "response": "Hello", "context": "Doc", "input_tokens": "3", "label": 1}
    service, span = span_from_row(row, 5_000, DEFAULTS, random.Random(1))
    found = attributes(span)
    assert service == "shop"
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8
    assert span.start_time_unix_nano == 5_000
    assert found["gen_ai.request.model"] == "m-1"
    assert found["gen_ai.usage.input_tokens"] == 3
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"][0]["content"] == "Hi"
    assert json.loads(found["gen_ai.retrieval.documents"])[0]["content"] == "Doc"
    assert json.loads(found["metadata"]) == {"label": 1}


@pytest.mark.parametrize(
    ("ts", "seconds"),
    [("2026-05-01T12:00:00Z", 1777636800), ("2026-05-01T14:00:00+02:00", 1777636800), (1777636800, 1777636800)],
)
def test_the_time_of_a_row_is_its_own(ts, seconds):
    _, span = span_from_row({"prompt": "x", "ts": ts}, 1, DEFAULTS, random.Random(1))
    assert span.start_time_unix_nano == seconds * 10**9


@pytest.mark.parametrize(("key", "value"), [("ts", "yesterday"), ("input_tokens", "many"), ("duration_ms", [1])])
def test_an_unreadable_value_is_named(key, value):
    with pytest.raises(InputError, match=f"{key}: expected"):
        span_from_row({"prompt": "x", key: value}, 1, DEFAULTS, random.Random(1))


def test_spans_are_grouped_by_service_in_order():
    spans = [span_from_row({"prompt": p, "service": s}, 1, DEFAULTS, random.Random(1)) for p, s in ("ab", "cd", "eb")]
    request = request_of(spans)
    assert [len(r.scope_spans[0].spans) for r in request.resource_spans] == [2, 1]


def collector(answers):
    """A client whose collector gives these answers in turn, and the list of waits it caused."""
    answers, waits = list(answers), []

    def handle(request):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.Client(transport=httpx.MockTransport(handle)), waits


def test_retryable_failures_are_retried_as_asked():
    client, waits = collector(
        [httpx.Response(503, headers={"retry-after": "3"}), httpx.ConnectError("refused"), httpx.Response(200)]
    )
    assert send(client, "http://c", request_of([]), sleep=waits.append) == 0
    assert waits[0] == 3.0
    assert len(waits) == 2


def test_a_refusal_for_good_is_not_retried():
    client, waits = collector([httpx.Response(400, text="bad protobuf")])
    with pytest.raises(InputError, match="400 bad protobuf"):
        send(client, "http://c", request_of([]), sleep=waits.append)
    assert waits == []


def test_patience_ends_with_the_remedy():
    client, waits = collector([httpx.ConnectError("refused")] * 3)
    with pytest.raises(StoreUnavailableError, match="leewatch up"):
        send(client, "http://c", request_of([]), patience_seconds=0.1, sleep=waits.append)
