from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.measure import observe
from alerts.observation import Observation
from alerts.rules import Rule


def measured(world: Any, **keys: Any) -> list[Observation]:
    rule = Rule.model_validate({"name": "r", "threshold": 0.0, "window_seconds": 60, "min_samples": 1, **keys})
    return observe(world.client, rule, world.clock(), 5, 3600)


def value(world: Any, **keys: Any) -> float:
    (observation,) = measured(world, **keys)
    return observation.verdict.value


@pytest.fixture
def traffic(world: Any) -> Any:
    """Service bot: 10 calls with durations 100 to 1000 ms, 2 of which failed; one chain that repeats their usage."""
    for i in range(10):
        world.spans(
            1, {"response.toxicity": lambda _, i=i: i / 10}, service="bot", duration_ms=100.0 * (i + 1),
            ttft_ms=10.0 * (i + 1), input_tokens=10, output_tokens=5, cost_total=0.5,
            error_type="timeout" if i < 2 else "",
            model="m1" if i < 5 else "m2",
        )  # fmt: skip
    world.spans(1, service="bot", kind="chain", usage_is_aggregate=True, input_tokens=100, cost_total=5.0)
    return world


BY_HAND: list[tuple[dict[str, Any], float]] = [
    ({"metric": "requests"}, 10),
    ({"metric": "error_rate"}, 0.2),
    # linear interpolation between order statistics: 100 + 0.5 * 9 * 100, 100 + 0.95 * 9 * 100, 100 + 0.99 * 9 * 100
    ({"metric": "latency_p50"}, 550),
    ({"metric": "latency_p95"}, 955),
    ({"metric": "latency_p99"}, 991),
    ({"metric": "ttft_p95"}, 95.5),
    ({"metric": "input_tokens"}, 100),
    ({"metric": "output_tokens"}, 50),
    ({"metric": "cost"}, 5.0),
    ({"metric": "score_mean", "score": "response.toxicity"}, 0.45),
    ({"metric": "score_rate", "score": "response.toxicity", "above": 0.7}, 0.3),
    ({"metric": "requests", "where": {"model": "m1"}}, 5),
    ({"metric": "requests", "where": {"kind": "chain"}}, 1),
    ({"metric": "score_rate", "score": "response.toxicity", "above": 0.7, "where": {"model": "m2"}}, 0.6),
]


def test_every_metric_has_the_value_that_is_counted_by_hand(traffic: Any) -> None:
    assert {str(keys): value(traffic, **keys) for keys, _ in BY_HAND} == pytest.approx(
        {str(keys): expected for keys, expected in BY_HAND}
    )


def test_groups_are_the_values_of_by(traffic: Any) -> None:
    found = measured(traffic, metric="requests", by=["service", "model"])
    assert [(dict(o.labels), o.verdict.value) for o in found] == [
        ({"service": "bot", "model": "m1"}, 5), ({"service": "bot", "model": "m2"}, 5),
    ]  # fmt: skip
    assert [dict(o.labels) for o in measured(traffic, metric="requests", by=[])] == [{}]


def test_a_service_that_fell_silent_is_missed_by_a_rule_for_too_little_traffic(traffic: Any) -> None:
    traffic.clock.advance(600)
    (observation,) = measured(traffic, metric="requests", compare="<", threshold=1)
    assert (observation.verdict.outcome, observation.verdict.value) == ("breached", 0)
    assert measured(traffic, metric="requests", threshold=1) == []


def test_a_ratio_compares_with_the_same_window_earlier(traffic: Any) -> None:
    traffic.clock.advance(300)
    traffic.spans(30, service="bot")
    (observation,) = measured(traffic, metric="requests", ratio_to_seconds_ago=300, threshold=2)
    assert (observation.verdict.outcome, observation.verdict.value) == ("breached", 3.0)


def test_the_window_ends_before_the_lateness_and_is_half_open(world: Any) -> None:
    world.spans(1, service="bot", age_seconds=-1)  # at the window's end exactly
    assert measured(world, metric="requests") == []
    world.clock.advance(0.001)
    assert value(world, metric="requests") == 1
    world.clock.advance(60)
    assert measured(world, metric="requests") == []


def test_scores_of_rows_that_arrived_late_do_not_count(world: Any) -> None:
    late = world.clock() + timedelta(hours=2)
    world.spans(5, {"response.toxicity": lambda i: 1.0}, service="bot", received_at=late)
    assert measured(world, metric="score_mean", score="response.toxicity") == []
