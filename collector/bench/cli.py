"""`leewatch bench ingest|crash|fuzz|soak`: reproducible measurements, JSON out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn

from collector.bench import crash as crash_bench
from collector.bench.fuzz import run as fuzzing
from collector.bench.fuzz.result import Result as FuzzResult
from collector.bench.ingest import Options, Result, measure
from collector.bench.load import SPAN_BYTES
from collector.bench.soak import run as soaking

RECORDED = Path("tests/data/recorded")


def ingest(
    seconds: Annotated[float, typer.Option(min=1, help="Time to send for.")] = 20.0,
    http: Annotated[bool, typer.Option("--http", help="Send over OTLP/HTTP; else over gRPC.")] = False,
    spans: Annotated[int, typer.Option(min=1, max=20000, help="Spans of each request.")] = 512,
    senders: Annotated[int, typer.Option(min=1, max=64, help="Client processes.")] = 1,
    in_flight: Annotated[int, typer.Option(min=1, max=256, help="Unanswered requests of each client.")] = 4,
    rate: Annotated[float, typer.Option(min=0, help="Spans to send a second; 0: as many as are taken.")] = 0.0,
    span_bytes: Annotated[int, typer.Option(min=700, help="About the size of a span.")] = SPAN_BYTES,
    output: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
) -> None:
    """Measure spans/s from OTLP to queryable llm_spans, with a store and a collector of its own."""
    with _progress(TextColumn("{task.completed:,.0f} of {task.total:,.0f} acked spans queryable")) as progress:
        task = progress.add_task("ingest", total=1)
        result = measure(
            Options(seconds, http, spans, senders, in_flight, rate=rate, span_bytes=span_bytes),
            lambda acked, queryable: progress.update(task, total=max(acked, 1), completed=queryable),
        )
    _report(result, Console(stderr=True))
    _write(result.as_dict(), output)


def crash(
    kills: Annotated[int, typer.Option(min=1, help="How often a process is killed with SIGKILL.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the plan: who is killed, when, at which instant.")] = 1,
    check_every: Annotated[int, typer.Option(min=1, help="Kills after which every span is compared.")] = 10,
    output: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
) -> None:
    """Kill collector and store under load; exit code 0 when every acked span is stored exactly once."""
    with _progress(MofNCompleteColumn()) as progress:
        task = progress.add_task("kills", total=kills)

        def tell(done: int, acked: int) -> None:
            progress.update(task, completed=done, description=f"kills ({acked:,} spans acked)")

        result = crash_bench.measure(kills, seed, check_every, tell)
    _judge(result.passed, result.as_dict(), output)


def fuzz(
    bodies: Annotated[int, typer.Option(min=1, help="Requests in all.")] = 1_000_000,
    stored: Annotated[int, typer.Option(min=0, help="How many of them go through a collector into a store.")] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same requests.")] = 1,
    case: Annotated[
        int | None, typer.Option(min=0, help="Write the body of this case to standard output, and end.")
    ] = None,
    recorded: Annotated[Path | None, typer.Option(help="Directory of recorded requests to mutate, too.")] = RECORDED,
    output: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
) -> None:
    """Send hostile requests and broken connections; exit code 0 when all were answered rightly and what was taken is stored."""
    directory = recorded if recorded is not None and recorded.is_dir() else None
    if case is not None:
        typer.get_binary_stream("stdout").write(fuzzing.case(seed, case, directory).body)
        return
    with _progress(MofNCompleteColumn()) as progress:
        task = progress.add_task("requests", total=bodies)

        def tell(part: str, done: int) -> None:
            total = stored if part == "collector and store" else bodies - stored
            progress.update(task, completed=done, total=total, description=part)

        def keep(result: FuzzResult) -> None:
            if output is not None:
                _save(result.as_dict(), output)

        result = fuzzing.measure(seed, bodies, min(stored, bodies), directory, tell, keep)
    _judge(result.passed, result.as_dict(), output)


def soak(
    seconds: Annotated[float, typer.Option(min=5, help="Time into which the day is pressed.")] = 720.0,
    spans: Annotated[int, typer.Option(min=1000, help="Of the day; logs and data points come with them.")] = 1_700_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same day.")] = 1,
    recorded: Annotated[Path | None, typer.Option(help="Directory of recorded requests to send, too.")] = RECORDED,
    output: Annotated[Path | None, typer.Option(help="File for the result as JSON.")] = None,
) -> None:
    """Send a day of traffic in some minutes; exit code 0 when memory, parts, files and threads stayed bounded."""
    directory = recorded if recorded is not None and recorded.is_dir() else None
    with _progress(TextColumn("{task.percentage:>3.0f} %")) as progress:
        task = progress.add_task("day", total=1.0)

        def tell(part: float, sent: int) -> None:
            progress.update(task, completed=part, description=f"day ({sent:,} spans)")

        result = soaking.measure(seconds, spans, seed, directory, tell)
    _judge(result.passed, result.as_dict(), output)


def _progress(count: ProgressColumn) -> Progress:
    """A bar on standard error that goes when it is done. count: how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _judge(passed: bool, result: dict[str, Any], output: Path | None) -> None:
    _write(result, output)
    if not passed:
        raise typer.Exit(1)


def _write(result: dict[str, Any], output: Path | None) -> None:
    if output is not None:
        _save(result, output)
    typer.echo(json.dumps(result, indent=2))


def _save(result: dict[str, Any], output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _report(result: Result, console: Console) -> None:
    console.print(
        f"{result.spans_per_second:,.0f} spans/s ({result.megabytes_per_second} MB/s) sustained "
        f"({result.spans:,} spans of {result.bytes_per_span:,.0f} bytes, {result.transport}), "
        f"ack p50 {result.ack_ms['p50']} ms, p99 {result.ack_ms['p99']} ms, "
        f"on {result.cores} cores at load {result.load_average_before} before"
    )
