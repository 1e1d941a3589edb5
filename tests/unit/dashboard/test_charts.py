"""Figures carry their units, mark what drifted, and never run what a label holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from dashboard import charts, theme

START = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = (START, START + timedelta(hours=1))


def frame(**columns: list[object]) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    return pd.DataFrame({"bucket_start": [START + timedelta(minutes=i) for i in range(length)], **columns})


def test_a_series_has_its_unit_and_the_whole_window_on_the_axes() -> None:
    figure = charts.series(frame(p50=[1.0, 2.0, 3.0]), {"p50": "median"}, "s", WINDOW)
    assert figure.layout.yaxis.title.text == "s"
    assert [pd.Timestamp(end) for end in figure.layout.xaxis.range] == [
        pd.Timestamp(end.replace(tzinfo=None)) for end in WINDOW
    ]
    assert list(figure.data[0].y) == [1.0, 2.0, 3.0]
    assert figure.data[0].x[0] == START.replace(tzinfo=None)


def test_a_column_without_any_value_draws_no_line() -> None:
    figure = charts.series(frame(a=[1.0, 2.0], b=[None, None]), {"a": "a", "b": "b"}, "s", WINDOW)
    assert [trace.name for trace in figure.data] == ["a"]


def test_groups_are_stacked_largest_first_and_keep_their_colour_between_charts() -> None:
    data = frame(service=["a", "b", "b"], n=[1.0, 5.0, 5.0])
    by_size = charts.grouped(data, "service", "n", "calls", WINDOW, 60)
    assert [trace.name for trace in by_size.data] == ["b", "a"]
    other = charts.grouped(data.assign(n=[50.0, 1.0, 1.0]), "service", "n", "calls", WINDOW, 60)
    assert {t.name: t.marker.color for t in by_size.data} == {t.name: t.marker.color for t in other.data}


def test_lines_break_where_buckets_are_missing() -> None:
    data = pd.DataFrame(
        {
            "bucket_start": [START, START + timedelta(minutes=1), START + timedelta(minutes=30)],
            "name": ["x"] * 3,
            "v": [1.0, 1.0, 2.0],
        }
    )
    line = charts.grouped(data, "name", "v", "%", WINDOW, 60, stacked=False).data[0]
    assert list(line.y) == [1.0, 1.0, None, 2.0]


@pytest.mark.parametrize("build", ["grouped", "series", "distribution"])
def test_an_empty_frame_is_an_empty_figure(build: str) -> None:
    if build == "grouped":
        figure = charts.grouped(frame(s=[], n=[]), "s", "n", "calls", WINDOW, 60)
    elif build == "series":
        figure = charts.series(frame(p=[]), {"p": "p"}, "s", WINDOW)
    else:
        figure = charts.distribution(pd.DataFrame({"service": [], "bin": [], "spans": []}), 0, 1, 0.5)
    assert len(figure.data) == 0


def test_labels_from_data_are_plain_text_for_plotly() -> None:
    assert charts.label("<a href='javascript:x'>hi</a>") == "&lt;a href='javascript:x'&gt;hi&lt;/a&gt;"
    assert len(charts.label("word " * 100)) == 60
    figure = charts.grouped(frame(s=["<b>x</b>"], n=[1.0]), "s", "n", "calls", WINDOW, 60)
    assert figure.data[0].name == "&lt;b&gt;x&lt;/b&gt;"


def test_drifted_tests_stand_out_in_the_severity_colour() -> None:
    data = frame(p=[0.4, 1e-5], alpha=[0.001, 0.001], any_drift=[False, True])
    figure = charts.p_values(data, WINDOW, START)
    assert list(figure.data[0].marker.color) == [theme.PRIMARY, theme.CRITICAL]
    assert figure.layout.yaxis.type == "log"
    top, bottom = figure.layout.yaxis.range
    assert bottom < np.log10(1e-5) < top


def test_a_p_value_of_zero_can_be_drawn() -> None:
    figure = charts.p_values(frame(p=[0.0], alpha=[0.01], any_drift=[True]), WINDOW, None)
    assert np.isfinite(figure.layout.yaxis.range).all()


def test_the_topic_that_moved_most_stands_on_top() -> None:
    clusters = [
        {"label": "little", "reference_share": 0.2, "current_share": 0.21},
        {"label": "much", "reference_share": 0.1, "current_share": 0.6},
    ]
    figure = charts.shares(clusters)
    assert figure.layout.yaxis.ticktext[-1] == "much"
    after = next(trace for trace in figure.data if trace.name == "this window")
    assert list(after.x) == pytest.approx([21, 60])


def test_the_map_separates_reference_and_window() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    figure = charts.embedding_map(points, ["reference", "current", "reference"], ["a", "<i>b</i>", "c"])
    assert [trace.name for trace in figure.data] == ["reference (2)", "this window (1)"]
    assert list(figure.data[1].text) == ["&lt;i&gt;b&lt;/i&gt;"]


def test_bins_stand_in_the_middle_of_their_range() -> None:
    figure = charts.distribution(pd.DataFrame({"service": ["a"], "bin": [19], "spans": [4]}), 0, 10, None)
    assert list(figure.data[0].x) == [9.75]
    assert tuple(figure.layout.xaxis.range) == (0, 10)
