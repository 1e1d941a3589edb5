"""Shared fixtures: no LEEWATCH_* variable reaches a test; a real embedded store for those that ask for one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

for _name in [name for name in os.environ if name.startswith("LEEWATCH_")]:
    del os.environ[_name]

# The process dies with the test run, also when that is killed (PR_SET_PDEATHSIG = 1).
_START = """
import ctypes, logging, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from pathlib import Path
from leewatch.config import load
from leewatch.errors import LeewatchError
from leewatch.storage.embedded.role import run
logging.basicConfig(level="INFO", format="%(levelname)s %(name)s %(message)s")
try:
    store = {"port": int(sys.argv[2]), "threads": 4, "max_memory_mb": 2048}
    run(load(data=Path(sys.argv[1]), overrides={"store": store}))
except LeewatchError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code)
"""
_READY_SECONDS = 60
_STOP_SECONDS = 30


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes do not name tests: they may hold times, and workers must agree on the names."""
    return "bytes" if isinstance(val, bytes) else None


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class StoreProcess:
    """The role `store` as a process of its own, started and stopped by a test."""

    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.data.parent / f"{self.data.name}.log"

    def start(self) -> StoreProcess:
        """Starts it and returns once /ping answers. Fails with its log when it ends instead."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", _START, str(self.data), str(self.port)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5):
                    return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the store did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> int:
        """Ends it by SIGTERM and returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Settings of a real embedded store on a free port, migrated; one process for the whole session."""
    from leewatch.config import load

    running = StoreProcess(tmp_path_factory.mktemp("store") / "data", free_port()).start()
    yield load(data=running.data, environment={}, overrides={"store": {"port": running.port}})
    running.stop()


@pytest.fixture(scope="session")
def empty(store: object) -> Callable[[], None]:
    """Empties every table of the same store."""
    from leewatch.config import Settings
    from leewatch.storage.client import connect

    assert isinstance(store, Settings)
    settings = store

    def truncate() -> None:
        client = connect(settings)
        filled = client.query(
            "SELECT name FROM system.tables "
            "WHERE database = {database:String} AND total_rows > 0 AND name != 'migrations'",
            parameters={"database": settings.storage.database},
        )
        for (name,) in filled.result_rows:
            client.command(f"TRUNCATE TABLE `{name}`")
        client.close()

    return truncate


@pytest.fixture
def database(store: object, empty: Callable[[], None]) -> object:
    """Settings of the same store, every table empty."""
    empty()
    return store
