"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard import display


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (950, "950"),
        (12345, "12,345"),
        (99999, "99,999"),
        (1234567, "1.23M"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_counts(value: float | None, text: str) -> None:
    assert display.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (0.256, "0.26"),
        (1520, "1.52k"),
        (380000, "380k"),
        (999999, "1.00M"),
        (2.5e9, "2.50B"),
        (-4200, "-4.20k"),
    ],
)
def test_compact_numbers(value: float, text: str) -> None:
    assert display.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"),
        (0.42, "0.42 ms"),
        (840, "840 ms"),
        (1240, "1.24 s"),
        (61_000, "61.0 s"),
        (125_000, "2 min 05 s"),
        (11_520_000, "3 h 12 min"),
    ],
)
def test_durations(value: float, text: str) -> None:
    assert display.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (0.00001, "<$0.0001"), (0.0034, "$0.0034"), (12.4, "$12.40"), (1250, "$1.25k"), (None, "–")],
)
def test_dollars(value: float | None, text: str) -> None:
    assert display.dollars(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 %"), (0.0004, "0.04 %"), (0.032, "3.2 %"), (0.41, "41 %"), (1, "100 %")]
)
def test_percents(value: float, text: str) -> None:
    assert display.percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.42, "0.42"), (0.003, "0.003"), (0.00002, "2e-05"), (0, "0"), (1, "1")])
def test_p_values(value: float, text: str) -> None:
    assert display.probability(value) == text


def test_the_clock_names_the_day_only_when_it_is_another_one() -> None:
    now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert display.clock(datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC), now) == "09:05:07"
    assert display.clock(datetime(2026, 3, 1, 9, 5, tzinfo=UTC), now) == "1 Mar 09:05"
    assert display.clock(datetime(2025, 3, 1, 9, 5, tzinfo=UTC), now) == "1 Mar 2025 09:05"


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "just now"), (240, "4 min ago"), (10800, "3 h ago"), (259200, "3 days ago")]
)
def test_ages(seconds: float, text: str) -> None:
    assert display.ago(seconds) == text


def test_a_change_says_whether_it_is_good() -> None:
    assert display.change(110, 100, "down") == display.Change("▲ 10 %", "bad")
    assert display.change(90, 100, "down") == display.Change("▼ 10 %", "good")
    assert display.change(90, 100) == display.Change("▼ 10 %", "neutral")
    assert display.change(3000, 100) == display.Change("▲ 30×", "neutral")


def test_a_change_without_a_base_claims_nothing() -> None:
    assert display.change(5, None).text == "no earlier data"
    assert display.change(float("nan"), 5).text == "no earlier data"
    assert display.change(5, 0, "down") == display.Change("from 0", "bad")
    assert display.change(0, 0).text == "no change"
    assert display.change(100.5, 100).text == "no change"


def test_a_short_span_of_time_shows_its_seconds() -> None:
    start = datetime(2026, 3, 12, 14, 5, 0, tzinfo=UTC)
    assert display.between(start, start + timedelta(seconds=30)) == "12 Mar 14:05:00 to 14:05:30"
    assert display.between(start, start + timedelta(hours=12)) == "12 Mar 14:05 to 13 Mar 02:05"
