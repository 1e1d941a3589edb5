from __future__ import annotations

from importlib.resources import files

import pytest

from leewatch.errors import InputError
from leewatch.storage import queries


def test_queries_are_found_by_name_without_comments_and_semicolon() -> None:
    text = "-- Spans.\n\n-- name: one\n-- All of it.\nSELECT 1;\n\n-- name: two\n-- Two rows.\nSELECT 2\n"
    assert queries.parse(text, "x.sql") == {"one": "SELECT 1", "two": "SELECT 2"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-- name: a\n-- A.\nSELECT 1\n-- name: a\n-- A.\nSELECT 2", "twice"),
        ("-- name: a\nSELECT 1", "lacks the sentence"),
        ("-- name: a\n-- A.\n", "empty"),
        ("SELECT 0\n-- name: a\n-- A.\nSELECT 1", "before the first"),
    ],
)
def test_malformed_files_are_refused(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        queries.parse(text, "x.sql")


def test_every_shipped_file_loads() -> None:
    names = [
        entry.name for entry in files("leewatch.storage").joinpath("queries").iterdir() if entry.name.endswith(".sql")
    ]
    assert names
    for name in names:
        assert queries.load(name.removesuffix(".sql"))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.sql"):
        queries.load("nowhere")
