"""Patterns of the user's as scorers."""

from __future__ import annotations

from typing import Any

import pytest

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts
from leewatch.testing.encoder import HashingEncoder


def scored(text: str, **options: Any) -> Score:
    section = AnalyzersSection(scorers={"rivals": {"kind": "regex", **options}})
    [[one]] = catalog.create(section, "rivals", Surroundings()).score(
        [SpanTexts("a", response=text)], HashingEncoder(2)
    )
    return one


def test_a_match_gives_one_and_its_place() -> None:
    one = scored("ask Acme or ACME", pattern="acme", ignore_case=True)
    assert (one.name, one.value) == ("response.rivals", 1.0)
    assert list(one.details) == [{"start": 4, "end": 8}, {"start": 12, "end": 16}]
    assert scored("ask us", pattern="acme").value == 0.0


def test_several_patterns_are_told_by_name() -> None:
    one = scored("Beta before Acme", patterns={"acme": "Acme", "beta": "Beta", "gamma": "Gamma"})
    assert one.label == "acme, beta"
    assert [detail["type"] for detail in one.details] == ["beta", "acme"]


def test_a_text_that_lacks_what_it_must_hold_is_flagged() -> None:
    assert scored("no advice", pattern="not financial advice", missing=True).value == 1.0
    assert scored("not financial advice", pattern="not financial advice", missing=True).value == 0.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pattern": "("}, r"rivals\.pattern: no regular expression"),
        ({"pattern": "x*"}, r"rivals\.pattern: matches the empty text"),
        ({}, "expected either pattern or patterns"),
        ({"pattern": "a", "patterns": {"b": "b"}}, "expected either pattern or patterns"),
        ({"pattern": "a", "fields": ["answer"]}, r"rivals\.fields\.0"),
        ({"patern": "a"}, r"rivals\.patern: extra inputs"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        scored("x", **options)
