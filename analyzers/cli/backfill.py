"""`leewatch backfill`: scores now what analyzers have not looked at yet, with a progress bar."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.filling import Backfill
from analyzers.scorers.custom.common import Surroundings
from analyzers.store import EMBEDDINGS, AnalyzerStore
from leewatch import config, stopping
from leewatch.cli.query import parse_time
from leewatch.config import Settings
from leewatch.errors import InputError
from leewatch.locking import exclusive
from leewatch.storage import client

LOCK = "backfill.lock"


def backfill(
    since: Annotated[str, typer.Option(help="Received since: ISO time, or an age such as 7d.")],
    until: Annotated[str, typer.Option(help="Received before: ISO time or age; unset: now.")] = "",
    scores: Annotated[
        str, typer.Option(help="Comma-separated scorers, and `embeddings`; unset: all.", metavar="NAMES")
    ] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda; unset: as analyzers.device says.")] = "",
) -> None:
    """Score now the LLM calls that have no scores yet: left out of a sample, imported, or older than a new scorer.

    Runs beside the role `analyzers`, here or on another machine. Killed at any moment, run it again.
    """
    settings = config.load()
    first, end = parse_time(since), parse_time(until) if until else datetime.now(UTC)
    if first >= end:
        raise InputError(f"--since {since} lies after --until {until or 'now'}")
    names = chosen(scores, settings.section(AnalyzersSection))
    with _alone(settings):
        store = AnalyzerStore(client.connect(settings))
        run = _create(settings, names, device)
        _show(run, store, first, end)


def chosen(scores: str, section: AnalyzersSection) -> tuple[str, ...]:
    """The named analyzers; () for all. Raises InputError, listing what there is, for an unknown one."""
    names = tuple(dict.fromkeys(name.strip() for name in scores.split(",") if name.strip()))
    known = [*catalog.names(section), EMBEDDINGS]
    for name in names:
        if name not in known:
            raise InputError(f"--scores names {name!r}, which is no scorer. Known: {', '.join(known)}.")
    return names


def _create(settings: Settings, names: Sequence[str], device: str) -> Backfill:
    from analyzers.encoder import create_encoder
    from analyzers.runner import limit_threads

    section = settings.section(AnalyzersSection)
    device = device or section.device
    limit_threads(section.threads)
    encoder = create_encoder(section.model, device)
    scorers = catalog.create_all(section, Surroundings(settings.data, device))
    scorers = [scorer for scorer in scorers if not names or scorer.name in names]
    return Backfill(section, encoder, scorers, threading.Event(), not names or EMBEDDINGS in names)


def _show(run: Backfill, store: AnalyzerStore, since: datetime, until: datetime) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("calls"))
    console = Console(stderr=True)
    with stopping.on_signals(run.stop.set), Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("looking for calls", total=None)
        for state in run.run(store, since, until):
            progress.update(task, completed=state.seen, total=state.calls, description=state.what)
    done, whole = run.done, run.whole
    print(f"{done:,} calls scored, {whole:,} times that were sampled are complete")
    if run.stop.is_set():
        print("stopped; the same command goes on")
        raise typer.Exit(1)
    if run.left:
        print(f"{run.left:,} calls could not be scored: {run.error or 'they wait for their texts'}")
        raise typer.Exit(1)


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """Raises InputError when another one runs on this data directory."""
    settings.data.mkdir(parents=True, exist_ok=True)
    message = "another `leewatch backfill` runs on this data directory; wait until it ends"
    return exclusive(settings.data / LOCK, InputError(message))
