"""Which windows are tested, when, and against what. Pure: no clock, no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MERGE_LIMIT = 6
"""Windows that are merged at most; then the rows are too rare for this window length and the span is skipped."""
CATCH_UP = 24
"""Windows before the first look that are tested when a series is new."""
HOLD = 24
"""Drifted windows in a row that are kept out of the reference. What lasts longer is the new normal."""


@dataclass(frozen=True, order=True)
class Window:
    """Half-open span of event time [start, end), UTC."""

    start: datetime
    end: datetime

    def overlaps(self, other: Window) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Plan:
    """What to do with a window. `reason` is empty for `test`, else says why the window is not tested now."""

    window: Window
    action: Literal["test", "wait", "skip"]
    reason: str = ""


@dataclass(frozen=True)
class Past:
    """What a window is laid against: the rows of `span` outside the `held` windows. pinned: the span was named by the user,
    and stays whatever comes after it."""

    span: Window
    held: tuple[Window, ...] = ()
    pinned: bool = False


def aligned(moment: datetime, seconds: int) -> datetime:
    """The latest multiple of `seconds` since 1970 that is not after `moment`."""
    whole = int((moment - EPOCH).total_seconds()) // seconds * seconds
    return EPOCH + timedelta(seconds=whole)


def due(since: datetime, now: datetime, seconds: int, lateness_seconds: float) -> list[Window]:
    """Every tumbling window that starts at or after `since` and ended `lateness_seconds` before `now`, in order."""
    start = aligned(since, seconds)
    if start < since:
        start += timedelta(seconds=seconds)
    last = now - timedelta(seconds=lateness_seconds)
    windows = []
    while start + timedelta(seconds=seconds) <= last:
        windows.append(Window(start, start + timedelta(seconds=seconds)))
        start += timedelta(seconds=seconds)
    return windows


def due_after(decided: datetime | None, now: datetime, seconds: int, lateness_seconds: float) -> list[Window]:
    """Due windows after the last decided one, or the last CATCH_UP ones of a series that was never looked at."""
    first = aligned(now - timedelta(seconds=seconds * CATCH_UP + lateness_seconds), seconds)
    return due(decided or first, now, seconds, lateness_seconds)


def plan(windows: Sequence[Window], counts: Sequence[int], min_window: int) -> list[Plan]:
    """What to do with each of the consecutive due windows, given the rows in each.

    A window with fewer than `min_window` rows is merged with those that follow until there are enough. A merge that
    spans MERGE_LIMIT windows and is still too small is skipped; one that has run out of due windows waits. Windows
    without any row at the head of a merge are dropped silently: nothing happened there.
    """
    plans: list[Plan] = []
    start, rows = 0, 0
    for position, count in enumerate(counts):
        if rows == 0 and count == 0:
            start = position + 1
            continue
        rows += count
        merged = Window(windows[start].start, windows[position].end)
        if rows >= min_window:
            plans.append(Plan(merged, "test"))
        elif position - start + 1 >= MERGE_LIMIT:
            plans.append(Plan(merged, "skip", f"only {rows} rows in {MERGE_LIMIT} windows, {min_window} needed"))
        else:
            continue
        start, rows = position + 1, 0
    if rows:
        merged = Window(windows[start].start, windows[-1].end)
        plans.append(Plan(merged, "wait", f"{rows} rows so far, {min_window} needed"))
    return plans


def excluded(drifted: Sequence[Window], before: datetime, hold: int = HOLD) -> list[Window]:
    """Windows to leave out of the reference of a window that starts at `before`.

    Drifted windows stay out, so that an incident does not become the normal that hides it. A run of more than `hold`
    drifted windows, each starting at or before the end of the one before, is let in after its `hold`-th window: it is
    the new normal, and the alarm has been up long enough (see `renewed`).
    """
    return [window for run in _runs(drifted, before) for window in run if len(run) <= hold]


def renewed(drifted: Sequence[Window], before: datetime, hold: int = HOLD) -> datetime | None:
    """When the newest normal began: start of the last run of more than `hold` drifted windows; None without one.

    What came before it is no reference any more: a mixture of the old and the new would make both look drifted.
    """
    starts = [run[0].start for run in _runs(drifted, before) if len(run) > hold]
    return max(starts) if starts else None


def past_of(window: Window, days: float, drifted: Sequence[Window], baseline: Window | None = None) -> Past:
    """What the window is laid against: the baseline if it is over by then, else the healthy windows of the days before.

    drifted: windows of those days that were found drifted. They stay out of the reference unless a baseline holds them:
    who names a baseline says that it was healthy.
    """
    if baseline is not None and baseline.end <= window.start:
        return Past(baseline, pinned=True)
    first = window.start - timedelta(days=days)
    since = renewed(drifted, window.start)
    span = Window(max(first, since) if since else first, window.start)
    return Past(span, tuple(excluded(drifted, window.start)))


def _runs(drifted: Sequence[Window], before: datetime) -> list[list[Window]]:
    """Drifted windows that end by `before`, in runs without a gap."""
    runs: list[list[Window]] = []
    for window in sorted((window for window in drifted if window.end <= before), key=lambda w: (w.end, w.start)):
        if runs and window.start <= runs[-1][-1].end:
            runs[-1].append(window)
        else:
            runs.append([window])
    return runs


def level(false_alarms_per_30_days: float, tests_per_window: int, window_seconds: int) -> float:
    """Alpha of one test: the false alarms allowed in 30 days over the tests run in 30 days.

    alpha = budget / (tests per window * 30 days / window length), at most 0.05. By linearity of expectation the
    expected number of false alarms is then at most the budget, however the tests depend on each other.
    """
    windows = timedelta(days=30).total_seconds() / window_seconds
    return min(false_alarms_per_30_days / (max(tests_per_window, 1) * windows), 0.05)
