from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from analyzers.windows import (
    MERGE_LIMIT,
    Past,
    Plan,
    Window,
    aligned,
    due,
    due_after,
    excluded,
    level,
    past_of,
    plan,
    renewed,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def windows(count: int, minutes: int = 60, start: datetime = NOON) -> list[Window]:
    step = timedelta(minutes=minutes)
    return [Window(start + step * n, start + step * (n + 1)) for n in range(count)]


def test_windows_are_aligned_to_multiples_of_their_length() -> None:
    assert aligned(NOON + timedelta(minutes=59, seconds=59), 3600) == NOON
    assert aligned(NOON, 3600) == NOON
    assert aligned(NOON + timedelta(seconds=44), 45) == NOON


def test_a_window_is_due_once_the_lateness_has_passed() -> None:
    end = NOON + timedelta(hours=1)
    assert due(NOON, end + timedelta(seconds=299), 3600, 300) == []
    assert due(NOON, end + timedelta(seconds=300), 3600, 300) == [Window(NOON, end)]


def test_due_windows_follow_each_other_without_gap_at_short_lengths() -> None:
    found = due(NOON + timedelta(seconds=1), NOON + timedelta(seconds=60), 10, 5)
    assert [window.start.second for window in found] == [10, 20, 30, 40]
    assert all(a.end == b.start for a, b in pairwise(found))


def test_a_new_series_starts_at_the_last_day_of_hourly_windows() -> None:
    assert len(due_after(None, NOON, 3600, 0)) == 24
    assert due_after(NOON - timedelta(hours=1), NOON, 3600, 0) == [Window(NOON - timedelta(hours=1), NOON)]


def test_small_windows_are_merged_until_there_are_enough_rows() -> None:
    four = windows(4)
    steps = plan(four, [120, 60, 50, 100], 100)
    assert steps == [
        Plan(four[0], "test"),
        Plan(Window(four[1].start, four[2].end), "test"),
        Plan(four[3], "test"),
    ]


def test_a_merge_that_is_still_too_small_waits_for_more_windows() -> None:
    [step] = plan(windows(2), [30, 40], 100)
    assert step.action == "wait"
    assert step.reason == "70 rows so far, 100 needed"


def test_a_merge_over_too_many_windows_is_skipped_with_the_reason() -> None:
    steps = plan(windows(MERGE_LIMIT), [10] * MERGE_LIMIT, 100)
    assert [step.action for step in steps] == ["skip"]
    assert steps[0].reason == f"only {10 * MERGE_LIMIT} rows in {MERGE_LIMIT} windows, 100 needed"


def test_silence_is_not_a_window() -> None:
    three = windows(3)
    assert plan(three, [0, 0, 150], 100) == [Plan(three[2], "test")]
    assert plan(three, [0, 0, 0], 100) == []


def test_drifted_windows_stay_out_of_the_reference_until_they_are_the_new_normal() -> None:
    run = windows(5)
    assert excluded(run, run[2].end, hold=3) == run[:3], "windows after the tested one do not count"
    assert renewed(run, run[2].end, hold=3) is None
    assert excluded(run, run[3].end, hold=3) == []
    assert renewed(run, run[3].end, hold=3) == run[0].start


def test_drifted_spans_that_overlap_are_one_run() -> None:
    run = windows(5)
    pooled = [run[0], Window(run[0].start, run[2].end), Window(run[1].start, run[4].end)]
    assert excluded(pooled, run[4].end, hold=2) == []
    assert renewed(pooled, run[4].end, hold=2) == run[0].start


def test_a_gap_starts_a_new_run_of_drifted_windows() -> None:
    run = windows(5)
    apart = [run[0], run[1], run[3], run[4]]
    assert excluded(apart, run[-1].end, hold=2) == apart


def test_alpha_is_the_budget_over_the_tests_of_30_days() -> None:
    # 20 services x 3 tests x 720 hourly windows = 43,200 tests in 30 days; one false alarm allowed.
    assert level(1.0, 60, 3600) == pytest.approx(1 / 43_200)
    assert level(2.0, 60, 3600) == pytest.approx(2 / 43_200)
    assert level(1000.0, 1, 7 * 86_400) == 0.05, "never above 0.05"


def test_a_window_is_laid_against_the_healthy_days_before_it() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    window, bad = Window(noon, noon + hour), Window(noon - 2 * hour, noon - hour)
    assert past_of(window, 7, [bad]) == Past(Window(noon - 7 * day, noon), (bad,))


def test_a_baseline_is_the_reference_of_all_that_comes_after_it() -> None:
    hour = timedelta(hours=1)
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    pinned, bad = Window(noon - 90 * hour, noon - 60 * hour), Window(noon - 70 * hour, noon - 69 * hour)
    later, inside = Window(noon, noon + hour), Window(noon - 61 * hour, noon - 60 * hour)
    assert past_of(later, 7, [bad], pinned) == Past(pinned, (), pinned=True)
    assert not past_of(inside, 7, [bad], pinned).pinned
