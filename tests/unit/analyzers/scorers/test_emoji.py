"""What emoji say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.scorers.emoji import told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text,  kept", "plain text,  kept"),
        ("so 🐍 here", "so snake here"),
        ("a 👨🏿 and a 👩🏻", "a black man and a white woman"),
        ("my 🇲🇽 friends", "my mexican friends"),
        ("the 🏳️‍🌈 at noon", "the gay pride flag at noon"),
        ("c🅰t and 💲 5", "cat and heavy dollar 5"),
        ("🤷‍♂️", "shrug man"),
        ("🇦", "regional indicator symbol letter a"),
    ],
)
def test_emoji_are_told_in_words(text: str, expected: str) -> None:
    assert told(text) == expected


@given(st.text(max_size=80))
def test_any_text_can_be_told(text: str) -> None:
    assert isinstance(told(text), str)
