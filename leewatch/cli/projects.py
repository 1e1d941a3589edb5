"""`leewatch projects`: projects, their API keys and limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table

from leewatch import config, projects
from leewatch.errors import InputError, StoreUnavailableError
from leewatch.storage import queries
from leewatch.storage.client import connect

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Create projects; make, rotate and revoke their API keys."
)
Name = Annotated[str, typer.Argument(help="Project: letters, digits, . _ -; at most 64.")]
Spans = Annotated[float | None, typer.Option("--spans-per-second", min=0.001, help="Spans and log records a second.")]
Bytes = Annotated[float | None, typer.Option("--bytes-per-second", min=1, help="Decompressed bytes a second.")]


@app.command()
def create(name: Name, spans_per_second: Spans = None, bytes_per_second: Bytes = None) -> None:
    """Create a project and its first API key, which is shown this once."""
    if not projects.is_name(name):
        raise InputError(
            f"project {name!r}: expected 1 to {projects.LONGEST_NAME} letters, digits and . _ -, the first a letter or digit"
        )
    with _registry() as registry:
        if name in registry.projects():
            raise InputError(f"project {name!r} exists; `leewatch projects rotate {name}` makes a new key")
        registry.run("put_project", project=name, spans=spans_per_second, bytes=bytes_per_second)
        _show_once(registry.add_key(name), name)


@app.command("list")
def list_projects(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Projects with their limits and the ids of their valid keys."""
    with _registry() as registry:
        found = [{**project, "keys": registry.valid_keys(name)} for name, project in registry.projects().items()]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("project", "spans/s", "bytes/s", "keys", box=None, pad_edge=False)
    for project in found:
        limits = ["" if project[k] is None else f"{project[k]:g}" for k in ("spans_per_second", "bytes_per_second")]
        table.add_row(project["name"], *limits, "\n".join(_told(key) for key in project["keys"]) or "none")
    Console().print(table)


@app.command()
def limit(name: Name, spans_per_second: Spans = None, bytes_per_second: Bytes = None) -> None:
    """Set what a project may send; what is left out is as `collector.limits` says."""
    with _registry() as registry:
        registry.known(name)
        registry.run("put_project", project=name, spans=spans_per_second, bytes=bytes_per_second)
    print(f"project {name}: limits set; collectors follow within seconds")


@app.command()
def rotate(
    name: Name,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=8760, help="How long the keys so far stay valid.")
    ] = 24,
) -> None:
    """Make a new key, which is shown this once; the ones so far end after the overlap."""
    with _registry() as registry:
        registry.known(name)
        registry.run("end_keys", id="", project=name, seconds=int(overlap_hours * 3600))
        _show_once(registry.add_key(name), name)


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="Id of a key, as `leewatch projects list` shows it.")]) -> None:
    """End one key now; collectors refuse it within seconds."""
    identity = projects.id_of(key) or key
    with _registry() as registry:
        if identity not in {known["id"] for known in registry.valid_keys()}:
            raise InputError(f"no valid key has the id {identity!r}; `leewatch projects list` shows them")
        registry.run("end_keys", id=identity, project="", seconds=0)
    print(f"revoked {identity}")


@app.command()
def delete(name: Name) -> None:
    """Delete a project and its keys. Its data stays until it expires."""
    with _registry() as registry:
        registry.known(name)
        registry.run("end_keys", id="", project=name, seconds=0)
        registry.run("delete_project", project=name)
    print(f"deleted project {name} and revoked its keys; its data stays")


@dataclass(frozen=True)
class _Registry:
    """The tables of projects and keys."""

    client: Client

    def projects(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self._rows("projects")}

    def valid_keys(self, project: str = "") -> list[dict[str, Any]]:
        """Valid keys, of one project or of all. Digests stay here."""
        rows = self._rows("keys")
        return [
            {key: row[key] for key in ("id", "project", "created", "ends")}
            for row in rows
            if project in ("", row["project"])
        ]

    def known(self, name: str) -> None:
        if name not in self.projects():
            raise InputError(f"no project {name!r}; `leewatch projects list` shows them")

    def add_key(self, project: str) -> str:
        key = projects.new_key()
        self.run("put_key", id=projects.id_of(key), project=project, digest=projects.digest(key))
        return key

    def run(self, name: str, **parameters: Any) -> None:
        self.client.command(queries.load("projects")[name], parameters=parameters)

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.client.query(queries.load("projects")[name]).named_results()]


@contextmanager
def _registry() -> Iterator[_Registry]:
    client = connect(config.load())
    try:
        yield _Registry(client)
    except ClickHouseError as error:
        raise StoreUnavailableError(f"the database did not do it: {error}") from error
    finally:
        client.close()


def _show_once(key: str, project: str) -> None:
    print(key)
    typer.echo(
        f"The API key of project {project}, shown this once. Senders: OTEL_EXPORTER_OTLP_HEADERS=x-api-key=KEY",
        err=True,
    )


def _told(key: dict[str, Any]) -> str:
    ends = f", ends {datetime.fromtimestamp(key['ends'], UTC):%Y-%m-%d %H:%M} UTC" if key["ends"] else ""
    return f"{key['id']} of {datetime.fromtimestamp(key['created'], UTC):%Y-%m-%d}{ends}"
