"""The collector finds its way back to a store that changed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from collector.database import Database, DatabaseError
from leewatch import config
from leewatch.storage.client import TOKEN_FILE


def test_a_token_made_anew_is_read_anew(tmp_path: Path) -> None:
    def store(request: httpx.Request) -> httpx.Response:
        if request.headers["X-ClickHouse-Key"] == "new":
            return httpx.Response(200)
        return httpx.Response(403, headers={"X-ClickHouse-Exception-Code": "516"}, text="Authentication failed.")

    settings = config.load(data=tmp_path, environment={})
    (tmp_path / TOKEN_FILE).write_text("old")
    with httpx.Client(transport=httpx.MockTransport(store)) as client:
        database = Database(settings, client, lambda _: None)
        with pytest.raises(DatabaseError, match="Authentication failed"):
            database.execute("SELECT 1", {})
        (tmp_path / TOKEN_FILE).write_text("new")
        database.execute("SELECT 1", {})
