from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leewatch.storage.lexer import quote, quote_name, statements, tokens, unquote


def test_comments_and_blanks_are_no_tokens() -> None:
    text = "SELECT /* a ' */ 1 -- b\n, 'x -- y' # c\n + `q``r`"
    assert [token.text for token in tokens(text)] == ["SELECT", "1", ",", "'x -- y'", "+", "`q``r`"]


def test_an_unclosed_quote_swallows_nothing() -> None:
    assert [token.text for token in tokens("'a file(")] == ["'", "a", "file", "("]


@pytest.mark.parametrize("text", ["`file`", '"FILE"', "“file”", "`\\x66ile`", "File"])
def test_every_quoting_gives_the_same_name(text: str) -> None:
    (token,) = tokens(text)
    assert token.name == "file"


def test_a_script_is_split_at_semicolons_outside_quotes() -> None:
    text = "-- first\nSELECT ';';\n\n;/* x; */ SELECT `;` -- end;\n;"
    assert statements(text) == ["SELECT ';'", "SELECT `;`"]


@given(st.text())
def test_a_quoted_value_is_one_token_that_unquotes_to_it(value: str) -> None:
    (literal,) = tokens(quote(value))
    assert unquote(literal.text) == value
    (name,) = tokens(quote_name(value))
    assert unquote(name.text) == value


@given(st.text(alphabet="ab'\"`\\-/*#$;(\n “”", max_size=40))
def test_tokens_lie_in_order_and_cover_what_they_say(text: str) -> None:
    end = 0
    for token in tokens(text):
        assert token.start >= end
        assert text[token.start : token.end] == token.text
        end = token.end
