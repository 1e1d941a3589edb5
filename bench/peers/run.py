"""Stored spans/s of Leewatch and of other tracing servers from PyPI: same spans, same sender, same machine, one run.

    python bench/peers/run.py --seconds 30 --drain 60 --environments DIR --output bench/results/peers.json

Each peer is installed into an environment of its own below DIR (there it stays for the next run) and started with its defaults:
its own SQLite database, one process; Leewatch with its defaults too, store and collector. Each gets the same load for the same
time, then some time without load to work off what it acked. What counts is what stands in its database, not what it acked:
rows at the end of the load, and at the end of the drain. Servers that store less than they ack are still behind then.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from collector.bench.processes import Installation, free_ports
from collector.bench.sender import Plan, Sent, run
from leewatch.storage.client import connect

STARTUP_SECONDS = 180.0
LOOK_SECONDS = 1.0
SPANS_PER_REQUEST = 512
IN_FLIGHT = 4


@dataclass(frozen=True)
class Peer:
    """A server: its distribution, its command (with {port} and {directory}), and where its spans stand."""

    name: str
    distribution: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    database: str
    health: str
    headers: tuple[tuple[str, str], ...] = ()


PEERS = (
    Peer(
        "phoenix",
        "arize-phoenix",
        ("phoenix", "serve"),
        {
            "PHOENIX_WORKING_DIR": "{directory}",
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": "{port}",
            "PHOENIX_GRPC_PORT": "{second_port}",
            "PHOENIX_TELEMETRY_ENABLED": "false",
        },
        "phoenix.db",
        "/healthz",
    ),
    Peer(
        "mlflow",
        "mlflow",
        (
            *("mlflow", "server", "--host", "127.0.0.1", "--port", "{port}"),
            *(
                "--backend-store-uri",
                "sqlite:///{directory}/mlflow.db",
                "--default-artifact-root",
                "{directory}/artifacts",
            ),
        ),
        {"MLFLOW_DISABLE_TELEMETRY": "true"},
        "mlflow.db",
        "/health",
        (("x-mlflow-experiment-id", "0"),),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What one server did. acked: spans it answered with success, in `load_seconds`.

    stored_at_end: rows in its database when the load ended; stored: after the drain too, which took `drain_seconds`, less than
    the time allowed where nothing was left. stored_per_second: `stored` over load and drain together.
    """

    name: str
    version: str
    acked: int
    failures: int
    load_seconds: float
    stored_at_end: int
    stored: int
    drain_seconds: float
    stored_per_second: float


def main() -> None:
    """Runs all and writes the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="time to send for, to each")
    parser.add_argument("--drain", type=float, default=60.0, help="most seconds without load before the last count")
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "leewatch-peers")
    parser.add_argument("--output", type=Path, default=Path("bench/results/peers.json"))
    options = parser.parse_args()
    pythons = {peer.name: _installed(peer, options.environments) for peer in PEERS}
    load_before = os.getloadavg()[0]
    outcomes = [
        _leewatch(options.seconds, options.drain),
        *(_peer(peer, pythons[peer.name], options.seconds, options.drain) for peer in PEERS),
    ]
    ours = outcomes[0].stored_per_second
    report = {
        "spans_per_request": SPANS_PER_REQUEST,
        "in_flight": IN_FLIGHT,
        "transport": "http",
        "cores": os.cpu_count(),
        "load_average_before": round(load_before, 2),
        "servers": [asdict(outcome) for outcome in outcomes],
        "times_more_stored": {
            outcome.name: round(ours / outcome.stored_per_second, 1)
            for outcome in outcomes[1:]
            if outcome.stored_per_second
        },
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def _leewatch(seconds: float, drain: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="peer-leewatch-") as name:
        running = Installation(Path(name) / "data")
        try:
            for role in ("store", "collector"):
                running.start(role)
            return _loaded(
                "leewatch", version("leewatch"), Load(running.http_url), seconds, drain, lambda: _ours(running)
            )
        finally:
            running.close()


def _ours(running: Installation) -> int:
    client = connect(running.settings)
    try:
        return int(client.query("SELECT count() FROM llm_spans").result_rows[0][0])
    finally:
        client.close()


def _peer(peer: Peer, python: Path, seconds: float, drain: float) -> Outcome:
    found = subprocess.run(
        [python, "-c", f"from importlib.metadata import version; print(version({peer.distribution!r}))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory(prefix=f"peer-{peer.name}-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        with _serving(peer, python, directory) as url:
            database = directory / peer.database
            return _loaded(peer.name, found, Load(url, peer.headers), seconds, drain, lambda: _count(database))


@dataclass(frozen=True)
class Load:
    """Where the spans go."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()


def _loaded(name: str, found: str, load: Load, seconds: float, drain: float, count: Callable[[], int]) -> Outcome:
    started = time.monotonic()
    sent = _send(Plan(load.url, True, seconds, SPANS_PER_REQUEST, IN_FLIGHT, 0, headers=load.headers))
    at_end, loaded = count(), time.monotonic()
    stored = at_end
    while stored < sent.spans and time.monotonic() < loaded + drain:
        time.sleep(LOOK_SECONDS)
        stored = count()
    ended = time.monotonic()
    rate = round(stored / (ended - started), 1)
    print(f"{name} {found}: {stored} of {sent.spans} acked spans stored, {rate}/s", file=sys.stderr)
    return Outcome(
        name,
        found,
        sent.spans,
        sent.failures,
        round(loaded - started, 1),
        at_end,
        stored,
        round(ended - loaded, 1),
        rate,
    )


def _installed(peer: Peer, environments: Path) -> Path:
    home = environments / peer.name
    python = home / "bin" / "python"
    if not (home / "bin" / peer.command[0]).exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", peer.distribution], check=True)
    return python


@contextmanager
def _serving(peer: Peer, python: Path, directory: Path) -> Any:
    port, second_port = free_ports(2)
    values = {"port": port, "second_port": second_port, "directory": directory}
    command = [part.format(**values) for part in peer.command]
    environment = {name: value.format(**values) for name, value in peer.environment.items()}
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [python.with_name(command[0]), *command[1:]],
            env={**os.environ, **environment, "PATH": f"{python.parent}:{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _await_health(peer, url, process, directory)
            yield url
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _await_health(peer: Peer, url: str, process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url + peer.health, timeout=2, trust_env=False).status_code == 200:
                return
        time.sleep(0.5)
    tail = (directory / "server.log").read_text(errors="replace")[-2000:]
    raise SystemExit(f"{peer.name} did not answer {peer.health} within {STARTUP_SECONDS:.0f} s:\n{tail}")


def _send(plan: Plan) -> Sent:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=run, args=(plan, theirs), daemon=True)
    process.start()
    try:
        ours.recv()
        ours.send("go")
        sent: Sent = ours.recv()
        process.join()
        return sent
    finally:
        process.kill()


def _count(database: Path) -> int:
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
        try:
            return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return 0  # not made yet, or locked for longer than that: the next look tells


if __name__ == "__main__":
    main()
