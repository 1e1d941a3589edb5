"""Feedback becomes evaluation results; what is wrong with an item is told by its index, and the others go on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.feedback import MOST_ITEMS, answer, read
from collector.validate import MalformedError, check

TRACE, SPAN = "ab" * 16, "cd" * 8
GOOD = {"trace_id": TRACE, "span_id": SPAN, "name": "helpful", "score": 1}


def records(body: bytes) -> list[dict[str, Any]]:
    request = ExportLogsServiceRequest.FromString(body)
    found = []
    for record in request.resource_logs[0].scope_logs[0].log_records:
        attributes = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in record.attributes}
        found.append({"trace": record.trace_id.hex(), "span": record.span_id.hex(), **attributes})
    return found


def test_an_item_becomes_a_result_of_its_span() -> None:
    item = {**GOOD, "label": "up", "comment": "nice", "user_id": "u1"}
    feedback = read(orjson.dumps(item), 5)
    assert (feedback.accepted, feedback.rejected) == (1, ())
    assert records(feedback.body) == [
        {
            "trace": TRACE,
            "span": SPAN,
            "gen_ai.evaluation.name": "helpful",
            "gen_ai.evaluation.score.value": 1.0,
            "gen_ai.evaluation.score.label": "up",
            "gen_ai.evaluation.explanation": "nice",
            "leewatch.evaluation.source": "human",
            "leewatch.evaluation.identifier": "u1",
            "user.id": "u1",
        }
    ]
    assert check("logs", feedback.body).received == 1


def test_trace_session_and_response_are_targets_and_a_boolean_stays_one() -> None:
    items = [
        {"trace_id": TRACE, "name": "n", "score": True},
        {"session_id": "s", "name": "n", "label": "bad", "source": "llm", "identifier": "judge"},
        {"response_id": "r", "name": "n", "score": 0.0, "explanation": None},
    ]
    first, second, third = records(read(orjson.dumps(items), 5).body)
    assert (first["trace"], first["span"], first["gen_ai.evaluation.score.value"]) == (TRACE, "", True)
    assert (second["session.id"], second["leewatch.evaluation.source"]) == ("s", "llm")
    assert (third["gen_ai.response.id"], third["gen_ai.evaluation.score.value"]) == ("r", 0.0)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (5, "expected an object, got a number"),
        ({**GOOD, "scroe": 1}, "scroe: unknown key"),
        ({**GOOD, "trace_id": "xyz"}, "trace_id: expected 32 hex digits"),
        ({**GOOD, "trace_id": "0" * 32}, "not all 0"),
        ({**GOOD, "span_id": 5}, "span_id: expected a text, got a number"),
        ({"span_id": SPAN, "name": "n", "score": 1}, "span_id: needs the trace_id"),
        ({"name": "n", "score": 1}, "trace_id, session_id or response_id"),
        ({"trace_id": TRACE, "score": 1}, "name: expected"),
        ({"trace_id": TRACE, "name": "n"}, "score or label"),
        ({**GOOD, "score": "5"}, "score: expected a number"),
        ({**GOOD, "source": "dog"}, "source: expected human, llm, code"),
        ({**GOOD, "name": "n" * 257}, "name: expected at most 256"),
        ({**GOOD, "comment": "a", "explanation": "b"}, "mean the same"),
    ],
)
def test_a_bad_item_is_refused_alone_with_its_index_and_reason(item: Any, reason: str) -> None:
    feedback = read(orjson.dumps([GOOD, item, GOOD]), 5)
    assert feedback.accepted == 2
    ((index, told),) = feedback.rejected
    assert (index, reason in told) == (1, True), told
    assert orjson.loads(answer(feedback)) == {"accepted": 2, "rejected": [{"index": 1, "reason": told}]}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"'[:2], orjson.dumps([GOOD] * (MOST_ITEMS + 1)), b'{"score": NaN}']
)
def test_what_is_no_list_of_items_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read(body, 5)
