"""Excerpts show what was found, with its mark in the right place."""

from __future__ import annotations

from dashboard.views.quality import _estimate, _mean, excerpt, sampling_note


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


def test_figures_from_a_sample_say_so_and_carry_their_interval() -> None:
    row = {"name": "response.toxicity", "rate": 0.1, "mean": 0.2, "given": 400, "sampled": 0.37}
    note = sampling_note([row, {**row, "sampled": 1.0}])
    assert note.startswith("Estimated from 37 % of calls")
    errors = {"response.toxicity": {"rate_error": 0.015, "mean_error": 0.01, "effective": 635.0}}
    assert _estimate(row, errors) == "10 % (7.4 % to 13 %)"
    assert _mean(row, errors) == "0.20 (0.18 to 0.22)"
    assert _estimate({**row, "sampled": 1.0}, errors) == "10 %"
