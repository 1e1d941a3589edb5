from __future__ import annotations

from typing import Any

import pytest

from alerts.config import AlertsSection
from alerts.rules import Rule, shipped
from leewatch.config import load
from leewatch.errors import ConfigError

GOOD: dict[str, Any] = {"name": "r", "metric": "error_rate", "threshold": 0.05}


def faults(*rules: Any) -> tuple[str, ...]:
    """What the configuration says of these rules."""
    with pytest.raises(ConfigError) as caught:
        load(environment={}, overrides={"alerts": {"rules": list(rules)}})
    return caught.value.faults


def test_every_fault_of_every_rule_is_told_at_once_by_rule_and_key() -> None:
    told = faults(
        {"name": "a", "metric": "score_rate", "treshold": 3, "window_seconds": "x", "by": ["srv"]},
        {"metric": "foo", "threshold": 1},
        {**GOOD, "severity": "page"},
    )
    starts = [fault.split(":")[0].removeprefix("alerts.rules.") for fault in told]
    assert sorted(starts) == sorted(
        ["a.window_seconds", "a.by", "a.treshold", "a.threshold", "a.score", "a.above", "number 2.name",
         "number 2.metric", "r.severity"]
    )  # fmt: skip
    assert any("did you mean threshold?" in fault for fault in told)
    assert any("unknown dimension srv; known: project, service" in fault for fault in told)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"threshold": None}, "r.threshold: missing; give the value of error_rate"),
        ({"threshold": 5}, "r.threshold: error_rate is a share: expected 0 to 1 (5 % is 0.05), got 5"),
        ({"drift": "prompt"}, "r.drift: a rule has either `metric` or `drift`"),
        ({"metric": None}, "r.metric: missing; give `metric` (e.g. error_rate) or `drift`"),
        ({"score": "response.toxicity"}, "r.score: only score_mean and score_rate look at a score"),
        ({"above": 0.5}, "r.above: only score_rate counts scores"),
        (
            {"ratio_to_seconds_ago": 60},
            "r.ratio_to_seconds_ago: windows overlap; expected at least window_seconds (900)",
        ),
        ({"metric": None, "drift": "prompt"}, "r.threshold: drift rules take `min_effect`"),
        ({"where": {"kynd": "llm"}}, "r.where: unknown dimension kynd; known:"),
        ({"confidence": 1}, "r.confidence: input should be less than 1, got 1"),
        ({"name": "no spaces please"}, "name: string should match pattern"),
        ({"runbook": "javascript:alert(1)"}, "r.runbook: string should match pattern"),
    ],
)
def test_a_faulty_rule_is_told_with_its_remedy(change: dict[str, Any], fault: str) -> None:
    assert any(fault in told for told in faults({**GOOD, **change}))


def test_drift_rules_refuse_what_drift_results_do_not_know() -> None:
    told = faults({"name": "d", "drift": "prompt", "where": {"model": "m"}, "by": ["service", "model", "feature"]})
    assert any("d.where: drift results know service and project; remove model" in fault for fault in told)
    assert any("d.by: drift is tested for one segment at a time" in fault for fault in told)


def test_two_rules_of_one_name_are_refused() -> None:
    assert faults(GOOD, GOOD) == ("alerts.rules.r.name: taken by an earlier rule; choose another name",)


def test_rules_that_are_no_list_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected a list of rules"):
        load(environment={}, overrides={"alerts": {"rules": "error-rate"}})


def test_the_shipped_rules_are_valid_and_cover_the_main_failures() -> None:
    assert {rule.name for rule in shipped()} == {
        "response-toxicity", "response-hallucination", "response-refusal", "prompt-injection",
        "context-injection", "error-rate", "latency-p95", "prompt-drift", "response-drift",
    }  # fmt: skip


def test_a_rule_survives_a_round_trip_through_json() -> None:
    for rule in shipped():
        assert Rule.model_validate_json(rule.model_dump_json()) == rule


def test_no_rules_differ_from_the_default_rules() -> None:
    assert AlertsSection.model_validate({"rules": []}).rules == ()
    assert AlertsSection.model_validate({}).rules is None


@pytest.mark.parametrize(
    ("slack", "fault"),
    [
        ({"token": "xoxb-1"}, "a bot token needs `channel`"),
        ({"token": "xoxb-1", "webhook_url": "https://hooks/x", "channel": "C"}, "expected one of token"),
    ],
)
def test_slack_wants_one_complete_way_and_never_shows_the_secret(slack: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as caught:
        load(environment={}, overrides={"alerts": {"slack": slack}})
    assert "xoxb-1" not in str(caught.value)


def test_channels_default_to_slack_when_configured_else_to_the_console() -> None:
    assert [c.notifier for c in AlertsSection.model_validate({}).routes] == ["console"]
    with_slack = AlertsSection.model_validate({"slack": {"token": "xoxb-1", "channel": "C1"}})
    assert [c.notifier for c in with_slack.routes] == ["slack"]
    both = AlertsSection.model_validate({"channels": ["slack", {"notifier": "console", "severities": ["critical"]}]})
    assert [c.label for c in both.routes] == ["slack", "console"]


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="stand there twice"):
        load(environment={}, overrides={"alerts": {"channels": ["console", "console"]}})
