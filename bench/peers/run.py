"""Stored spans/s of Leewatch and of other tracing servers from PyPI: same spans, same sender, same machine, one run.

    python bench/peers/run.py --seconds 20 --output bench/results/peers.json

Each peer is installed into an environment of its own (`--environments DIR`; there it stays for the next run) and started with
its defaults: its own SQLite database, one process. What counts is what stands in its database in the end, not what it acked.
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
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from collector.bench.ingest import Options, measure
from collector.bench.processes import free_ports
from collector.bench.sender import Plan, Sent, run

STARTUP_SECONDS = 180.0
IDLE_SECONDS = 15.0
"""A peer whose count has not grown for so long has stored what it will store."""
LONGEST_DRAIN_SECONDS = 600.0
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
    """What one server did. stored_per_second: rows in its database, from the first send until the last came."""

    name: str
    version: str
    sent: int
    stored: int
    failures: int
    stored_per_second: float


def main() -> None:
    """Runs all and writes the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="time to send for, to each")
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "leewatch-peers")
    parser.add_argument("--output", type=Path, default=Path("bench/results/peers.json"))
    options = parser.parse_args()
    outcomes = [_peer(peer, options.seconds, options.environments) for peer in PEERS]
    result = measure(Options(options.seconds, http=True, spans_per_request=SPANS_PER_REQUEST), lambda *_: None)
    ours = Outcome("leewatch", "", result.spans, result.spans, result.failures, result.spans_per_second)
    report = {
        "seconds": options.seconds,
        "spans_per_request": SPANS_PER_REQUEST,
        "transport": "http",
        "servers": [asdict(outcome) for outcome in (ours, *outcomes)],
        "times_faster": {
            outcome.name: round(ours.stored_per_second / outcome.stored_per_second, 1)
            for outcome in outcomes
            if outcome.stored_per_second
        },
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def _peer(peer: Peer, seconds: float, environments: Path) -> Outcome:
    python = _installed(peer, environments)
    with tempfile.TemporaryDirectory(prefix=f"peer-{peer.name}-") as name:
        directory = Path(name)
        with _serving(peer, python, directory) as url:
            database = directory / peer.database
            started = time.monotonic()
            sent = _send(Plan(url, True, seconds, SPANS_PER_REQUEST, IN_FLIGHT, 0, headers=peer.headers))
            stored, last = _drained(database, started)
    version = subprocess.run(
        [python, "-c", f"from importlib.metadata import version; print(version({peer.distribution!r}))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    rate = round(stored / max(last - started, 1e-9), 1)
    print(f"{peer.name} {version}: {stored} of {sent.spans} acked spans stored, {rate}/s", file=sys.stderr)
    return Outcome(peer.name, version, sent.spans, stored, sent.failures, rate)


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
    ours.recv()
    ours.send("go")
    sent: Sent = ours.recv()
    process.join()
    return sent


def _drained(database: Path, started: float) -> tuple[int, float]:
    """(rows, moment of the last new one), once no more come."""
    count, last = 0, started
    while time.monotonic() < min(last + IDLE_SECONDS, started + LONGEST_DRAIN_SECONDS) or not count:
        now = _count(database)
        if now > count:
            count, last = now, time.monotonic()
        if time.monotonic() > started + LONGEST_DRAIN_SECONDS:
            break
        time.sleep(0.5)
    return count, last


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
