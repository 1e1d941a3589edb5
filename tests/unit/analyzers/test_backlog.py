from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analyzers.backlog import Slice, Slices

NOW = datetime(2026, 3, 10, tzinfo=UTC)
OVERLAP = timedelta(minutes=5)


def test_the_slices_cover_all_of_history_without_gap_newest_first() -> None:
    first = NOW - timedelta(days=2, hours=3)
    slices = Slices(first, NOW, OVERLAP)
    edge = slices.head().since
    assert edge == NOW - OVERLAP
    while (older := slices.older()) is not None:
        assert older.until == edge
        edge = older.since
        slices.finish(older)
    assert edge == first


def test_an_empty_database_has_no_older_slices() -> None:
    slices = Slices(None, NOW, OVERLAP)
    assert slices.older() is None
    assert slices.unverified_since is None


def test_the_head_moves_on_but_never_back_and_reads_the_overlap_again() -> None:
    slices = Slices(None, NOW, OVERLAP)
    slices.advance(NOW + timedelta(hours=1))
    slices.advance(NOW)
    assert slices.head().since == NOW + timedelta(hours=1) - OVERLAP


def test_what_is_deferred_becomes_part_of_the_newest_older_slice_or_one_of_its_own() -> None:
    slices = Slices(None, NOW, OVERLAP)
    slices.defer(NOW, NOW + timedelta(hours=1))
    slices.defer(NOW + timedelta(minutes=50), NOW + timedelta(hours=2))
    assert slices.older() == Slice(NOW, NOW + timedelta(hours=2))
    slices.defer(NOW + timedelta(hours=3), NOW + timedelta(hours=4))
    assert slices.older() == Slice(NOW + timedelta(hours=3), NOW + timedelta(hours=4))
    assert slices.unverified_since == NOW


def test_a_slice_is_halved_until_it_is_short_newest_first() -> None:
    slices = Slices(None, NOW, OVERLAP)
    whole = Slice(NOW, NOW + timedelta(seconds=30))
    slices.defer(whole.since, whole.until)
    assert slices.split(whole)
    newer = slices.older()
    assert newer == Slice(NOW + timedelta(seconds=15), whole.until)
    assert not slices.split(newer)
    slices.finish(newer)
    assert slices.older() == Slice(NOW, NOW + timedelta(seconds=15))
