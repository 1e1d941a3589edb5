"""`leewatch query` and `leewatch export`: read out in any ClickHouse format."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from leewatch import config
from leewatch.config import Settings
from leewatch.errors import InputError, StoreUnavailableError
from leewatch.storage.client import address

NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
FORMATS = {
    ".parquet": "Parquet",
    ".csv": "CSVWithNames",
    ".tsv": "TSVWithNames",
    ".jsonl": "JSONEachRow",
    ".arrow": "Arrow",
}
TIME_COLUMNS = ("ts", "at", "Timestamp", "window_end", "inserted_at", "created_at")
CONNECT_SECONDS = 10.0
READ_ONLY = {"readonly": "2"}
"""Queries may change settings but no data."""


def query(
    sql: Annotated[str, typer.Argument(help="ClickHouse SQL; - reads it from standard input.")],
    output_format: Annotated[
        str, typer.Option("--format", "-f", help="ClickHouse format: TSV, CSV, JSONEachRow, Pretty ...")
    ] = "TSV",
    parameter: Annotated[
        list[str] | None, typer.Option("--param", help="name=value for {name:Type} in the SQL.")
    ] = None,
) -> None:
    """Run a read-only query against the store and print the result."""
    text = sys.stdin.read() if sql == "-" else sql
    parameters = dict(_parameter(given) for given in parameter or [])
    with stream(config.load(), text, output_format, parameters) as chunks:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def export(
    table: Annotated[str, typer.Argument(help="Table or view, e.g. llm_spans, scores, drift_results.")],
    to: Annotated[Path, typer.Option("--to", help="File to write; its ending says the format: " + " ".join(FORMATS))],
    since: Annotated[str, typer.Option("--since", help="ISO time, or an age such as 7d, 12h, 30m.")] = "",
) -> None:
    """Write a table to a file."""
    if not NAME.match(table):
        raise InputError(f"{table!r} is no table name; see `leewatch query 'SHOW TABLES'`")
    if to.suffix not in FORMATS:
        raise InputError(f"cannot tell the format of {to}: end it with one of {' '.join(FORMATS)}")
    settings = config.load()
    sql, parameters = f"SELECT * FROM {table}", {}  # noqa: S608  the name was checked
    if since:
        sql += f" WHERE {_time_column(settings, table)} >= {{since:DateTime64(3)}}"
        parameters["since"] = parse_time(since).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    partial = to.with_name(to.name + ".partial")
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    with (
        Progress(*columns, transient=True, console=Console(stderr=True)) as progress,
        stream(settings, sql, FORMATS[to.suffix], parameters) as chunks,
    ):
        task = progress.add_task(f"{table} -> {to}", total=None)
        with partial.open("wb") as file:
            for chunk in chunks:
                progress.advance(task, file.write(chunk))
    partial.replace(to)
    print(f"{to}: {to.stat().st_size:,} bytes")


@contextmanager
def stream(
    settings: Settings, sql: str, output_format: str = "TSV", parameters: Mapping[str, str] | None = None
) -> Iterator[Iterator[bytes]]:
    """The result of a read-only query in a ClickHouse format, chunk by chunk.

    Raises InputError with ClickHouse's message when the query is refused, StoreUnavailableError when nothing answers.
    """
    where = address(settings)
    url = f"{'https' if where.secure else 'http'}://{where.host}:{where.port}/"
    options: dict[str, Any] = {"database": where.database, "default_format": output_format, **READ_ONLY}
    options.update({f"param_{name}": value for name, value in (parameters or {}).items()})
    headers = {"X-ClickHouse-User": where.user, "X-ClickHouse-Key": where.password}
    try:
        # A query may run for as long as it needs; only the connection has a limit.
        limit = httpx.Timeout(None, connect=CONNECT_SECONDS)
        with httpx.stream("POST", url, params=options, headers=headers, content=sql, timeout=limit) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise InputError(_refusal(response.text))
            yield response.iter_bytes()
    except httpx.TransportError as error:
        raise StoreUnavailableError(
            f"the database does not answer on {where.host}:{where.port}. "
            "Start it with `leewatch up`, or check storage.dsn"
        ) from error


def parse_time(text: str) -> datetime:
    """UTC time from ISO 8601 or from an age (`90s`, `30m`, `12h`, `7d`). Raises InputError for anything else."""
    age = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if age:
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[age[2]]
        return datetime.now(UTC) - timedelta(**{unit: int(age[1])})
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{text!r} is no time: give ISO 8601 (2026-05-01T12:00:00Z) or an age (7d, 12h, 30m)"
        ) from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _time_column(settings: Settings, table: str) -> str:
    sql = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
    with stream(settings, sql, "TSV", {"table": table}) as chunks:
        names = b"".join(chunks).decode().split()
    for candidate in TIME_COLUMNS:
        if candidate in names:
            return candidate
    raise InputError(f"{table} has no time column that --since could use" if names else f"no table is named {table}")


def _parameter(given: str) -> tuple[str, str]:
    name, separator, value = given.partition("=")
    if not separator or not NAME.match(name):
        raise InputError(f"--param {given!r}: expected name=value")
    return name, value


def _refusal(text: str) -> str:
    return f"the database refused the query: {' '.join(text.split())[:1500]}"
