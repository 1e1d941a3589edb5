"""What Prometheus reads, and that each metric is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector import metrics as m

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


@pytest.mark.parametrize("metric", m.ALL, ids=lambda metric: metric.name)
def test_every_metric_has_its_section_in_the_reference(metric: m.Metric) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert f"### `{metric.name}`" in text
    section = text.split(f"### `{metric.name}`", 1)[1].split("###", 1)[0]
    assert metric.kind in section
    assert metric.help.rstrip(".") in section


def test_buckets_are_cumulative_and_end_with_all() -> None:
    registry = m.Metrics()
    for seconds in (0.0005, 0.004, 0.004, 99.0):
        registry.observe(m.ACK_SECONDS, seconds, signal="traces")
    text = registry.render()
    assert 'leewatch_collector_ack_seconds_bucket{signal="traces",le="0.001"} 1' in text
    assert 'leewatch_collector_ack_seconds_bucket{signal="traces",le="0.005"} 3' in text
    assert 'leewatch_collector_ack_seconds_bucket{signal="traces",le="+Inf"} 4' in text
    assert 'leewatch_collector_ack_seconds_count{signal="traces"} 4' in text


def test_label_values_are_escaped() -> None:
    registry = m.Metrics()
    registry.add(m.REQUESTS, outcome='a"b\\c\nd')
    assert 'outcome="a\\"b\\\\c\\nd"' in registry.render()
