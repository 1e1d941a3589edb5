"""`leewatch judge`: what judges spend, and how far they agree with other scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import numpy as np
import typer
from clickhouse_connect.driver.client import Client
from rich.console import Console
from rich.table import Table

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from analyzers.scorers.judge.agreement import Agreement, Estimate, agreement
from analyzers.scorers.judge.ledger import Ledger
from analyzers.scorers.judge.scorer import JudgeOptions
from leewatch import config
from leewatch.cli.query import parse_time
from leewatch.config import Settings
from leewatch.errors import InputError
from leewatch.storage import queries
from leewatch.storage.client import connect

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What judges spend, and how far they agree.")
MOST_PAIRS = 20_000
DEFAULT_THRESHOLD = 0.5


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """What each judge has spent today (UTC), of which budget."""
    settings = config.load()
    judges = {name: JudgeOptions.model_validate(options) for name, options in configured(settings).items()}
    ledger = Ledger(settings.data)
    rows = [
        {"judge": name, "budget_usd": one.budget_usd_per_day, "sampling": one.sampling, **asdict(ledger.spent(name))}
        for name, one in judges.items()
    ]
    ledger.close()
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(
        "judge", "spent, USD", "budget, USD", "sampling", "calls", "cached", "failed", "tokens in", "tokens out"
    )
    for row in rows:
        counts = (str(row[key]) for key in ("calls", "cached", "failed", "input_tokens", "output_tokens"))
        table.add_row(row["judge"], f"{row['usd']:.4f}", f"{row['budget_usd']:g}", f"{row['sampling']:g}", *counts)
    Console().print(table)


@app.command("agreement")
def agree(
    judge: Annotated[
        str, typer.Option(help="address of the judge's score, e.g. response.help; default: the only judge")
    ] = "",
    other: Annotated[
        str, typer.Option("--with", help="address of another score; default: all that its spans have")
    ] = "",
    since: Annotated[str, typer.Option(help="ISO time, or an age such as 7d, 12h")] = "7d",
    judge_threshold: Annotated[float, typer.Option(help="from which the judge flags")] = DEFAULT_THRESHOLD,
    threshold: Annotated[
        float | None, typer.Option(help="from which the other flags; default: the scorer's own")
    ] = None,
    project: Annotated[str, typer.Option(help="of one project")] = "",
    service: Annotated[str, typer.Option(help="of one service")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """How far a judge and other scores flag the same spans: Cohen's kappa and AUROC with 95 % intervals."""
    settings = config.load()
    judge = judge or _only(settings)
    start = parse_time(since)
    client = connect(settings)
    try:
        names = [other] if other else _others(client, judge, start)
        found = {}
        for name in names:
            limits = (judge_threshold, threshold if threshold is not None else shipped_threshold(settings, name))
            one = measured(client, judge, name, start, limits, project, service)
            if one is not None:
                found[name] = one
    finally:
        client.close()
    if not found:
        raise InputError(f"no span since {start:%Y-%m-%d %H:%M} UTC has {judge} and {other or 'another score'}.")
    _print(judge, found, as_json)


def configured(settings: Settings) -> dict[str, dict[str, Any]]:
    """Options of the judges by name."""
    scorers = settings.section(AnalyzersSection).scorers
    return {name: dict(options) for name, options in scorers.items() if options.get("kind") == "judge"}


def measured(
    client: Client, judge: str, other: str, since: datetime, thresholds: tuple[float, float], project: str, service: str
) -> Agreement | None:
    """The agreement of two scores; None when no span has both."""
    parameters = {
        "judge": judge, "other": other, "since": since, "project": project, "service": service, "limit": MOST_PAIRS,
    }  # fmt: skip
    rows = client.query(queries.load("judge")["pairs"], parameters=parameters).result_rows
    if not rows:
        return None
    traces, first, second, weights = zip(*rows, strict=True)
    _, numbers = np.unique(np.array(traces), return_inverse=True)
    values = [np.array(column, dtype=np.float64) for column in (first, second, weights)]
    return agreement(values[0], values[1], values[2], numbers.astype(np.int64), thresholds)


def shipped_threshold(settings: Settings, address: str) -> float:
    """The threshold of the scorer that gives this score, else one half."""
    section, name = settings.section(AnalyzersSection), address.partition(".")[2]
    if name in configured(settings) or name not in catalog.names(section):
        return DEFAULT_THRESHOLD
    scorer = catalog.create(section, name, Surroundings(settings.data, section.device))
    return float(getattr(scorer, "threshold", DEFAULT_THRESHOLD))


def _only(settings: Settings) -> str:
    judges = configured(settings)
    if len(judges) != 1:
        raise InputError(f"name one with --judge FIELD.NAME; configured judges: {', '.join(judges) or 'none'}.")
    [(name, options)] = judges.items()
    return f"{JudgeOptions.model_validate(options).fields[0]}.{name}"


def _others(client: Client, judge: str, since: datetime) -> list[str]:
    rows = client.query(queries.load("judge")["others"], parameters={"judge": judge, "since": since}).result_rows
    return [str(name) for (name,) in rows]


def _print(judge: str, found: dict[str, Agreement], as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"judge": judge, "with": name, **asdict(one)} for name, one in found.items()]))
        return
    table = Table("judge", "with", "spans", "traces", "judge flags", "other flags", "kappa", "AUROC")
    for name, one in found.items():
        shares = (f"{share:.1%}" for share in (one.judged, one.flagged))
        table.add_row(judge, name, str(one.n), str(one.traces), *shares, _shown(one.kappa), _shown(one.auroc))
    Console(width=150).print(table)


def _shown(one: Estimate) -> str:
    if one.value is None:
        return "-"
    return f"{one.value:.2f}" + (f" ({one.low:.2f} to {one.high:.2f})" if one.low is not None else "")
