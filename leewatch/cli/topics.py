"""`leewatch topics`: what a service is asked about, and what each topic costs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.client import Client
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.errors import InputError
from leewatch.storage import queries
from leewatch.storage.client import connect

SCORES = {"prompt_toxicity": "toxic prompts", "response_toxicity": "toxic answers", "hallucination": "hallucinated"}
WIDTH = 150
"""Columns where the output is no terminal."""


def topics(
    since: Annotated[str, typer.Option(help="ISO time, or an age such as 7d, 12h")] = "24h",
    until: Annotated[str, typer.Option(help="ISO time or age; default: now")] = "",
    project: Annotated[str, typer.Option(help="of one project")] = "",
    service: Annotated[str, typer.Option(help="of one service")] = "",
    model: Annotated[str, typer.Option(help="calls of one model")] = "",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="score from which a call counts as bad")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """List the topics of each service: share of the calls and its change, cost, latency, errors, toxicity, hallucination."""
    start, end = parse_time(since), parse_time(until) if until else datetime.now(UTC)
    if start >= end:
        raise InputError(f"--since {since!r} is not before --until {until or 'now'!r}.")
    client = connect(config.load())
    try:
        report = collect(client, start, end, project, service, model, threshold)
    finally:
        client.close()
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        show(report, Console(highlight=False))


def collect(
    client: Client, start: datetime, end: datetime, project: str, service: str, model: str, threshold: float
) -> dict[str, Any]:
    """The topics of the window [start, end) with their figures, and the services that have too few prompts for any."""
    sql = queries.load("topics")
    there = {
        "start": int(start.timestamp() * 1000), "end": int(end.timestamp() * 1000), "project": project, "service": service,
    }  # fmt: skip
    rows = client.query(sql["topic_figures"], parameters={**there, "model": model, "threshold": threshold})
    waiting = client.query(sql["topic_waiting"], parameters=there)
    return {
        "since": start.isoformat(),
        "until": end.isoformat(),
        "threshold": threshold,
        "topics": [{**row, "first_seen": _seen(row)} for row in rows.named_results()],
        "without_topics": list(waiting.named_results()),
    }


def _seen(row: Mapping[str, Any]) -> str | None:
    return row["first_seen"].replace(tzinfo=UTC).isoformat() if row["topic_id"] else None


def show(report: Mapping[str, Any], console: Console) -> None:
    """Prints the topics for a person, service by service."""
    if not console.is_terminal:
        console.width = WIDTH
    for (project, service), rows in itertools.groupby(report["topics"], lambda row: (row["project"], row["service"])):
        console.print(_table(service if project == "default" else f"{project} / {service}", list(rows)))
    for row in report["without_topics"]:
        console.print(f"{row['service']}: {row['prompts']:,} embedded prompts, too few for topics", markup=False)
    if not report["topics"] and not report["without_topics"]:
        console.print("no embedded prompts in this time; `leewatch status` says how far the analyzers are")


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        "id", "topic", "calls", "share", "before", "cost", "p95", "errors", *SCORES.values(), title=title,
        title_justify="left", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for column in [table.columns[0], *table.columns[2:]]:
        column.justify = "right"
    for row in rows:
        name = (row["label"] or "no topic") + (" (retired)" if row["retired"] else "")
        table.add_row(
            str(row["topic_id"] or ""), escape(name), f"{row['calls']:,.0f}", _percent(row["share"]),
            _percent(row["share_before"]), f"${row['cost']:,.4f}" if row["priced"] else "-",
            "-" if row["p95"] is None else f"{row['p95'] / 1000:,.2f} s", _percent(row["error_rate"]),
            *(_percent(row[f"{name}_rate"]) for name in SCORES),
        )  # fmt: skip
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
