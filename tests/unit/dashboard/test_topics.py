"""Figures of a topic as the page writes them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard import charts
from dashboard.views.topics import change, default_colour, measure, points, scored

ROW: dict[str, Any] = {
    "share": 0.14, "share_before": 0.02, "p95": 1500.0, "cost": 3.0, "priced": 6, "calls": 6.0, "error_rate": 0.5,
    "prompt_toxicity_rate": 0.25, "prompt_toxicity_scored": 4, "hallucination_rate": None, "hallucination_scored": 0,
}  # fmt: skip


def test_a_change_is_told_in_points() -> None:
    assert points(change(ROW)) == "+12.0 pts"
    assert points(-0.0312) == "-3.1 pts"
    assert points(0.0001) == "0 pts"
    assert points(change({**ROW, "share_before": None})) == "–"


@pytest.mark.parametrize(
    ("colour", "value"),
    [
        ("change", 12.0), ("latency", 1.5), ("cost", 0.5), ("errors", 50.0), ("prompt_toxicity", 25.0),
        ("hallucination", None),
    ],
)  # fmt: skip
def test_a_bubble_is_coloured_by_what_was_chosen(colour: str, value: float | None) -> None:
    assert measure(ROW, colour) == (None if value is None else pytest.approx(value))


def test_without_earlier_calls_latency_is_what_colours() -> None:
    assert default_colour([ROW, {**ROW, "share_before": None}]) == "change"
    assert default_colour([{**ROW, "share_before": None}]) == "latency"


def test_a_rate_says_how_many_calls_it_is_about() -> None:
    assert scored(ROW, "prompt_toxicity") == "25 % of 4 scored"
    assert scored(ROW, "hallucination") == "no call has this score"


def test_the_map_escapes_labels_and_greys_what_has_no_value() -> None:
    names = ["<b>refund</b>, card", "flight", "small"]
    figure = charts.topic_map(
        [(0, 0), (1, 1), (2, 0)], [0.5, 0.3, 0.2], [2.0, None, -1.0], names, "x, %", True, [True, True, False]
    )
    grey, coloured = figure.data
    assert grey.marker.color == charts.theme.MUTED
    assert list(coloured.text) == ["&lt;b&gt;refund&lt;/b&gt;", ""]
    assert (coloured.marker.cmin, coloured.marker.cmax) == (-2.0, 2.0)
