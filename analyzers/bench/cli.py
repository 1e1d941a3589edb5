"""`leewatch bench analyzers`: how many chats a second the analyzers score, and what takes the time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analyzers import catalog
from analyzers.bench import keepup as keeping
from analyzers.bench.recorded import Recorded
from analyzers.bench.texts import Writer
from analyzers.bench.throughput import Options, Result, measure
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch import config
from leewatch.contracts import Encoder, Scorer


def analyzers(
    seconds: Annotated[float, typer.Option(min=1, help="Time to score each kind of chat for.")] = 20.0,
    chats: Annotated[int, typer.Option(min=0, help="Most chats of each kind; 0: no limit.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, or a torch device such as cuda:1.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0: as analyzers.threads says.")] = 0,
    batch: Annotated[int, typer.Option(min=0, max=10_000, help="Chats at once; 0: as analyzers.batch_size says.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same chats.")] = 0,
    texts: Annotated[
        list[Path] | None,
        typer.Option(help="JSONL file of chats to measure with, instead of made-up ones; repeatable."),
    ] = None,
    text_field: Annotated[
        str, typer.Option(help="With --texts: read the column `text` as prompt, response or context.")
    ] = "",
    keep_up: Annotated[
        bool, typer.Option("--keep-up", help="Send traffic to an installation instead: lag, samples, estimates.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="With --keep-up: chats a second.")] = 50.0,
    max_lag: Annotated[float, typer.Option(min=0, help="With --keep-up: analyzers.max_lag_seconds.")] = 120.0,
    interval: Annotated[float, typer.Option(min=0.1, help="With --keep-up: analyzers.interval_seconds.")] = 10.0,
    truth: Annotated[
        bool,
        typer.Option(help="With --keep-up: score all calls afterwards, and compare; takes longer than the traffic."),
    ] = True,
    output: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
) -> None:
    """Measure chats/s through the encoder and all built-in scorers, without and with a context; no chat is like another.

    Recorded texts (--texts) are cut to the same lengths.

    With --keep-up: more traffic than can be scored in time, through store, collector and analyzers of its own; exit code 0
    when the lag stayed bounded and the estimates held the truth.
    """
    if keep_up:
        _keep_up(keeping.Options(seconds, rate, max_lag, interval, seed), truth, output)
        return
    section = config.load().section(AnalyzersSection)
    source = Recorded(texts, text_field, seed) if texts else Writer(seed)
    threads = threads or section.threads
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), TextColumn("{task.fields[shown]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("loading models", total=None, shown="")

        def tell(name: str, done: int, rate: float) -> None:
            progress.update(task, description=name, shown=f"{done:,} chats, {rate:,.1f}/s")

        options = Options(seconds, chats, batch or section.batch_size)
        result = measure(lambda: _load(section, device, threads), source, options, _described, threads, tell)
    _report(result, console)
    _write(result.as_dict(), output)


def _keep_up(options: keeping.Options, truth: bool, output: Path | None) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        tell = lambda what, part: progress.update(task, description=what, completed=part)  # noqa: E731
        result = keeping.measure(options, truth, tell)
    _write(result.as_dict(), output)
    if not result.passed:
        raise typer.Exit(1)


def _load(section: AnalyzersSection, device: str, threads: int) -> tuple[Encoder, Sequence[Scorer]]:
    from analyzers.encoder import create_encoder
    from analyzers.runner import limit_threads

    limit_threads(threads)
    builtin = AnalyzersSection(profile=section.profile)
    return create_encoder(section.model, device), catalog.create_all(builtin, Surroundings(None, device))


def _described(encoder: Encoder) -> tuple[str, str]:
    return str(getattr(encoder, "device", "")), str(getattr(encoder, "runtime", ""))


def _report(result: Result, console: Console) -> None:
    for name, case in result.cases.items():
        parts = ", ".join(
            f"{part} {share:.0%}" for part, share in sorted(case.share.items(), key=lambda item: -item[1])
        )
        console.print(f"{name}: {case.chats_per_second:,.1f} chats/s ({parts})", highlight=False)


def _write(result: dict[str, Any], output: Path | None) -> None:
    text = json.dumps(result, indent=2)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")
    typer.echo(text)
