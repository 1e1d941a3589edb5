"""`leewatch status`: roles, ingest accounting, analyzer lag, active alerts."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Annotated, Any

import httpx
import typer
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table

from leewatch import config, installation, reach
from leewatch.config import Settings
from leewatch.errors import NotRunningError, StoreUnavailableError
from leewatch.storage import queries
from leewatch.storage.client import connect

TIMEOUT_SECONDS = 5.0


def status(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable, see docs.")] = False) -> None:
    """Say how the installation does. Exit code 1 when a role that should answer does not."""
    settings = config.load()
    report = collect(settings)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
    if any(not role["up"] for role in report["roles"].values()):
        raise typer.Exit(1)


def collect(settings: Settings) -> dict[str, Any]:
    """The status report.

    `ingest` is null while the collector does not answer; `analyzers` and `alerts` are empty and `orphaned_logs` is null
    without a store. `orphaned_logs`: log records of LLM calls, of the last hour, whose span has not come in
    `collector.orphaned_after_seconds`.

    Raises NotRunningError when nothing at all runs on the data directory and no server is configured.
    """
    roles = _roles(settings)
    pages = reach.pages(settings.collector)
    accounting = _get_json(f"{pages.url}/accounting", pages.verify)
    roles.setdefault("collector", {"up": accounting is not None})["up"] = accounting is not None
    analyzers, alerts, orphans, store_up = _from_store(settings)
    roles.setdefault("store", {"up": store_up})["up"] = store_up
    if not any(role["up"] for role in roles.values()):
        raise NotRunningError(
            f"nothing runs on {settings.data}: start it with `leewatch up`, or pass the right --data DIR"
        )
    return {"ingest": accounting, "roles": roles, "analyzers": analyzers, "alerts": alerts, "orphaned_logs": orphans}


def _roles(settings: Settings) -> dict[str, dict[str, Any]]:
    return {
        name: {"up": True, "pid": role.pid, **role.listening}
        for name, role in installation.running(settings.data).items()
    }


def _get_json(url: str, verify: ssl.SSLContext | bool) -> Any:
    try:
        response = httpx.get(url, timeout=TIMEOUT_SECONDS, verify=verify)
        return response.json() if response.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        return None


def _from_store(settings: Settings) -> tuple[dict[str, Any], list[dict[str, Any]], int | None, bool]:
    sql = queries.load("status")
    try:
        client = connect(settings, send_receive_timeout=TIMEOUT_SECONDS)
        progress = client.query(sql["progress"]).named_results()
        analyzers = {
            row["name"]: {
                "lag_seconds": row["lag_seconds"],
                "sampling": row["sampling"],
                "backlog": row["backlog"],
                "error": row["error"],
            }
            for row in progress
        }
        wait = {"wait": settings.collector.orphaned_after_seconds}
        orphans = int(client.query(sql["orphans"], parameters=wait).result_rows[0][0])
        alerts = [
            {**row, "since": row["since"].isoformat()} for row in client.query(sql["active_alerts"]).named_results()
        ]
    except (StoreUnavailableError, NotRunningError, ClickHouseError):
        return {}, [], None, False
    return analyzers, alerts, orphans, True


def _accounts(ingest: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The account of spans, and those of the other signals that were ever received."""
    others = [("log records", ingest.get("logs") or {}), ("data points", ingest.get("metrics") or {})]
    return [("spans", ingest), *((what, account) for what, account in others if account.get("received"))]


def _print(report: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    roles = Table("role", "state", "pid", box=None)
    for name, role in sorted(report["roles"].items()):
        roles.add_row(name, "[green]up[/green]" if role["up"] else "[red]down[/red]", str(role.get("pid", "")))
    console.print(roles)
    if report["ingest"]:
        console.print()
        for what, account in _accounts(report["ingest"]):
            console.print(f"{what}: " + "  ".join(f"{k} {v:,}" for k, v in account.items() if isinstance(v, int)))
    if report["orphaned_logs"]:
        console.print(f"log records whose span has not come: {report['orphaned_logs']:,}")
    analyzers = Table("analyzer", "lag", "backlog", "sampling", "error", box=None)
    for name, state in report["analyzers"].items():
        analyzers.add_row(
            name, f"{state['lag_seconds']:.0f} s", f"{state['backlog']:,}", f"{state['sampling']:.0%}", state["error"]
        )
    console.print(analyzers)
    for alert in report["alerts"]:
        console.print(
            f"[bold]{alert['state']}[/bold] {alert['severity']} {alert['title']} since {alert['since']}  {alert['url']}"
        )
    if not report["alerts"]:
        console.print("no active alerts")
