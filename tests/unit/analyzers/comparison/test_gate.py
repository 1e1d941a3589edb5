"""Conditions that fail a roll-out, and the verdicts they look at."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.comparison.estimate import Rows
from analyzers.comparison.gate import condition, judge
from analyzers.comparison.measures import measure
from analyzers.comparison.report import Column, Comparison, compare
from leewatch.errors import InputError

N = 4000


def compared(shift: float, ratio: float = 1.0, n: int = N) -> Comparison:
    """B's toxicity is higher by `shift`, its latency `ratio` times as long."""
    rng = np.random.default_rng(7)
    in_b = np.repeat([False, True], n)
    codes = np.zeros(2 * n, dtype=np.int64)
    toxicity = rng.uniform(0, 0.4, 2 * n) + shift * in_b
    latency = np.exp(rng.normal(5, 0.5, 2 * n)) * np.where(in_b, ratio, 1.0)
    columns = [
        Column(measure("response.toxicity"), toxicity, np.ones(2 * n)),
        Column(measure("duration_ms"), latency, np.ones(2 * n)),
        Column(measure("span.readability"), rng.normal(size=2 * n), np.ones(2 * n)),
    ]
    return compare(Rows(in_b, codes, np.arange(2 * n)), columns, 0.05, "none")


def test_verdicts_follow_the_direction_that_is_worse() -> None:
    worse = {line.name: line.verdict for line in compared(0.05, 0.8).lines}
    assert worse == {"response.toxicity": "worse", "duration_ms": "better", "span.readability": ""}


def test_latency_is_compared_as_a_ratio() -> None:
    line = compared(0.0, 1.25).lines[1]
    assert line.change == pytest.approx(1.25, rel=0.05)
    assert line.low is not None
    assert line.high is not None
    assert line.low < 1.25 < line.high
    assert line.b == pytest.approx((line.a or 0.0) * (line.change or 0.0))


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("response.toxicity > 0.02", "fail"),
        ("response.toxicity>0.2", "pass"),
        ("response.toxicity > 0.05", "open"),
        ("duration_ms > 10%", "fail"),
        ("duration_ms < -10%", "pass"),
        ("worse", "fail"),
    ],
)
def test_a_condition_fails_passes_or_stays_open(text: str, state: str) -> None:
    assert [one.state for one in judge(compared(0.05, 1.3), [text])] == [state]


def test_a_fall_beyond_the_margin_fails_where_a_fall_is_feared() -> None:
    assert judge(compared(0.0, 0.7), ["duration_ms < -10%"])[0].state == "fail"


def test_too_few_calls_leave_a_condition_open_with_the_numbers() -> None:
    found = judge(compared(0.5, n=20), ["response.toxicity > 0.02"])[0]
    assert (found.state, "20 and 20 values" in found.reason) == ("open", True)


def test_a_measure_that_was_not_compared_is_named_with_those_that_were() -> None:
    with pytest.raises(InputError, match=r"no measure is named 'toxic'.*response\.toxicity"):
        judge(compared(0.0), ["toxic > 0.1"])


@pytest.mark.parametrize("text", ["", "response.toxicity", "response.toxicity >= x", "a > 1 b"])
def test_what_is_no_condition_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="duration_ms > 10%"):
        condition(text)
