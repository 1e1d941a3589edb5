"""`leewatch migrate`: brings the schema of a ClickHouse server up to this release; the store does its own."""

from __future__ import annotations

from leewatch import config
from leewatch.storage import migrate


def migrate_database() -> None:
    """Create or update all tables and views in the configured database."""
    settings = config.load()
    migrate.apply_to(settings)
    print("schema is up to date")
