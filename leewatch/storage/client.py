"""One client for the embedded store, a server and a cluster: clickhouse-connect over HTTP."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from leewatch.config import Settings
from leewatch.errors import ConfigError, NotRunningError, StoreUnavailableError

TOKEN_FILE = "store.token"  # noqa: S105  a file name
EMBEDDED_USER = "leewatch"


@dataclass(frozen=True)
class Address:
    """Where the database answers. `password` never shows in repr."""

    host: str
    port: int
    user: str
    password: str
    database: str
    secure: bool = False
    embedded: bool = True

    def __repr__(self) -> str:
        scheme = "https" if self.secure else "http"
        return f"Address({scheme}://{self.user}@{self.host}:{self.port}/{self.database})"


def address(settings: Settings) -> Address:
    """Address from `storage.dsn`, else of the embedded store with the token in the data directory.

    Raises ConfigError for a malformed dsn, NotRunningError when the embedded store was never started there.
    """
    dsn = settings.storage.dsn
    if dsn is None:
        token = read_token(settings.data)
        return Address(settings.store.host, settings.store.port, EMBEDDED_USER, token, settings.storage.database)
    parts = urlsplit(dsn.get_secret_value())
    if parts.scheme not in {"clickhouse", "clickhouses", "http", "https"} or not parts.hostname:
        raise ConfigError(["storage.dsn: expected clickhouse://user:password@host:8123/database"])
    secure = parts.scheme in {"clickhouses", "https"}
    return Address(
        parts.hostname,
        parts.port or (8443 if secure else 8123),
        unquote(parts.username or "default"),
        unquote(parts.password or ""),
        parts.path.strip("/") or settings.storage.database,
        secure,
        embedded=False,
    )


def read_token(data: Path) -> str:
    """The embedded store's token. Raises NotRunningError when there is none yet."""
    try:
        return (data / TOKEN_FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise NotRunningError(
            f"no Leewatch installation in {data}: start one with `leewatch up --data {data}`, or set storage.dsn"
        ) from None


def ensure_token(data: Path) -> str:
    """The embedded store's token, created (file mode 0600) when there is none."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / TOKEN_FILE
    if path.is_file() and path.stat().st_size:
        return read_token(data)
    # Written whole, then named: an empty token would be an open store.
    token = secrets.token_urlsafe(32)
    new = path.with_name(TOKEN_FILE + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return token


def connect(settings: Settings, **options: Any) -> Client:
    """A client of the configured database. Not to be shared between threads that query at the same time.

    options go to `clickhouse_connect.get_client` and win. Raises StoreUnavailableError when the database does not answer.
    """
    where = address(settings)
    try:
        return clickhouse_connect.get_client(
            **{
                "host": where.host,
                "port": where.port,
                "username": where.user,
                "password": where.password,
                "database": where.database,
                "secure": where.secure,
                "autogenerate_session_id": False,
                **options,
            }
        )
    except OperationalError as error:
        raise StoreUnavailableError(
            f"the database does not answer on {where.host}:{where.port}. "
            "Start it with `leewatch up`, or check storage.dsn"
        ) from error
    except ClickHouseError as error:
        raise StoreUnavailableError(f"the database on {where.host}:{where.port} refused us: {error}") from error
