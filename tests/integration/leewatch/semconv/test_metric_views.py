"""What was counted between data points: temporality, resets, unknown starts; quantiles between the bounds of buckets."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leewatch.storage import queries
from leewatch.testing import otlp

# A window of ten minutes that began well before now, so that times are kept as they are sent.
SINCE = int(datetime.now(UTC).timestamp()) // 600 * 600 - 6000
UNTIL = SINCE + 600
LONG_AGO = SINCE - 86_400


def ns(second: float) -> int:
    """ns since the epoch of a second after the window's start."""
    return int((SINCE + second) * 1e9)


def point(second: float, value: float, start: float, **more: Any) -> dict[str, Any]:
    return {"time_unix_nano": ns(second), "start_time_unix_nano": ns(start), "as_double": value, **more}


def increases(ingest: Any, points: list[dict[str, Any]], **metric: Any) -> list[float]:
    given = {"name": "c", "kind": "sum", "monotonic": True, "points": points, **metric}
    ingest.send(otlp.metrics([given]), signal="metrics")
    rows = ingest.rows(
        "SELECT increase FROM metric_increases(names = ['c'], since = {since:Int64}, until = {until:Int64}) ORDER BY at",
        since=SINCE * 1000,
        until=UNTIL * 1000,
    )
    return [row["increase"] for row in rows]


def test_a_cumulative_count_increases_by_the_difference_to_the_point_before_the_window(ingest: Any) -> None:
    old = LONG_AGO - SINCE
    points = [point(-30, 100, old), point(30, 104, old), point(90, 109, old), point(700, 999, old)]
    assert increases(ingest, points) == [4, 5]


def test_a_restart_counts_whole_whether_told_by_its_start_or_by_a_lower_count(ingest: Any) -> None:
    old = LONG_AGO - SINCE
    points = [point(-30, 100, old), point(30, 3, 10), point(90, 5, 10), point(150, 1, 10), point(210, 9, 200)]
    # 3 since the restart at 10; 5 - 3; 1 after a fall below 5; 9 since the restart at 200, although 9 > 1
    assert increases(ingest, points) == [3, 2, 1, 9]


def test_a_series_that_begins_in_the_window_counts_whole_and_one_of_unknown_age_not_at_all(ingest: Any) -> None:
    born = [point(60, 7, 5, attributes={"series": "born here"})]
    old = [point(61, 800, LONG_AGO - SINCE, attributes={"series": "known for long"})]
    unknown = [point(62, 900, 62, attributes={"series": "start is the time of the point"})]
    later = [point(122, 904, 62, attributes={"series": "start is the time of the point"})]
    assert increases(ingest, born + old + unknown + later) == [7, 4]


def test_delta_counts_as_it_is_and_points_without_value_or_temporality_count_nothing(ingest: Any) -> None:
    points = [point(30, 4, 0), point(90, 2, 30), {"time_unix_nano": ns(95), "flags": 1}]
    assert increases(ingest, points, temporality=1) == [4, 2]
    assert increases(ingest, points, temporality=0) == [4, 2]


def histogram(second: float, counts: list[int], bounds: list[float], **more: Any) -> dict[str, Any]:
    return {
        "time_unix_nano": ns(second),
        "start_time_unix_nano": ns(0),
        "count": sum(counts),
        "bucket_counts": counts,
        "explicit_bounds": bounds,
        **more,
    }


def quantiles(ingest: Any, *keys: str, bucket: int = 0) -> list[dict[str, Any]]:
    given = {"start": SINCE * 1000, "end": UNTIL * 1000, "bucket": bucket, "project": "", "service": ""}
    query = queries.load("metrics")["metric_quantiles"]
    return list(ingest.rows(query, **given, names=["h"], keys=list(keys)))


def send(ingest: Any, *points: dict[str, Any], **metric: Any) -> None:
    ingest.send(otlp.metrics([{"name": "h", "kind": "histogram", "points": list(points), **metric}]), signal="metrics")


def test_quantiles_lie_between_the_bounds_in_proportion(ingest: Any) -> None:
    # 10 values in (0, 1], 10 in (1, 2]: the median is 1, p95 the 19th of 20: 1 + 9/10; p99 1 + 9.8/10
    send(ingest, histogram(60, [10, 10, 0], [1, 2], sum=20.0), temporality=1)
    (row,) = quantiles(ingest)
    assert (row["observations"], row["total"]) == (20, 20.0)
    assert [row["p50"], row["p95"], row["p99"]] == pytest.approx([1.0, 1.9, 1.98])


def test_minimum_and_maximum_bound_the_open_buckets(ingest: Any) -> None:
    # 2 values in [0.5, 1], 2 in (1, 3]: p50 is 1, p95 is the 3.8th: 1 + 2 * 1.8/2
    send(ingest, histogram(60, [2, 2], [1], min=0.5, max=3.0), temporality=1)
    (row,) = quantiles(ingest)
    assert [row["p50"], row["p95"]] == pytest.approx([1.0, 2.8])


