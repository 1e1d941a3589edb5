"""`leewatch dead-letters`: what was refused, why, and how to store it after all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from collector.database import DatabaseError
from collector.faults import Fault
from collector.letters import EVER, DeadLetter, Letters, Selection
from collector.validate import parse
from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.errors import InputError, StoreUnavailableError

app = typer.Typer(
    add_completion=False, help="What the database refused: see it, store it again, drop it.", no_args_is_help=True
)

SignalOption = Annotated[str, typer.Option(help="traces, logs or metrics.")]
KindOption = Annotated[str, typer.Option(help="refused or derivation.")]
ProjectOption = Annotated[str, typer.Option(help="Only of this project.")]
SinceOption = Annotated[str, typer.Option(help="ISO time, or an age such as 7d, 12h, 30m.")]
ReasonOption = Annotated[str, typer.Option(help="Text that stands in the reason.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable, see docs.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings, as `list` prints them.")]


@app.command("list")
def list_letters(
    signal: SignalOption = "",
    kind: KindOption = "",
    project: ProjectOption = "",
    since: SinceOption = "",
    reason: ReasonOption = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those replayed.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, newest first."""
    with _letters() as letters:
        found = letters.select(_selection(signal, kind, project, since, reason, everything), limit)
    if as_json:
        typer.echo(json.dumps([asdict(letter) for letter in found], indent=2))
    elif not found:
        typer.echo("no dead letters")
    else:
        Console().print(_table(found))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Id, or its beginning.")],
    content: Annotated[bool, typer.Option("--content", help="With the spans themselves, prompts included.")] = False,
    output: Annotated[Path | None, typer.Option(help="File for the OTLP request as protobuf.")] = None,
) -> None:
    """Show one dead letter as JSON. Without --content no text of a span is printed."""
    with _letters() as letters:
        letter = letters.named(name)
        body = letters.body(letter)
    told: dict[str, Any] = {**asdict(letter), "bytes": len(body)}
    if content:
        told["otlp"] = MessageToDict(parse(letter.signal, body))
    if output is not None:
        output.write_bytes(body)
    typer.echo(json.dumps(told, indent=2))


@app.command()
def replay(
    names: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All that fit the options below.")] = False,
    signal: SignalOption = "",
    kind: KindOption = "",
    project: ProjectOption = "",
    since: SinceOption = "",
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Store dead letters after all, each exactly once. Exit code 1 when some are refused again."""
    outcomes = {"replayed": 0, "already stored": 0}
    failed: list[dict[str, str]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _letters() as letters:
        chosen = _chosen(letters, names, everything, _selection(signal, kind, project, since, reason, False))
        with Progress(*columns, transient=True, console=Console(stderr=True)) as progress:
            for letter in progress.track(chosen, description="replaying"):
                try:
                    outcomes[letters.replay(letter)] += 1
                except DatabaseError as error:
                    if error.fault is Fault.UNAVAILABLE:
                        raise StoreUnavailableError(
                            f"{error}. {sum(outcomes.values())} of {len(chosen)} are done; run it again for the rest."
                        ) from None
                    failed.append({"id": letter.id, "reason": str(error)})
    if as_json:
        told = {"replayed": outcomes["replayed"], "already_stored": outcomes["already stored"], "failed": failed}
        typer.echo(json.dumps(told, indent=2))
    else:
        typer.echo(
            f"{outcomes['replayed']} replayed, {outcomes['already stored']} were stored already, {len(failed)} refused again"
        )
        for failure in failed:
            typer.echo(f"{failure['id']}: {failure['reason']}")
    if failed:
        raise typer.Exit(1)


@app.command()
def drop(
    names: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="All that fit the options below.")] = False,
    signal: SignalOption = "",
    kind: KindOption = "",
    project: ProjectOption = "",
    since: SinceOption = "",
    reason: ReasonOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete dead letters with their content, for good."""
    with _letters() as letters:
        chosen = _chosen(letters, names, everything, _selection(signal, kind, project, since, reason, True))
        if chosen and not yes:
            typer.confirm(
                f"Delete {len(chosen)} dead letter(s) of {sum(one.spans for one in chosen)} item(s) for good?",
                abort=True,
            )
        letters.drop(chosen)
    typer.echo(f"{len(chosen)} dropped")


@contextmanager
def _letters() -> Iterator[Letters]:
    letters = Letters(config.load())
    try:
        yield letters
    finally:
        letters.close()


def _selection(signal: str, kind: str, project: str, since: str, reason: str, done: bool) -> Selection:
    for given, option, known in (
        (signal, "--signal", ("traces", "logs", "metrics")),
        (kind, "--kind", ("refused", "derivation")),
    ):
        if given and given not in known:
            raise InputError(f"{option} {given!r}: expected one of {', '.join(known)}")
    start = parse_time(since).strftime("%Y-%m-%d %H:%M:%S") if since else EVER
    return Selection(signal, kind, project, start, reason, done)


def _chosen(letters: Letters, names: list[str] | None, everything: bool, selection: Selection) -> list[DeadLetter]:
    if bool(names) == everything:
        raise InputError("name dead letters, or pass --all; see `leewatch dead-letters list`")
    if everything:
        return letters.select(selection)
    return list({letter.id: letter for letter in map(letters.named, names or [])}.values())


def _table(found: list[DeadLetter]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("id", "at (UTC)", "signal", "kind", "project", "items", "done", "reason"):
        table.add_column(heading, overflow="ellipsis", no_wrap=True, ratio=1 if heading == "reason" else None)
    for one in found:
        kind = f"{one.kind}: {one.derived}" if one.derived else one.kind
        table.add_row(one.short, one.at[:19], one.signal, kind, one.project, str(one.spans), one.action, one.reason)
    return table
