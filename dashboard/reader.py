"""Answers of the database to the named queries of the dashboard, cached for a few seconds."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import streamlit as st
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from dashboard import installed
from dashboard.address import View, Window
from leewatch.errors import StoreUnavailableError
from leewatch.storage import queries
from leewatch.storage.client import connect

TTL_SECONDS: Final = 10
_KEPT_CLIENTS: Final = 8
_TIMEOUT_SECONDS: Final = 20
_FILES: Final = {"metric_": "metrics", "score_": "scores", "topic_": "topics"}
"""Prefix of a query's name -> the file that holds it."""

_idle: queue.LifoQueue[Client] = queue.LifoQueue(maxsize=_KEPT_CLIENTS)


@contextmanager
def _client() -> Iterator[Client]:
    """A client for one query at a time; kept for the next one unless the query failed."""
    try:
        client = _idle.get_nowait()
    except queue.Empty:
        client = connect(installed.settings(), connect_timeout=3, send_receive_timeout=_TIMEOUT_SECONDS)
    try:
        yield client
    except (OperationalError, DatabaseError) as error:
        client.close()
        raise _translated(error) from error
    except BaseException:
        client.close()
        raise
    try:
        _idle.put_nowait(client)
    except queue.Full:
        client.close()


def _translated(error: ClickHouseError) -> Exception:
    """StoreUnavailableError for a database that is away or not yet migrated; other errors stay what they are."""
    not_migrated = getattr(error, "code", None) in {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE
    if not_migrated:
        return StoreUnavailableError("the database is up but its tables are not there yet: migrations are running")
    if isinstance(error, OperationalError):
        return StoreUnavailableError(f"the database stopped answering: {error}")
    return error


def common(view: View, window: Window) -> dict[str, Any]:
    """The parameters that every windowed query takes. Times are ms since the epoch."""
    return {"project": view.project, "service": view.service, "model": view.model, **span_of(window)}


def span_of(window: Window) -> dict[str, Any]:
    """The parameters that say which time a query is about."""
    return {"start": _ms(window.start), "end": _ms(window.end), "bucket": window.bucket}


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def frame(name: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
    """The answer as a frame. Not to be changed by the caller's charts: each call returns its own copy."""
    return _frame(name, tuple(sorted(parameters.items())))


def rows(name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer as one dict per row; times are aware datetimes in UTC."""
    return _rows(name, tuple(sorted(parameters.items())))


@st.cache_data(ttl=TTL_SECONDS, max_entries=400, show_spinner=False)
def _frame(name: str, parameters: tuple[tuple[str, Any], ...]) -> pd.DataFrame:
    with _client() as client:
        answer = client.query(_sql(name), parameters=_bound(parameters), tz_mode="aware")
    return pd.DataFrame(answer.result_rows, columns=list(answer.column_names))


@st.cache_data(ttl=TTL_SECONDS, max_entries=400, show_spinner=False)
def _rows(name: str, parameters: tuple[tuple[str, Any], ...]) -> list[dict[str, Any]]:
    with _client() as client:
        answer = client.query(_sql(name), parameters=_bound(parameters), tz_mode="aware")
    return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]


def _bound(parameters: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Tuples, which a cache key needs, become the lists that the client binds to Array parameters."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in parameters}


def ping() -> None:
    """Returns when the database answers. Raises what `connect` raises, or StoreUnavailableError."""
    with _client() as client:
        client.command("SELECT 1")


def insert(table: str, row: Mapping[str, Any]) -> None:
    """Inserts one row and forgets cached answers, so that the page shows it."""
    with _client() as client:
        client.insert(table, [list(row.values())], column_names=list(row))
    st.cache_data.clear()


def now() -> datetime:
    return datetime.now(UTC)


def _sql(name: str) -> str:
    if name.startswith("coverage_"):
        return queries.load("coverage")[name.removeprefix("coverage_")]
    file = next((file for prefix, file in _FILES.items() if name.startswith(prefix)), "dashboard")
    return queries.load(file).get(name) or queries.load("traces")[name]
