from __future__ import annotations

from typing import Any

import pytest

from alerts.rules import Rule
from alerts.verdict import Sample, judge, judge_drift


def rule(**keys: Any) -> Rule:
    return Rule.model_validate({"name": "r", "metric": "error_rate", "threshold": 0.05, **keys})


def test_a_share_is_breached_only_when_its_lower_bound_is_beyond_the_threshold() -> None:
    # 3 of 20 at a true 5 % or more happen in 7.5 % of windows, 5 of 20 in 0.26 %
    assert judge(rule(), Sample(20, 3 / 20)).outcome == "uncertain"
    assert judge(rule(), Sample(20, 5 / 20)).outcome == "breached"
    assert judge(rule(), Sample(20, 1 / 20)).outcome == "clear"


def test_too_few_samples_are_no_data_however_bad_they_look() -> None:
    assert judge(rule(), Sample(19, 1.0)).outcome == "no_data"
    assert judge(rule(), None).outcome == "no_data"


def test_weighted_samples_count_by_their_effective_number() -> None:
    assert judge(rule(), Sample(100, 0.25, effective=100)).outcome == "breached"
    assert judge(rule(), Sample(100, 0.25, effective=5)).outcome == "uncertain"


def test_a_share_below_is_breached_only_when_its_upper_bound_is_below() -> None:
    low = rule(compare="<", threshold=0.5)
    assert judge(low, Sample(100, 0.3)).outcome == "breached"
    assert judge(low, Sample(20, 0.4)).outcome == "uncertain"
    assert judge(low, Sample(100, 0.6)).outcome == "clear"


def test_a_latency_quantile_is_judged_by_the_share_beyond_the_threshold() -> None:
    slow = rule(metric="latency_p95", threshold=2000)
    assert judge(slow, Sample(100, 2500, tail=0.2)).outcome == "breached"
    assert judge(slow, Sample(100, 2100, tail=0.06)).outcome == "uncertain"
    assert judge(slow, Sample(100, 1900, tail=0.04)).outcome == "clear"


def test_a_mean_is_judged_with_its_standard_error() -> None:
    mean = rule(metric="score_mean", score="response.toxicity", threshold=0.3)
    assert judge(mean, Sample(100, 0.4, deviation=0.1)).outcome == "breached"
    assert judge(mean, Sample(100, 0.31, deviation=0.2)).outcome == "uncertain"


def test_totals_are_exact_and_no_traffic_breaches_a_lower_limit() -> None:
    assert judge(rule(metric="cost", threshold=10), Sample(50, 11)).outcome == "breached"
    assert judge(rule(metric="requests", compare="<", threshold=10), Sample(0, 0)).outcome == "breached"


def test_a_ratio_needs_enough_samples_in_both_windows() -> None:
    doubled = rule(metric="requests", threshold=2, ratio_to_seconds_ago=86_400)
    assert judge(doubled, Sample(300, 300), Sample(100, 100)).outcome == "breached"
    assert judge(doubled, Sample(150, 150), Sample(100, 100)).outcome == "clear"
    assert judge(doubled, Sample(300, 300), Sample(5, 5)).outcome == "no_data"
    assert judge(doubled, Sample(300, 300), None).outcome == "no_data"


@pytest.mark.parametrize(
    ("drifted", "effect", "stale", "outcome"),
    [
        (True, 0.3, False, "breached"),
        (True, 0.05, False, "clear"),
        (False, 0.3, False, "clear"),
        (True, 0.3, True, "no_data"),
    ],
)
def test_drift_is_breached_by_a_recent_result_of_enough_effect(
    drifted: bool, effect: float, stale: bool, outcome: str
) -> None:
    prompts = Rule.model_validate({"name": "d", "drift": "prompt", "min_effect": 0.1})
    assert judge_drift(prompts, drifted, effect, 100, stale).outcome == outcome
