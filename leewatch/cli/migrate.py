"""`leewatch migrate`: brings the schema of a ClickHouse server up to this release; the embedded store does its own."""

from __future__ import annotations

from leewatch import config
from leewatch.config import Settings
from leewatch.storage import migrate
from leewatch.storage.client import connect
from leewatch.storage.lexer import quote_name


def migrate_database() -> None:
    """Create or update all tables and views in the configured database."""
    settings = config.load()
    bring_up_to_date(settings)
    print(f"the schema of database {settings.storage.database} is up to date")


def bring_up_to_date(settings: Settings) -> None:
    """Creates the database when there is none and applies what is missing. Raises as `migrate.apply` does."""
    connect(settings, database="").command(f"CREATE DATABASE IF NOT EXISTS {quote_name(settings.storage.database)}")
    migrate.apply(connect(settings), settings)
