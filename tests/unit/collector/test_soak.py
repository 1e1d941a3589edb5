"""A day has its cycle; what grows is told from what only varies."""

from __future__ import annotations

import random

import pytest

from collector.bench.soak.traffic import DAY_SECONDS, day, due, share
from collector.bench.soak.verdict import slope, trend
from collector.validate import check

BEGIN_NS = 1_760_000_000_000_000_000
TIMES = [float(at) for at in range(0, 600, 10)]


def test_half_of_a_day_brings_half_of_its_spans_and_the_night_few() -> None:
    assert share(0.0) == 0.0
    assert share(0.5) == pytest.approx(0.5)
    assert share(1.0) == pytest.approx(1.0)
    assert share(0.1) < 0.03 < 0.15 < share(0.55) - share(0.45)
    assert all(share(due(part)) == pytest.approx(part, abs=1e-9) for part in (0.0, 0.01, 0.3, 0.5, 0.99))


def test_a_day_is_in_order_of_all_signals_and_within_its_hours() -> None:
    requests = list(day(20_000, 3, BEGIN_NS, None))
    assert [r.due for r in requests] == sorted(r.due for r in requests)
    assert {r.signal for r in requests} == {"traces", "logs", "metrics"}
    assert 20_000 <= sum(r.items for r in requests if r.signal == "traces") < 20_600
    ids = set()
    for request in requests:
        verdict = check(request.signal, request.body)
        assert (verdict.received, verdict.rejected) == (request.items, 0)
        assert BEGIN_NS - 10**12 < verdict.first_ns <= verdict.last_ns <= BEGIN_NS + DAY_SECONDS * 10**9
        ids.add(verdict.digest)
    assert len(ids) == len(requests)


def test_a_slope_is_not_moved_by_peaks() -> None:
    values = [2.0 * at + (500.0 if at % 50 == 0 else 0.0) for at in TIMES]
    assert slope(TIMES, values) == pytest.approx(2.0, abs=0.2)
    assert slope([1.0], [5.0]) == 0.0


def test_memory_that_leaks_is_found_and_memory_that_varies_is_not() -> None:
    rng = random.Random(1)
    flat = [400 + rng.uniform(-20, 20) for _ in TIMES]
    leak = [value + 0.3 * at for value, at in zip(flat, TIMES, strict=True)]
    warm = [400 + min(at, 190.0) for at in TIMES]
    assert trend("store.rss_mb", TIMES, flat).bounded
    assert trend("store.rss_mb", TIMES, warm).bounded
    assert trend("store.threads", TIMES, [39.0 if at < 400 else 133.0 for at in TIMES]).bounded
    assert not trend("store.threads", TIMES, [39.0 + at / 5 for at in TIMES]).bounded
    found = trend("store.rss_mb", TIMES, leak)
    assert not found.bounded
    # 0.3 MB/s over the 390 s after the warm-up are 117 MB; 10 % of about 520 MB and 24 MB are allowed.
    assert found.growth == pytest.approx(117, abs=25)
    assert found.allowed == pytest.approx(76, abs=6)
