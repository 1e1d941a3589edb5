"""Evaluations and feedback in every form arrive as scores of the evaluated span, trace or session."""

from __future__ import annotations

import json
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


def carried(**span: Any) -> dict[str, Any]:
    """A span of TRACE that carries results."""
    return {"trace_id": TRACE, "span_id": "00000000000000aa", "start": START + HOUR_NS // 2, **span}


def listed(prefix: str, name: str = "faithful", **values: Any) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in {"name": name, **values}.items()}


OTHER = "00000000000000aa"
SPAN_FORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "span event": (
        carried(events=[{"name": "gen_ai.evaluation.result", "attributes": {
            "gen_ai.evaluation.name": "faithful", "gen_ai.evaluation.score.value": 0.4}}]),
        {"span_id": OTHER, "name": "faithful", "value": 0.4, "source": "sdk"},
    ),
    "OpenInference": (
        carried(attributes=listed("annotations.0.annotation", score=1, label="ok", explanation="e", annotator_kind="HUMAN",
                                  identifier="i")),
        {"span_id": OTHER, "value": 1.0, "label": "ok", "explanation": "e", "source": "human", "scorer": "i"},
    ),
    "OpenInference, one link": (
        carried(attributes=listed("evaluations.0.evaluation", score=0.4, annotator_kind="LLM"),
                links=[{"trace_id": TRACE, "span_id": SPAN}]),
        {"trace_id": TRACE, "span_id": SPAN, "value": 0.4, "source": "judge", "service": "shop", "session_id": "s-1"},
    ),
    "OpenInference, two links": (
        carried(attributes=listed("evaluations.0.evaluation", score=0.4),
                links=[{"trace_id": TRACE, "span_id": SPAN}, {"trace_id": TRACE, "span_id": "00000000000000bb"}]),
        {"span_id": OTHER},
    ),
    "OpenInference, of the trace": (
        carried(attributes=listed("trace.evaluations.0.evaluation", score=0.4)),
        {"target": "trace", "trace_id": TRACE, "span_id": ""},
    ),
    "OpenInference, of the session": (
        carried(attributes=listed("session.annotations.3.annotation", score=0.4) | {"session.id": "s-9"}),
        {"target": "session", "trace_id": "", "span_id": "", "session_id": "s-9", "subject": "s-9"},
    ),
    "annotations and evaluations that repeat a result": (
        carried(attributes=listed("annotations.0.annotation", score=1, annotator_kind="LLM")
                | listed("evaluations.0.evaluation", score=1, annotator_kind="LLM")),
        {"value": 1.0, "source": "judge"},
    ),
    "Logfire, number": (
        carried(parent_span_id=SPAN, attributes={"logfire.span_type": "annotation", "logfire.feedback.name": "helpful",
                                                 "helpful": 1, "logfire.feedback.comment": "clear"}),
        {"span_id": SPAN, "name": "helpful", "value": 1.0, "explanation": "clear", "source": "human", "label": ""},
    ),
    "Logfire, text": (
        carried(parent_span_id=SPAN, attributes={"logfire.feedback.name": "tone", "tone": "polite"}),
        {"span_id": SPAN, "value": None, "label": "polite", "reason": "label only"},
    ),
    "Logfire, bool": (
        carried(parent_span_id=SPAN, attributes={"logfire.feedback.name": "ok", "ok": False}),
        {"span_id": SPAN, "value": 0.0, "label": "fail"},
    ),
    "OpenLIT guard": (
        carried(attributes={"guard.name": "pii", "guard.score": 0.9, "guard.verdict": "block", "guard.explanation": "a name"}),
        {"span_id": OTHER, "name": "pii", "value": 0.9, "label": "block", "explanation": "a name", "source": "sdk"},
    ),
    "OpenLIT guard event": (
        carried(events=[{"name": "guard.evaluation", "attributes": {"guard.name": "pii", "guard.action": "allow"}}]),
        {"span_id": OTHER, "name": "pii", "label": "allow"},
    ),
    "OpenLIT evaluation": (
        carried(attributes={"gen_ai.eval.groundedness": 0.7}),
        {"span_id": OTHER, "name": "groundedness", "value": 0.7, "source": "judge"},
    ),
}  # fmt: skip


def test_results_that_spans_carry_in_every_form(ingest: Any) -> None:
    traces = {form: f"{number:032x}" for number, form in enumerate(SPAN_FORMS, 0xE0)}
    own = {form: json.loads(json.dumps(span).replace(TRACE, traces[form])) for form, (span, _) in SPAN_FORMS.items()}
    ingest.send(
        otlp.traces(
            [{"trace_id": trace, "span_id": SPAN, "start": START, "attributes": CHAT} for trace in traces.values()]
        )
    )
    ingest.send(otlp.traces(own.values()))
    rows = scores(ingest)
    faults = [] if len(rows) == len(SPAN_FORMS) else [f"{len(rows)} rows of {len(SPAN_FORMS)} results"]
    for form, (_, expected) in SPAN_FORMS.items():
        trace = expected.get("trace_id", TRACE).replace(TRACE, traces[form])
        subject = expected.get("subject", "")
        row = next((row for row in rows if row["trace_id"] == trace and row["subject"] == subject), None)
        wanted = expected | {"trace_id": trace}
        faults += [
            f"{form}: {key}: expected {v!r}, got {row and row[key]!r}"
            for key, v in wanted.items()
            if not row or row[key] != v
        ]
    assert not faults, "\n".join(faults)


def test_a_span_without_results_has_no_scores_and_a_repair_adds_what_is_missing_once(ingest: Any) -> None:
    from leewatch.semconv import sql

    ingest.send(otlp.traces([carried(attributes=CHAT), SPAN_FORMS["OpenLIT guard"][0]]), batch="one")
    assert ingest.count("scores") == 1
    ingest.client.command("TRUNCATE TABLE scores")
    for _ in range(2):
        ingest.client.command(sql.repair_statement("scores"), parameters={"batch": "one"})
    assert len(scores(ingest)) == 1