def test_without_a_maximum_what_lies_above_the_last_bound_counts_as_the_bound(ingest: Any) -> None:
    send(ingest, histogram(60, [0, 0, 5], [1, 2]), temporality=1)
    (row,) = quantiles(ingest)
    assert [row["p50"], row["p99"]] == [2.0, 2.0]


def test_cumulative_histograms_show_what_came_between_two_points(ingest: Any) -> None:
    # (2, 0) then (2, 4): four values in (1, 2] in the second minute
    send(ingest, histogram(30, [2, 0, 0], [1, 2]), histogram(90, [2, 4, 0], [1, 2]))
    first, second = quantiles(ingest, bucket=60)
    assert (first["observations"], first["p50"]) == (2, 0.5)
    assert (second["observations"], second["p50"]) == (4, 1.5)


def test_histograms_of_different_bounds_are_combined_exactly(ingest: Any) -> None:
    # 4 in (0, 4] (one per unit) and 4 in (0, 2] (two per unit): F(2) = 2 + 4 = 6, F(4/3) = 4
    send(
        ingest,
        histogram(60, [4, 0], [4], attributes={"s": "a"}),
        histogram(61, [4, 0], [2], attributes={"s": "b"}),
        temporality=1,
    )
    (row,) = quantiles(ingest)
    assert (row["observations"], row["p50"]) == (8, pytest.approx(4 / 3))
    assert [row["labels"] for row in quantiles(ingest, "service", "s")] == [["shop", "a"], ["shop", "b"]]


def test_exponential_histograms_are_read_like_the_others_also_when_their_scale_falls(ingest: Any) -> None:
    # Scale 0: bucket i is (2^i, 2^(i+1)]. 4 in (1, 2], then 4 more in (2, 4] at scale -1, where bucket 0 is (1, 4].
    def exponential(second: float, scale: int, counts: list[int]) -> dict[str, Any]:
        positive = {"offset": 0, "bucket_counts": counts}
        times = {"time_unix_nano": ns(second), "start_time_unix_nano": ns(0)}
        return {**times, "count": sum(counts), "scale": scale, "positive": positive}

    points = [exponential(30, 0, [4]), exponential(90, -1, [8])]
    ingest.send(otlp.metrics([{"name": "h", "kind": "exponential_histogram", "points": points}]), signal="metrics")
    first, second = quantiles(ingest, bucket=60)
    assert (first["observations"], first["p50"]) == (4, 1.5)
    # (1, 4] has 8 in proportion: F(x) = 8 (x - 1) / 3, less 4 (x - 1) up to 2: 4 left in all, half of them at x = 3.25
    assert (second["observations"], second["p50"]) == (4, pytest.approx(3.25))


def test_milliseconds_become_seconds(ingest: Any) -> None:
    send(ingest, histogram(60, [0, 4], [1000.0], max=2000.0, min=1000.0), temporality=1, unit="ms")
    (row,) = quantiles(ingest)
    assert row["p50"] == pytest.approx(1.5)


def test_levels_are_means_per_series_then_folded_per_label(ingest: Any) -> None:
    def gauge(second: float, value: float, **attributes: Any) -> dict[str, Any]:
        return {"time_unix_nano": ns(second), "as_double": value, "attributes": attributes}

    points = [
        gauge(1, 0.9, cpu="0", state="idle"),
        gauge(31, 0.7, cpu="0", state="idle"),
        gauge(1, 0.4, cpu="1", state="idle"),
        gauge(1, 0.1, cpu="0", state="user"),
    ]
    resource = {"service.name": "host-metrics", "host.name": "app-1"}
    ingest.send(otlp.metrics([{"name": "g", "kind": "gauge", "points": points}], resource), signal="metrics")
    rows = ingest.rows(
        queries.load("metrics")["metric_levels"],
        start=SINCE * 1000,
        end=UNTIL * 1000,
        bucket=60,
        project="",
        service="",
        names=["g"],
        factors=[100.0],
        states=["idle"],
        subject="host",
        fold="avg",
    )
    assert [(row["label"], row["value"]) for row in rows] == [("app-1", pytest.approx(60.0))]


def test_the_query_of_the_documentation_runs(ingest: Any) -> None:
    page = Path(__file__).parents[4] / "docs" / "howto" / "metrics.md"
    (query,) = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    now = time.time_ns()
    start = {"start_time_unix_nano": now - 60_000_000_000, "attributes": {"model_name": "m"}}
    points = [{"as_int": 7200, "time_unix_nano": now - 1_000_000_000, **start}]
    counter = {"name": "vllm:generation_tokens", "kind": "sum", "monotonic": True, "points": points}
    ingest.send(otlp.metrics([counter]), signal="metrics")
    assert ingest.rows(query) == [{"service": "shop", "model": "m", "per_second": 2.0}]
