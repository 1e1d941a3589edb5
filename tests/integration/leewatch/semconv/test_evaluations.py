"""Evaluations and feedback in every form arrive as scores of the evaluated span, trace or session."""

from __future__ import annotations

import time
from typing import Any

import pytest

from leewatch.testing import otlp

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HOUR_NS = 3_600_000_000_000
START = time.time_ns() - 5 * HOUR_NS
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "resp-1", "session.id": "s-1"}
EVALUATOR = {"service.name": "evaluator"}


def result(name: str = "helpful", value: Any = None, **attributes: Any) -> dict[str, Any]:
    """A log record of the conventions about SPAN; `trace_id=""` and `span_id=""` leave those out."""
    record = {
        key: attributes.pop(key, default)
        for key, default in (("trace_id", TRACE), ("span_id", SPAN), ("time", START + HOUR_NS))
    }
    given = {"gen_ai.evaluation.name": name, "gen_ai.evaluation.score.value": value}
    named = {key.replace("__", "."): text for key, text in attributes.items()}
    return {
        **record,
        "event_name": "gen_ai.evaluation.result",
        "attributes": {k: v for k, v in (given | named).items() if v is not None},
    }


def send_span(ingest: Any) -> None:
    ingest.send(otlp.traces([{"trace_id": TRACE, "span_id": SPAN, "start": START, "attributes": CHAT}]))


def scores(ingest: Any) -> list[dict[str, Any]]:
    return ingest.rows("SELECT * FROM scores FINAL ORDER BY name, scorer, target, subject")  # type: ignore[no-any-return]


@pytest.mark.parametrize("span_first", [True, False])
def test_a_result_by_log_record_scores_its_span(ingest: Any, span_first: bool) -> None:
    record = result(value=0.75, gen_ai__evaluation__score__label="good", gen_ai__evaluation__explanation="clear")
    if span_first:
        send_span(ingest)
    ingest.send(otlp.logs([record], EVALUATOR), signal="logs")
    (row,) = scores(ingest)
    expected = {
        "target": "span", "trace_id": TRACE, "span_id": SPAN, "name": "helpful", "value": 0.75, "label": "good",
        "explanation": "clear",
        "source": "sdk", "scorer": "sdk", "reason": "", "subject": "", "weight": 1.0,
        "service": "shop" if span_first else "evaluator", "session_id": "s-1" if span_first else "",
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert row["ts"].timestamp() == pytest.approx((START if span_first else START + HOUR_NS) / 1e9)


def test_the_later_result_of_a_judge_wins_and_others_stay(ingest: Any) -> None:
    send_span(ingest)
    judge = {"leewatch__evaluation__source": "llm", "leewatch__evaluation__identifier": "judge-v2"}
    ingest.send(otlp.logs([result(value=0.9, time=START + 3 * HOUR_NS, **judge)]), signal="logs")
    ingest.send(
        otlp.logs([result(value=0.1, **judge), result(value=1, leewatch__evaluation__source="human")]), signal="logs"
    )
    found = [(row["scorer"], row["source"], row["value"]) for row in scores(ingest)]
    assert found == [("human", "human", 1.0), ("judge-v2", "judge", 0.9)]


def test_trace_session_and_response_are_targets_too(ingest: Any) -> None:
    send_span(ingest)
    records = [
        result("trace", 1, span_id=""),
        result("session", 1, trace_id="", span_id="", session__id="s-1"),
        result("session", 0, trace_id="", span_id="", session__id="s-2"),
        result("unknown", 1, trace_id="", span_id="", gen_ai__response__id="resp-9"),
        result("nothing", 1, trace_id="", span_id=""),
    ]
    ingest.send(otlp.logs(records), signal="logs")
    found = [
        (row["name"], row["target"], row["trace_id"], row["span_id"], row["session_id"], row["subject"])
        for row in scores(ingest)
    ]
    assert found == [
        ("session", "session", "", "", "s-1", "s-1"),
        ("session", "session", "", "", "s-2", "s-2"),
        ("trace", "trace", TRACE, "", "s-1", ""),
        ("unknown", "span", "", "", "", "resp-9"),
    ]


def test_a_result_that_names_only_the_response_finds_a_recent_span(ingest: Any) -> None:
    ingest.send(otlp.traces([{"trace_id": TRACE, "span_id": SPAN, "attributes": CHAT}]))
    ingest.send(otlp.logs([result(value=1, trace_id="", span_id="", gen_ai__response__id="resp-1")]), signal="logs")
    assert [(row["trace_id"], row["span_id"], row["subject"]) for row in scores(ingest)] == [(TRACE, SPAN, "")]


def test_what_is_no_number_is_null_with_a_reason(ingest: Any) -> None:
    records = [
        result("a", gen_ai__evaluation__score__label="pass"),
        result("b", error__type="timeout"),
        result("c", "high"),
        result("d", True),
        result("e", "0.5"),
    ]
    ingest.send(otlp.logs(records), signal="logs")
    found = {row["name"]: (row["value"], row["label"], row["reason"]) for row in scores(ingest)}
    assert found == {
        "a": (None, "pass", "label only"),
        "b": (None, "", "timeout"),
        "c": (None, "", "no value"),
        "d": (1.0, "", ""),
        "e": (0.5, "", ""),
    }


def test_a_retried_insert_and_a_repair_add_nothing(ingest: Any) -> None:
    from leewatch.semconv import sql

    ingest.send(otlp.logs([result(value=1)]), signal="logs", batch="one")
    ingest.send(otlp.logs([result(value=1)]), signal="logs", batch="one")
    assert ingest.count("scores") == 1
    ingest.client.command("TRUNCATE TABLE scores")
    for _ in range(2):
        ingest.client.command(sql.repair_statement("scores_from_logs"), parameters={"batch": "one"})
    assert len(scores(ingest)) == 1
