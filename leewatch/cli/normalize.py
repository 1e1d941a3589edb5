"""`leewatch normalize`: derives LLM spans and content anew from raw telemetry, with the mapping as it is now."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.config import Settings
from leewatch.errors import InputError
from leewatch.locking import exclusive
from leewatch.storage.client import connect
from leewatch.storage.normalize import LATE, Normalization

LOCK = "normalize.lock"


def normalize(
    since: Annotated[str, typer.Option("--since", help="ISO time, or an age such as 7d: the first day, whole.")],
    until: Annotated[str, typer.Option("--until", help="ISO time or age: the last day, whole; unset: now.")] = "",
) -> None:
    """Derive LLM spans and their content anew from raw telemetry, day by day, with the mapping as it is now.

    Scores, embeddings and everything else stay. What comes in meanwhile is not lost. Killed at any moment, run it again.
    """
    settings = config.load()
    first = parse_time(since).replace(hour=0, minute=0, second=0, microsecond=0)
    end = (parse_time(until) if until else datetime.now(UTC)).replace(
        hour=0, minute=0, second=0, microsecond=0
    ) + timedelta(days=1)
    if first >= end:
        raise InputError(f"--since {since} lies after --until {until or 'now'}")
    with _alone(settings), Normalization(lambda name: connect(settings, database=name), settings) as run:
        days = run.days(first, end)
        ready = [day for day in days if not day.expired]
        for day in days:
            if day.expired:
                print(
                    f"{day.day}: left as it is: the raw spans of {day.expired:,} of its LLM spans have expired (storage.raw_days)"
                )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("raw spans"),
            TimeRemainingColumn(),
        )
        began = datetime.now(UTC)
        with Progress(*columns, transient=True, console=Console(stderr=True)) as progress:
            task = progress.add_task("deriving", total=sum(day.rows for day in ready))
            for day in ready:
                progress.update(task, description=str(day.day))
                done = run.derive(day, lambda rows: progress.advance(task, rows))
                progress.console.print(
                    f"{done.day}: {done.before:,} -> {done.after:,} LLM spans from {day.rows:,} spans, "
                    f"content of {done.content:,} changed",
                    highlight=False,
                )
        # An insert that was under way at a swap may have ended after the comparison that followed it.
        late = sum(run.catch_up(day.day, began - LATE) for day in ready)
    print(f"{len(ready)} of {len(days)} days derived anew" + (f", {late:,} late spans added" if late else ""))


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """Raises InputError when another one runs on this data directory."""
    settings.data.mkdir(parents=True, exist_ok=True)
    message = "another `leewatch normalize` runs on this data directory; wait until it ends"
    return exclusive(settings.data / LOCK, InputError(message))
