"""What Prometheus reads, and that each metric is documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import alerts.metrics
import analyzers.metrics
import collector.metrics
import leewatch.storage.embedded.metrics
from leewatch import supervisor
from leewatch.instruments import OF_EVERY_PROCESS, Metric, Registry

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"
OWNERS = (collector.metrics, leewatch.storage.embedded.metrics, analyzers.metrics, alerts.metrics)
ALL = [*OF_EVERY_PROCESS, supervisor.UP, supervisor.RESTARTS, *(metric for owner in OWNERS for metric in owner.ALL)]
TOOK = Metric("took_seconds", "histogram", "Seconds", (0.001, 0.005))
CALLS = Metric("calls_total", "counter", "Calls")


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_every_metric_has_its_section_in_the_reference(metric: Metric) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert f"### `{metric.name}`" in text
    section = text.split(f"### `{metric.name}`", 1)[1].split("###", 1)[0]
    assert metric.kind in section
    assert metric.help.rstrip(".") in section


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Metric) -> None:
    assert metric.name.startswith(("leewatch_", "process_"))
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.name.endswith(("_seconds", "_bytes"))


def test_buckets_are_cumulative_and_end_with_all() -> None:
    registry = Registry([TOOK], "test")
    for seconds in (0.0005, 0.004, 0.004, 99.0):
        registry.observe(TOOK, seconds, signal="traces")
    family = next(f for f in text_string_to_metric_families(registry.render()) if f.name == "took_seconds")
    counts = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert counts == {"0.001": 1, "0.005": 3, "+Inf": 4}
    assert [s.value for s in family.samples if s.name.endswith("_count")] == [4]


def test_label_values_are_escaped() -> None:
    registry = Registry([CALLS], "test")
    registry.add(CALLS, outcome='a"b\\c\nd')
    (family,) = (f for f in text_string_to_metric_families(registry.render()) if f.name == "calls")
    assert family.samples[0].labels == {"outcome": 'a"b\\c\nd'}


def test_what_a_block_took_is_observed_also_when_it_fails() -> None:
    registry = Registry([TOOK], "test")
    with pytest.raises(ValueError, match="x"), registry.timed(TOOK):
        raise ValueError("x")
    assert "took_seconds_count 1" in registry.render()
