"""Excerpts show what was found, with its mark in the right place."""

from __future__ import annotations

from dashboard.views.quality import excerpt


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt("abc def", [(4, 7, "x")]) == 'abc <mark title="x">def</mark>'


def test_a_long_text_is_cut_around_its_first_mark() -> None:
    text = "a" * 500 + "FOUND" + "b" * 500
    shown = excerpt(text, [(500, 505, "x")], size=90)
    assert shown.startswith("…aaa")
    assert shown.endswith("bbb…")
    assert '<mark title="x">FOUND</mark>' in shown


def test_a_long_text_without_marks_shows_its_beginning() -> None:
    assert excerpt("a" * 500, [], size=10) == "a" * 10 + "…"
