from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import message
from alerts.alert import Alert
from alerts.observation import DriftTest, Observation, Window
from alerts.rules import Rule
from alerts.verdict import Verdict
from leewatch.schema import Cluster

END = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(END - timedelta(minutes=15), END)


def rule(**keys: Any) -> Rule:
    return Rule.model_validate({"name": "r", "threshold": 0.05, **keys})


def observed(verdict: Verdict, **labels: str) -> Observation:
    return Observation(labels or {"service": "bot"}, WINDOW, verdict)


@pytest.mark.parametrize(
    ("keys", "value", "what"),
    [
        ({"metric": "error_rate"}, 0.124, "The share of failed requests is 12.4 %, above the threshold of 5 %."),
        (
            {"metric": "latency_p95", "threshold": 2000},
            3456.0,
            "The latency that 95 % of requests stay below is 3.46 s, above the threshold of 2 s.",
        ),
        ({"metric": "cost", "threshold": 10}, 12.5, "The cost is 12.5 USD, above the threshold of 10 USD."),
        (
            {"metric": "requests", "threshold": 10, "compare": "<"},
            3.0,
            "The number of requests is 3, below the threshold of 10.",
        ),
        (
            {"metric": "input_tokens", "threshold": 2, "ratio_to_seconds_ago": 86_400},
            2.5,
            "The number of input tokens is 2.50 times what it was 1 d earlier, above 2 times.",
        ),
        (
            {"metric": "error_rate", "runbook": "https://wiki/errors"},
            0.2,
            "The share of failed requests is 20 %, above the threshold of 5 %. Runbook: https://wiki/errors",
        ),
    ],
)
def test_what_names_the_metric_its_value_and_the_threshold(keys: dict[str, Any], value: float, what: str) -> None:
    assert message.what(rule(**keys), observed(Verdict("breached", value, 100))) == what


def test_how_bad_says_size_number_and_certainty() -> None:
    verdict = Verdict("breached", 0.12, 310, bound=0.081)
    assert (
        message.how_bad(rule(metric="error_rate"), observed(verdict))
        == "12 % over 310 in 15 min. 99 % sure that it is at least 8.1 %."
    )
    slow = message.how_bad(
        rule(metric="latency_p95", threshold=2000), observed(Verdict("breached", 3000, 100, bound=0.11))
    )
    assert slow == "3 s over 100 in 15 min. 99 % sure that it is at least 11 % of requests that take longer than 2 s."


def test_how_bad_says_when_there_is_too_little_traffic() -> None:
    text = message.how_bad(rule(metric="error_rate"), observed(Verdict("no_data", 0.5, 3)))
    assert text == "Too little traffic to judge: 3 in 15 min, 20 needed."


def test_a_drift_message_names_topics_and_redacts_the_example() -> None:
    clusters = (Cluster("bills", 0.4, 0.3, ("x",)), Cluster("refund", 0.02, 0.3, ("pay 4111 1111 1111 1111\nnow",)))
    test = DriftTest("mmd", 500, 120, 0.0004, 0.001, 0.28, "", clusters)
    observation = Observation({"service": "shop"}, WINDOW, Verdict("breached", 0.28, 120), test)
    prompts = Rule.model_validate({"name": "d", "drift": "prompt"})
    assert "“refund” 2 % → 30 %" in message.what(prompts, observation)
    assert message.drift_example(test) == "pay [CARD] now"
    assert "28 % of the window" in message.how_bad(prompts, observation)


def test_an_example_is_redacted_before_it_is_cut() -> None:
    text = message.example("x" * (message.EXAMPLE_CHARACTERS - 6) + " ann@example.org")
    assert "ann@" not in text
    assert len(text) <= message.EXAMPLE_CHARACTERS


def test_the_link_opens_the_page_of_the_alert_at_its_window() -> None:
    toxicity = rule(metric="score_rate", score="response.toxicity", above=0.5)
    assert message.url("http://d", toxicity, {"service": "a b", "model": ""}, WINDOW, "f1") == (
        "http://d/quality?service=a+b&score=response.toxicity&from=2026-01-01T11%3A45%3A00Z&to=2026-01-01T12%3A00%3A00Z&alert=f1"
    )
    drift = Rule.model_validate({"name": "d", "drift": "prompt"})
    assert message.url("http://d", drift, {}, WINDOW, "f").startswith("http://d/drift?field=prompt&from=")
    assert message.url("http://d", rule(metric="cost"), {}, WINDOW, "f").startswith("http://d/overview?from=")


def alert(state: str, severity: str, model: str) -> Alert:
    values: dict[str, Any] = {"state": state, "severity": severity, "at": END, "since": END, "title": f"t-{model}"}
    labels = {"service": "bot", "model": model}
    return Alert(model, "r", labels, value=1, threshold=0, what=f"w-{model}", location=f"l-{model}", **values)


def test_a_group_fires_as_long_as_one_of_its_alerts_does() -> None:
    both = message.notification([alert("firing", "warning", "m1"), alert("resolved", "critical", "m2")], "group")
    assert (both.state, both.severity, both.fingerprint) == ("firing", "warning", "group")
    assert both.title == "t-m1 (and 1 more)"
    assert "l-m1 (firing): w-m1\nl-m2 (resolved): w-m2" in both.what
    assert both.where == "service bot"
    over = message.notification([alert("resolved", "warning", "m1")], "group")
    assert (over.state, over.fingerprint, over.title) == ("resolved", "m1", "t-m1")


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (60, "1 min"), (90, "90 s"), (900, "15 min"), (3600, "1 h"), (172_800, "2 d")]
)
def test_lengths_of_time_read_as_people_say_them(seconds: int, text: str) -> None:
    assert message.duration(timedelta(seconds=seconds)) == text
