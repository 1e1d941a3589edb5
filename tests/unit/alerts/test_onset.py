from __future__ import annotations

from alerts.onset import Bucket, onset


def test_the_beginning_is_the_bucket_from_which_the_excess_is_largest() -> None:
    # excess over 0.1 * 10 = 1 per bucket, from the end: +4, +8, +7, +11, then -1 each: largest from bucket 4
    totals = [0, 0, 1, 0, 5, 0, 5, 5]
    assert onset([Bucket(i, 10, total) for i, total in enumerate(totals)], 0.1) == 4


def test_empty_buckets_do_not_shift_the_beginning() -> None:
    assert onset([Bucket(3, 10, 0), Bucket(40, 10, 9)], 0.1) == 40


def test_a_breach_below_the_limit_begins_where_values_fall() -> None:
    assert onset([Bucket(0, 10, 9), Bucket(1, 10, 9), Bucket(2, 10, 1)], 0.5, high=False) == 2


def test_without_excess_the_beginning_is_the_first_bucket() -> None:
    assert onset([Bucket(7, 10, 0)], 0.1) == 0
    assert onset([], 0.1) == 0
