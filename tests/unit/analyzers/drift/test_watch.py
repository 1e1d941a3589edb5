from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from analyzers.drift.history import Kept
from analyzers.drift.reference import Summaries, join
from analyzers.drift.watch import joined
from analyzers.windows import Window

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept(first: int, count: int, width: int = 4) -> Kept:
    windows = tuple(Window(NOON + HOUR * n, NOON + HOUR * (n + 1)) for n in range(first, first + count))
    values = np.full((count, width), 1.0)
    return Kept(windows, Summaries(np.arange(first, first + count, dtype=float), np.full(count, 9.0), values, values))


def test_windows_of_several_spans_stand_in_order() -> None:
    found = joined([kept(0, 2), kept(2, 0, width=0), kept(5, 1)])
    assert [window.start for window in found.windows] == [NOON, NOON + HOUR, NOON + 5 * HOUR]
    assert found.summaries.sums.shape == (3, 4)


def test_no_window_at_all_can_still_be_followed_by_one() -> None:
    nothing = joined([kept(0, 0, width=0), kept(0, 0)])
    assert not nothing.windows
    assert len(join([nothing.summaries, kept(0, 1).summaries])) == 1
