"""SIGTERM in the middle of work: every role, and all of them under `leewatch up`, ends within 10 s with nothing half-written."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.bench.load import requests
from collector.bench.processes import AT_ONCE, LEEWATCH, Installation, free_ports
from leewatch.installation import running
from leewatch.storage.client import connect
from leewatch.testing.waiting import until

LIMIT_SECONDS = 10.0
RULE = {"name": "errors", "metric": "error_rate", "threshold": 0.05, "window_seconds": 600, "severity": "critical"}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [found for child in children for found in (child, *descendants(child))]


def test_a_whole_installation_ends_in_the_middle_of_scoring_with_nothing_half_written(tmp_path: Path) -> None:
    (dashboard,) = free_ports(1)
    keys = {"DASHBOARD__PORT": dashboard, "ANALYZERS__BATCH_SIZE": 20, "ANALYZERS__INTERVAL_SECONDS": 1}
    installed = Installation(tmp_path / "data", {**AT_ONCE, **keys, "ANALYZERS__THREADS": 1})
    installed.data.mkdir()
    environment = {**installed._outside(), **installed.environment, "LEEWATCH_DATA": str(installed.data)}
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen([LEEWATCH, "up"], env=environment, stdout=log, stderr=log)
    try:
        until(lambda: len(running(installed.data)) == 5, 120)
        for body in requests(10, 60, 1, time.time_ns()):
            assert installed.post(body).status_code == 200
        client = connect(installed.settings)
        until(lambda: client.query("SELECT count() FROM scores").first_row[0] > 0, 90, every=0.02)
        client.close()
        processes = descendants(up.pid)
        assert len(processes) >= 5
        began = time.monotonic()
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) == 0, (tmp_path / "up.log").read_text()[-3000:]
        assert time.monotonic() - began < LIMIT_SECONDS
        assert not [pid for pid in processes if alive(pid)]
        assert "Traceback" not in (tmp_path / "up.log").read_text()
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
    try:
        installed.start("store")
        installed.start("collector")
        until(lambda: installed.accounting()["stored"] == 600)
        client = connect(installed.settings)
        assert client.query("SELECT count(), uniqExact(trace_id, span_id) FROM llm_spans").first_row == (600, 600)
        rows = client.query("SELECT name, count() - uniqExact(trace_id, span_id) FROM scores GROUP BY name").result_rows
        assert rows
        assert {repeated for _, repeated in rows} == {0}
        client.close()
    finally:
        installed.close()


@pytest.fixture
def silent() -> Iterator[int]:
    """A port whose server takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


@pytest.mark.parametrize("signals", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_alerts_end_while_a_channel_hangs_and_tell_it_again_later(tmp_path: Path, silent: int, signals: int) -> None:
    config = tmp_path / "leewatch.yaml"
    webhook = {"url": f"http://127.0.0.1:{silent}/", "timeout_seconds": 60}
    section = {"evaluate_seconds": 0.3, "lateness_seconds": 0, "rules": [RULE], "webhook": webhook}
    config.write_text(json.dumps({"alerts": {**section, "channels": ["webhook"]}}))
    installed = Installation(tmp_path / "data", {"CONFIG": config, "STORE__MAX_MEMORY_MB": 1024})
    try:
        installed.start("store")
        client = connect(installed.settings)
        now = datetime.now(UTC)
        rows = [
            ["bot", "llm", now - timedelta(seconds=30), now, f"{i:032x}", f"{i:016x}", "timeout"] for i in range(40)
        ]
        client.insert(
            "llm_spans", rows, column_names=["service", "kind", "ts", "end_ts", "trace_id", "span_id", "error_type"]
        )
        installed.start("alerts", wait=False)
        until(lambda: client.query("SELECT count() FROM alert_events WHERE state = 'firing'").first_row[0] == 1)
        time.sleep(0.3)
        process = installed._processes.pop("alerts")
        began = time.monotonic()
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert process.wait(30) == 0
        assert time.monotonic() - began < (LIMIT_SECONDS if signals == 1 else 3)
        assert client.query("SELECT count() FROM deliveries WHERE ok").first_row[0] == 0
        client.close()
    finally:
        installed.close()


@pytest.mark.parametrize("role", ["analyzers", "alerts", "dashboard", "collector", "store"])
def test_a_role_that_is_still_starting_ends_well(tmp_path: Path, role: str) -> None:
    (port,) = free_ports(1)
    installed = Installation(tmp_path / "data", {"DASHBOARD__PORT": port})
    installed.start(role, wait=False)
    process = installed._processes.pop(role)
    until(lambda: _catches(process.pid, signal.SIGTERM), 20, every=0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, installed.log(role).read_text()


def _catches(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
