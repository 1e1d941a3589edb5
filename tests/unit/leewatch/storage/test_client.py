"""The store's token is made once, whole, and readable by its owner alone."""

from __future__ import annotations

from pathlib import Path

from leewatch.storage.client import TOKEN_FILE, ensure_token, read_token


def test_a_token_is_made_once_and_is_private(tmp_path: Path) -> None:
    token = ensure_token(tmp_path)
    assert len(token) > 40
    assert (tmp_path / TOKEN_FILE).stat().st_mode & 0o077 == 0
    assert ensure_token(tmp_path) == read_token(tmp_path) == token
    assert [path.name for path in tmp_path.iterdir()] == [TOKEN_FILE]


def test_an_empty_token_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    (tmp_path / TOKEN_FILE).touch()
    assert len(ensure_token(tmp_path)) > 40
