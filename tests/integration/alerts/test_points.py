"""Rules over OTLP metrics: levels, rates and quantiles by hand, and an alert that fires and links to its metric."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts.measure import observe
from alerts.rules import Rule

RESOURCE = {"host.name": "gpu-node-1"}


def insert(world: Any, table: str, rows: list[dict[str, Any]]) -> None:
    client = world.client
    client.insert(f"otel_metrics_{table}", [list(row.values()) for row in rows], column_names=list(rows[0]))


@pytest.fixture
def points(world: Any) -> Any:
    """Four gauge points of two GPUs, a counter that grows by 30 in a minute, a histogram of 20 observations."""
    end = world.clock() - timedelta(seconds=6)
    at = [end - timedelta(seconds=age) for age in (50, 10)]
    common = {"ServiceName": "gpus", "ResourceAttributes": RESOURCE}
    temperatures = [("0", 60.0), ("0", 70.0), ("1", 80.0), ("1", 90.0)]
    insert(
        world,
        "gauge",
        [
            {**common, "MetricName": "temp", "Attributes": {"gpu": gpu}, "TimeUnix": at[i % 2], "Value": value}
            for i, (gpu, value) in enumerate(temperatures)
        ],
    )
    started = end - timedelta(hours=1)
    insert(
        world,
        "sum",
        [
            {**common, "MetricName": "tokens", "Attributes": {}, "StartTimeUnix": started, "TimeUnix": moment,
             "Value": value, "AggregationTemporality": 2, "IsMonotonic": True}
            for moment, value in ((end - timedelta(seconds=90), 100.0), (at[0], 110.0), (at[1], 130.0))
        ],
    )  # fmt: skip
    insert(
        world,
        "histogram",
        [
            {**common, "MetricName": "wait", "MetricUnit": "ms", "Attributes": {}, "StartTimeUnix": at[0], "TimeUnix": at[1],
             "Count": 20, "Sum": 20.0, "BucketCounts": [10, 10, 0], "ExplicitBounds": [1000.0, 2000.0],
             "AggregationTemporality": 1}
        ],
    )  # fmt: skip
    return world


def value(world: Any, **keys: Any) -> float:
    rule = Rule.model_validate({"name": "r", "threshold": 0.0, "window_seconds": 60, **keys})
    (observation,) = observe(world.client, rule, world.clock(), 5, 3600)
    assert observation.labels == {"service": "gpus"}
    return observation.verdict.value


def test_every_figure_is_that_counted_by_hand(points: Any) -> None:
    assert value(points, metric="otlp_mean", of="temp") == 75
    assert value(points, metric="otlp_max", of="temp") == 90
    assert value(points, metric="otlp_max", of="temp", compare="<") == 60
    assert value(points, metric="otlp_mean", of="temp", attributes={"gpu": "0", "host.name": "gpu-node-1"}) == 65
    assert value(points, metric="otlp_rate", of="tokens") == pytest.approx(30 / 60)
    # 10 of 20 in (0, 1], 10 in (1, 2] seconds: the 19th lies at 1 + 9/10
    assert value(points, metric="otlp_p95", of="wait") == pytest.approx(1.9)


def test_the_share_beyond_the_threshold_decides_on_a_quantile(points: Any) -> None:
    def outcome(threshold: float) -> str:
        rule = {"name": "r", "metric": "otlp_p95", "of": "wait", "threshold": threshold, "window_seconds": 60}
        (observation,) = observe(points.client, Rule.model_validate(rule), points.clock(), 5, 3600)
        return observation.verdict.outcome

    # half of 20 beyond 1 s is far more than 5 %; a tenth beyond 1.8 s may be chance; none beyond 2 s
    assert [outcome(1.0), outcome(1.8), outcome(2.0)] == ["breached", "uncertain", "clear"]


def test_a_hot_gpu_alerts_and_links_to_its_metric(points: Any) -> None:
    rule = {"name": "hot", "metric": "otlp_max", "of": "temp", "threshold": 85, "window_seconds": 60}
    points.start(rules=[rule])
    points.tick()
    ((what, how_bad, url),) = points.client.query("SELECT what, how_bad, url FROM alert_events").result_rows
    assert "highest value of temp" in what
    assert how_bad.startswith("90 over 4 in 1 min")
    assert "/infrastructure?service=gpus&metric=temp&from=" in url


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"metric": "otlp_mean"}, "needs the name of a metric"),
        ({"metric": "requests", "of": "temp"}, "only otlp_ metrics look at data points"),
        ({"metric": "otlp_mean", "of": "temp", "by": ["model"]}, "give `attributes` in place of model"),
    ],
)
def test_keys_that_do_not_fit_are_named(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Rule.model_validate({"name": "r", "threshold": 1, **keys})
