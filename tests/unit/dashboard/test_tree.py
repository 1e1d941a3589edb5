"""The waterfall shows every span once, whatever the parents say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard import tree

START = datetime(2026, 3, 1, tzinfo=UTC)


def span(
    span_id: str, parent: str = "", at_ms: float = 0, lasts_ms: float = 10, status: str = "Unset"
) -> dict[str, Any]:
    return {
        "span_id": span_id,
        "parent_span_id": parent,
        "ts": START + timedelta(milliseconds=at_ms),
        "duration_ns": int(lasts_ms * 1e6),
        "name": f"name {span_id}",
        "service": "s",
        "status_code": status,
    }


def test_children_follow_their_parent_in_order_of_time() -> None:
    rows = tree.waterfall([span("c", "a", 50), span("b", "a", 20), span("d", "b", 30), span("a", "", 0, 100)], {})
    assert [(row.span_id, row.depth) for row in rows] == [("a", 0), ("b", 1), ("d", 2), ("c", 1)]
    assert (rows[1].offset, rows[1].width) == (0.2, 0.1)


def test_a_span_without_its_parent_is_a_root() -> None:
    rows = tree.waterfall([span("b", "lost", 5), span("a", "", 0)], {})
    assert [(row.span_id, row.depth) for row in rows] == [("a", 0), ("b", 0)]


def test_a_span_sent_twice_is_shown_once() -> None:
    assert len(tree.waterfall([span("a"), span("a")], {})) == 1


def test_failures_and_models_come_from_both_sources() -> None:
    rows = tree.waterfall(
        [span("a", status="Error"), span("b")], {"b": {"kind": "llm", "model": "m", "error_type": "Timeout"}}
    )
    assert [(row.failed, row.kind, row.note) for row in rows] == [(True, "", ""), (True, "llm", "m")]


def test_a_trace_of_no_length_has_bars_all_the_same() -> None:
    (row,) = tree.waterfall([span("a", lasts_ms=0)], {})
    assert row.width > 0
    assert tree.waterfall([], {}) == []


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 500), st.integers(0, 500)), max_size=14)
)
def test_every_span_appears_once_and_inside_the_picture(drawn: list[tuple[int, int, int, int]]) -> None:
    spans = [span(f"{own}", f"{parent}", at, lasts) for own, parent, at, lasts in drawn]
    rows = tree.waterfall(spans, {})
    assert sorted(row.span_id for row in rows) == sorted({item["span_id"] for item in spans})
    assert all(0 <= row.offset <= 1 and 0 < row.width <= 1 and row.offset + row.width <= 1.0021 for row in rows)
