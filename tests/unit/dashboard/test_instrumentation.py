"""What lacks on a service's calls, in words."""

from __future__ import annotations

from typing import Any

from dashboard.instrumentation import findings, present
from leewatch.coverage import MISSING, REASONS, ServiceCoverage


def service(
    name: str = "shop", calls: int = 100, dialects: tuple[str, ...] = ("genai",), **counts: int
) -> ServiceCoverage:
    missing = {key: counts.pop(key, 0) for key in MISSING}
    without: dict[str, Any] = {key: counts.pop(key, 0) for key in REASONS}
    assert not counts
    return ServiceCoverage("default", name, calls, calls, dialects, {"llm": calls}, missing, without, {})


def test_a_service_that_lacks_nothing_or_makes_no_calls_has_no_finding() -> None:
    assert findings([service(), service(calls=0, tokens=0)]) == []


def test_gaps_come_first_and_the_most_frequent_of_them_before_the_others() -> None:
    found = findings(
        [service(session=100, tokens=10), service("kb", calls=1000, not_sent=500, prompt=500, response=500)]
    )
    assert [(one.services[0][1], one.weight, one.title) for one in found] == [
        ("kb", "gap", "No prompt and no answer"),
        ("shop", "gap", "No token counts"),
        ("shop", "hint", "No session"),
    ]
    assert (found[0].count, found[0].share) == (500, 0.5)


def test_what_has_one_remedy_is_told_once_for_all_services() -> None:
    (found,) = findings([service(session=20), service("kb", calls=60, session=60)])
    assert found.services == (("default", "kb"), ("default", "shop"))
    assert (found.count, found.calls, found.share) == (80, 160, 0.5)


def test_a_few_odd_calls_are_a_hint_and_a_decision_is_no_fault() -> None:
    found = findings([service(calls=10_000, tokens=9, dropped_here=10_000)])
    assert [(one.weight, one.title) for one in found] == [
        ("hint", "No token counts"),
        ("known", "Dropped after scoring"),
    ]


def test_answers_that_lack_alone_are_told_apart_from_calls_without_any_text() -> None:
    found = findings([service(response=30, prompt=20, not_sent=20)])
    assert {one.title: one.count for one in found} == {"No prompt and no answer": 20, "No answer": 10}


def test_the_remedy_is_that_of_the_dialects_that_were_seen() -> None:
    (found,) = findings([service(dialects=("openinference", "openllmetry"), not_sent=100)])
    told = " ".join(found.remedy)
    assert "OPENINFERENCE_HIDE_INPUTS" in told
    assert "TRACELOOP_TRACE_CONTENT" in told
    assert "OTEL_" not in told
    (unknown,) = findings([service(dialects=(), not_sent=100)])
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in " ".join(unknown.remedy)


def test_shares_are_of_the_calls() -> None:
    assert present(service(calls=200, tokens=50), "tokens") == 0.75
    assert present(service(calls=0), "tokens") is None
