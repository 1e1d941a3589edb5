"""A seeded store, the dashboard as its own process, and headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from leewatch.config import Settings
from leewatch.storage.client import connect

sys.path.insert(0, str(Path(__file__).parent))
import seed

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_READY_SECONDS = 40


@dataclass
class Dashboard:
    """The role `dashboard` as a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ends it by SIGTERM and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def start_dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Dashboard]]:
    """Starts dashboards by the installed command, each on a free port; ends those that still run."""
    started: list[Dashboard] = []
    home = tmp_path_factory.mktemp("dashboard")

    def start(data: Path, **environment: str) -> Dashboard:
        port = _free_port()
        log = home / f"{port}.log"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("LEEWATCH_", "STREAMLIT_"))}
        command = [str(Path(sys.executable).with_name("leewatch")), "run", "dashboard", "--data", str(data)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=home,
                stdout=output,
                stderr=output,
                env=inherited | environment | {"LEEWATCH_DASHBOARD__PORT": str(port)},
            )
        running = Dashboard(f"http://127.0.0.1:{port}", process, log)
        started.append(running)
        _wait(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


def _wait(running: Dashboard) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{running.url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the dashboard did not start:\n{running.log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def seeded(store: Settings, empty: Callable[[], None]) -> Any:
    """What was put into the store: a `Seeded` of seed.py."""
    empty()
    client = connect(store)
    rows = seed.seed(client, datetime.now(UTC))
    client.close()
    return rows


@pytest.fixture(scope="module")
def dashboard(store: Settings, seeded: Any, start_dashboard: Callable[..., Dashboard]) -> Dashboard:
    """The dashboard over the seeded store."""
    return start_dashboard(store.data, LEEWATCH_STORE__PORT=str(store.store.port))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium: $CHROMIUM, the system's, or playwright's own."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("no Chromium: install the package chromium, or set CHROMIUM to its path")
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()
