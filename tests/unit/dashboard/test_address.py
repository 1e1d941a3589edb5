"""The URL is the state: what is written is read back, and what makes no sense is said, not guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import address
from dashboard.address import View

NOW = datetime(2026, 3, 2, 12, 0, 3, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).map(str.strip)


@st.composite
def views(draw: st.DrawFn) -> View:
    start = draw(st.none() | MOMENTS)
    return View(
        **{name: draw(WORDS) for name in address.TEXTS},
        minimum=draw(st.none() | st.sampled_from([0.0, 0.5, -2.25, 1e6])),
        range=address.DEFAULT_RANGE if start else draw(st.sampled_from(list(address.RANGES))),
        start=start,
        end=start + timedelta(minutes=draw(st.integers(1, 90000))) if start else None,
        at=draw(st.none() | MOMENTS),
        refresh=draw(st.sampled_from(address.REFRESH_SECONDS)),
    )


@given(views())
def test_a_view_survives_the_url(view: View) -> None:
    assert address.parse(address.to_query(view)) == (view, ())


def test_the_default_view_leaves_the_url_clean() -> None:
    assert address.to_query(View()) == {}
    assert address.link("drift", View()) == "drift"


def test_an_alert_link_opens_its_window() -> None:
    query = {"service": "kb-bot", "field": "prompt", "from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"}
    view, faults = address.parse(query)
    assert faults == ()
    window = address.window(view, NOW)
    assert (window.start, window.end) == (datetime(2026, 3, 1, 10, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=UTC))
    assert address.to_query(view) == query


def test_a_time_zone_is_converted_and_none_means_utc() -> None:
    view, _ = address.parse({"from": "2026-03-01T12:00:00+02:00", "to": "2026-03-01T11:30"})
    assert view.start == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert view.end == datetime(2026, 3, 1, 11, 30, tzinfo=UTC)


def test_one_end_of_the_window_is_completed_by_the_range() -> None:
    view, faults = address.parse({"to": "2026-03-01T12:00:00Z", "range": "1h"})
    assert faults == ()
    assert view.start == datetime(2026, 3, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "yesterday"}, "from=yesterday"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from="),
        ({"range": "3w"}, "range=3w"),
        ({"min": "much"}, "min=much"),
        ({"min": "nan"}, "min=nan"),
        ({"refresh": "1"}, "refresh=1"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "from must lie before to"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named_and_left_out(query: dict[str, str], named: str) -> None:
    view, faults = address.parse(query)
    assert view == View()
    assert len(faults) == 1
    assert named in faults[0]


def test_a_rolling_window_ends_now_on_a_step_that_answers_can_be_cached_for() -> None:
    window = address.window(View(range="1h"), NOW)
    assert window.end == datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
    assert window.seconds == 3600


def test_the_surroundings_of_a_window_hold_what_came_before_it() -> None:
    window = address.window(View(range="1h"), NOW)
    around = window.surroundings
    assert (window.start - around.start, around.end - window.end) == (timedelta(hours=12), timedelta(hours=1))


@given(st.floats(1, 10 * 365 * 86400))
def test_no_chart_has_more_points_than_allowed(seconds: float) -> None:
    assert seconds / address.bucket_seconds(seconds) <= address.MAX_POINTS


def test_a_day_comes_in_quarter_hours() -> None:
    assert address.bucket_seconds(86400) == 900


def test_link_escapes_what_it_carries() -> None:
    assert address.link("traces", View(service="a&b=c", text="<x>")) == "traces?service=a%26b%3Dc&text=%3Cx%3E"
