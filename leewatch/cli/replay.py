"""`leewatch replay`: sends JSONL rows as OTLP spans; history import and load source."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import httpx
import orjson
import typer
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_HEADERS
from opentelemetry.util.re import parse_env_headers
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leewatch import config, jsonl, reach
from leewatch.cli.query import parse_time
from leewatch.errors import InputError
from leewatch.otlp import RowDefaults, request_of, send, span_from_row

ROWS_PER_REQUEST = 256
TICK_SECONDS = 0.2
"""With --rate, a request is sent this often."""


def replay(
    files: Annotated[
        list[Path], typer.Argument(help="JSONL or JSONL.gz files of {prompt, response, context?, model?, ts?, ...}.")
    ],
    service: Annotated[str, typer.Option(help="service.name of rows that name none.")] = "replay",
    model: Annotated[str, typer.Option(help="Model of rows that name none.")] = "",
    provider: Annotated[str, typer.Option(help="Provider of rows that name none.")] = "",
    rate: Annotated[float, typer.Option(help="Rows per second; 0: as fast as they are taken.", min=0)] = 0,
    endpoint: Annotated[
        str, typer.Option(help="Base URL of an OTLP/HTTP collector; default: the running installation.")
    ] = "",
    start: Annotated[
        str, typer.Option(help="Time of the first row without ts: ISO time or age such as 2d; default now.")
    ] = "",
) -> None:
    """Send rows as OTLP spans. Rows with `ts` keep their ids when the same file is sent again.

    OTEL_EXPORTER_OTLP_HEADERS adds headers, e.g. x-api-key=KEY.
    """
    settings = config.load()
    own = reach.otlp(settings.collector)
    url, verify = (endpoint, True) if endpoint else (own.url, own.verify)
    headers = parse_env_headers(os.environ.get(OTEL_EXPORTER_OTLP_HEADERS, ""))
    rows = list(_rows(files))
    first_ns = int((parse_time(start) if start else datetime.now(UTC)).timestamp() * 1e9)
    step_ns = int(1e9 / rate) if rate else 1_000_000
    per_request = max(1, min(ROWS_PER_REQUEST, int(rate * TICK_SECONDS))) if rate else ROWS_PER_REQUEST
    defaults = RowDefaults(service, model, provider)
    fresh = random.Random()
    rejected, began = 0, time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        httpx.Client(timeout=60, headers=headers, verify=verify) as client,
        Progress(*columns, transient=True, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task(f"sending to {url}", total=len(rows))
        for position in range(0, len(rows), per_request):
            part = rows[position : position + per_request]
            if rate:
                time.sleep(max(0.0, began + position / rate - time.monotonic()))
            spans = []
            for offset, (place, row) in enumerate(part):
                try:
                    spans.append(
                        span_from_row(row, first_ns + (position + offset) * step_ns, defaults, _ids(row, place, fresh))
                    )
                except InputError as error:
                    raise InputError(f"{place}: {error}. {position:,} rows before it were sent.") from None
            rejected += send(client, url, request_of(spans))
            progress.advance(task, len(part))
    seconds = time.monotonic() - began
    print(f"{len(rows) - rejected:,} rows sent to {url} in {seconds:.1f} s ({len(rows) / max(seconds, 1e-9):,.0f}/s)")
    if rejected:
        print(f"{rejected:,} rows were refused by the collector")
        raise typer.Exit(1)


def _rows(files: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, row) of every line. Raises InputError naming file and line before anything is sent."""
    for path in files:
        try:
            for number, row in jsonl.objects(str(path)):
                yield f"{path}:{number}", row
        except InputError as error:
            raise InputError(f"{error} Nothing was sent.") from error


def _ids(row: Mapping[str, Any], place: str, fresh: random.Random) -> random.Random:
    """Source of the row's ids: the row's own content where it has a time, so that an import can be repeated."""
    if not row.get("ts"):
        return fresh
    name = place.rsplit("/", 1)[-1].encode()
    return random.Random(blake2b(name + orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16).digest())
