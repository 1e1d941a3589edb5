"""`leewatch doctor`: checks what an installation needs, and says how to mend what it lacks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console

from leewatch import config, installation
from leewatch.config import Settings
from leewatch.errors import NotRunningError, StoreUnavailableError
from leewatch.storage import migrate
from leewatch.storage.client import TOKEN_FILE, connect
from leewatch.storage.embedded import confine

State = Literal["ok", "warning", "failed"]
OLDEST_ENGINE = (26, 2)
"""First version whose defaults keep repeated inserts exactly-once through views."""
SPARE_DISK_MB = 1024
"""Free disk beyond a full spool below which merges and spilled queries run short."""
CLOCK_SECONDS = (2.0, 60.0)
"""Difference to the database's clock that is worth a warning, and that spoils windows and lateness."""
PARTS = (300, 1000)
"""Active parts of one partition worth a warning; from 1000 on ClickHouse delays inserts."""
TIMEOUT_SECONDS = 10.0
_PORTS = {"store": ("port",), "collector": ("grpc_port", "http_port"), "dashboard": ("port",)}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. detail: what was seen, and for a fault what to do."""

    name: str
    state: State
    detail: str


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False) -> None:
    """Check ports, data directory, disk, database and clock. Exit code 1 when something must be mended."""
    checks = list(examine(config.load()))
    if as_json:
        print(json.dumps({"healthy": healthy(checks), "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        colours = {"ok": "green", "warning": "yellow", "failed": "red"}
        for check in checks:
            console.print(f"[{colours[check.state]}]{check.state:<8}[/] {check.name:<15} ", end="")
            console.print(check.detail, markup=False)
    if not healthy(checks):
        raise typer.Exit(1)


def healthy(checks: list[Check]) -> bool:
    """Whether nothing must be mended; warnings are no fault."""
    return all(check.state != "failed" for check in checks)


def examine(settings: Settings) -> Iterator[Check]:
    """All checks, in the order in which faults should be mended."""
    yield data_directory(settings.data)
    yield token(settings)
    yield disk(settings)
    yield fence(settings)
    yield from ports(settings)
    yield from database(settings)


def data_directory(data: Path) -> Check:
    """Whether it, or the directory it will be created in, can be written."""
    place = next(path for path in (data, *data.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return Check("data", "failed", f"{place} cannot be written by this user: chown it, or pass another --data DIR")
    return Check("data", "ok", f"{data} can be written" if place == data else f"{data} will be created")


def token(settings: Settings) -> Check:
    """Whether only the owner can read the embedded store's token."""
    path = settings.data / TOKEN_FILE
    if settings.storage.dsn is not None or not path.exists():
        return Check("token", "ok", "none needed yet" if settings.storage.dsn is None else "storage.dsn names a server")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check("token", "failed", f"{path} has mode {mode:04o}: others can read it. Run: chmod 600 {path}")
    return Check("token", "ok", f"{path} is readable by its owner only")


def disk(settings: Settings) -> Check:
    """Whether a full spool still fits."""
    place = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free, wanted = shutil.disk_usage(place).free >> 20, settings.collector.max_spool_mb
    detail = f"{free} MB free, the spool may take {wanted} MB"
    if free < wanted:
        return Check("disk", "failed", f"{detail}: free some, or lower collector.max_spool_mb")
    return Check("disk", "warning" if free < wanted + SPARE_DISK_MB else "ok", detail)


def fence(settings: Settings) -> Check:
    """Whether the kernel can keep the embedded store from files and hosts."""
    if settings.storage.dsn is not None or settings.store.confine == "off":
        return Check("fence", "ok", "not used")
    found = confine.available()
    if found.files and found.network:
        return Check("fence", "ok", "the kernel confines the store (Landlock)")
    state: State = "failed" if settings.store.confine == "require" else "warning"
    return Check(
        "fence", state, "no Landlock for files and TCP here (Linux 6.7): grants and checks of the SQL stand alone"
    )


