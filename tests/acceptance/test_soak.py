"""A small day of traffic: everything sent is stored, and everything that could grow was watched."""

from __future__ import annotations

import json

import pytest

from collector.bench.soak.run import measure


@pytest.mark.slow
def test_a_day_of_traffic_is_stored_whole_and_watched() -> None:
    result = measure(30.0, 20_000, 7, None, lambda part, sent: None)
    print(json.dumps(result.as_dict(), indent=2))
    assert result.stored == result.sent
    assert result.sent["traces"] >= 20_000
    assert min(result.sent["logs"], result.sent["metrics"]) > 5
    assert len(result.samples) > 10
    watched = {trend.name for trend in result.trends}
    assert watched >= {
        "store.rss_mb",
        "collector.fds",
        "collector.threads",
        "spool.files",
        "temporary.files",
        "llm_spans.parts",
    }
    assert not [fault for fault in result.faults if "rss_mb" not in fault and "behind" not in fault]