def ports(settings: Settings) -> Iterator[Check]:
    """For each port: it answers for the role that runs, or it is free."""
    running = installation.running(settings.data)
    for role, keys in _PORTS.items():
        if role == "store" and settings.storage.dsn is not None:
            continue
        for key in keys:
            section = settings.sections[role]
            yield _port(f"{role}.{key}", getattr(section, "host", ""), getattr(section, key), role in running)


def _port(name: str, host: str, port: int, running: bool) -> Check:
    if running:
        try:
            with socket.create_connection((_reachable(host), port), TIMEOUT_SECONDS):
                return Check(name, "ok", f"answers on {host}:{port}")
        except OSError as error:
            return Check(name, "failed", f"its role runs but does not answer on {host}:{port} ({error}): see its log")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Check(name, "failed", f"{host}:{port} cannot be used ({error.strerror}): set {name} to another port")
    return Check(name, "ok", f"{host}:{port} is free")


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared with, not listened on


def database(settings: Settings) -> Iterator[Check]:
    """Whether the database answers, is new enough, keeps the time, and merges what is written."""
    if settings.storage.dsn is None and "store" not in installation.running(settings.data):
        yield Check("database", "warning", "the embedded store does not run: start it with `leewatch up`")
        return
    try:
        client = connect(settings, connect_timeout=TIMEOUT_SECONDS, send_receive_timeout=TIMEOUT_SECONDS)
    except (StoreUnavailableError, NotRunningError) as error:
        yield Check("database", "failed", str(error))
        return
    try:
        yield engine(str(client.server_version))
        yield clock(_clock_difference(client))
        yield views(migrate.is_current(client, settings))
        yield parts(int(str(client.command(_MOST_PARTS))))
    except ClickHouseError as error:
        yield Check("database", "failed", f"it answers, but refuses queries: {str(error).splitlines()[0]}")
    finally:
        client.close()


_MOST_PARTS = (
    "SELECT max(n) FROM (SELECT count() AS n FROM system.parts WHERE active AND database = currentDatabase() "
    "GROUP BY table, partition_id)"
)


def engine(version: str) -> Check:
    """Whether the engine is one on which inserts are exactly-once."""
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    wanted = ".".join(map(str, OLDEST_ENGINE))
    if found < OLDEST_ENGINE:
        return Check("database", "failed", f"ClickHouse {version} is too old: upgrade it to {wanted} or later")
    return Check("database", "ok", f"ClickHouse {version} answers")


def views(current: bool) -> Check:
    """current: whether the database maps and redacts as this configuration says."""
    if current:
        return Check("views", "ok", "the database maps and redacts as the configuration says")
    remedy = "restart `leewatch up` (on a server: run `leewatch migrate`, restart the collectors)"
    return Check("views", "failed", f"the database was set up with another `mapping`, `redaction` or release: {remedy}")


def clock(seconds: float) -> Check:
    """seconds: of the database's clock minus ours."""
    detail = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's clock"
    if abs(seconds) < CLOCK_SECONDS[0]:
        return Check("clock", "ok", "the database's clock agrees with this machine's")
    state: State = "failed" if abs(seconds) >= CLOCK_SECONDS[1] else "warning"
    return Check("clock", state, f"the database is {detail}: synchronize both (NTP)")


def _clock_difference(client: Client) -> float:
    before = time.time()
    theirs = int(str(client.command("SELECT toUnixTimestamp64Milli(now64(3))"))) / 1000
    return theirs - (before + time.time()) / 2


def parts(most: int) -> Check:
    """most: active parts of the fullest partition of a table."""
    detail = f"at most {most} parts in a partition"
    if most < PARTS[0]:
        return Check("parts", "ok", detail)
    state: State = "failed" if most >= PARTS[1] else "warning"
    return Check("parts", state, f"{detail}: inserts come faster than merges; let collectors send larger batches")
