"""Roles as processes of their own on free ports, for measurements and tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from leewatch import config, reach
from leewatch.config import Settings
from leewatch.errors import LeewatchError

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
COMMAND_SECONDS = 120.0
LEEWATCH = str(Path(sys.executable).with_name("leewatch"))
PROTOBUF = {"Content-Type": "application/x-protobuf"}
AT_ONCE: Mapping[str, object] = {"COLLECTOR__FLUSH_SECONDS": 0.05, "COLLECTOR__MAX_FLUSH_SECONDS": 0}
"""Keys under which what was sent is inserted at once, however slow inserts are."""
ENDS = ("stored", "duplicate", "rejected", "dead_lettered", "spooled")
"""What becomes of an item that was received."""
_TICKS = os.sysconf("SC_CLK_TCK")


class RoleNotReadyError(LeewatchError):
    """A role that was started for a measurement did not come up."""


class AccountError(LeewatchError):
    """A collector's account does not add up."""

    def __init__(self, account: Mapping[str, Any]) -> None:
        super().__init__(f"received is not the sum of {', '.join(ENDS)} in {dict(account)}")


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@dataclass(frozen=True)
class Usage:
    """CPU seconds since its start and peak resident memory, MB, of a process."""

    cpu_seconds: float
    peak_rss_mb: float


class Installation:
    """A data directory and its roles. Leave it by `close`, which ends whatever still runs."""

    def __init__(self, data: Path, keys: Mapping[str, object] | None = None) -> None:
        """keys: more settings, by environment name without the prefix, e.g. {"COLLECTOR__FLUSH_MB": 4}."""
        store, grpc, http = free_ports(3)
        ports = {"STORE__PORT": store, "COLLECTOR__GRPC_PORT": grpc, "COLLECTOR__HTTP_PORT": http}
        self.environment = {f"LEEWATCH_{name}": str(value) for name, value in {**ports, **(keys or {})}.items()}
        self.data = data
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        return config.load(data=self.data, environment=self.environment)

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.collector.http_port}"

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.settings.collector.grpc_port}"

    def start(self, role: str, wait: bool = True) -> None:
        """Starts a role and returns once it answers. Raises RoleNotReadyError with the end of its log."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log(role).open("ab") as log:
            self._processes[role] = subprocess.Popen(
                [LEEWATCH, "run", role],
                env={**self._outside(), **self.environment, "LEEWATCH_DATA": str(self.data)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait(role)

    def wait(self, role: str) -> None:
        """Returns once the role answers."""
        pages = reach.pages(self.settings.collector)
        url = f"http://127.0.0.1:{self.settings.store.port}/ping" if role == "store" else f"{pages.url}/healthz"
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._processes[role].poll() is None:
            try:
                if httpx.get(url, timeout=2, trust_env=False, verify=pages.verify).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise RoleNotReadyError(f"{role} did not start:\n{self.log(role).read_text(errors='replace')[-2000:]}")

    def log(self, role: str) -> Path:
        """File with everything the role printed."""
        return self.data / f"{role}.log"

    def accounting(self) -> dict[str, Any]:
        """The collector's account. Raises AccountError unless it adds up for every signal and project."""
        pages = reach.pages(self.settings.collector)
        answer = httpx.get(f"{pages.url}/accounting", timeout=30, trust_env=False, verify=pages.verify)
        account = dict(answer.json())
        for of_project in (account, *account["projects"].values()):
            for of_signal in (of_project, of_project["logs"], of_project["metrics"]):
                if of_signal["received"] != sum(of_signal[name] for name in ENDS):
                    raise AccountError(account)
        return account

    def post(self, body: bytes, path: str = "/v1/traces", **headers: str) -> httpx.Response:
        """Sends one request, OTLP in protobuf unless `Content_Type` says otherwise. headers: `_` stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            self.http_url + path, content=body, headers={**PROTOBUF, **named}, timeout=60, trust_env=False
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `leewatch ...` on this data directory."""
        return subprocess.run(
            [LEEWATCH, *arguments],
            env={**self._outside(), **self.environment, "LEEWATCH_DATA": str(self.data), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    @staticmethod
    def _outside() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith(config.ENVIRONMENT_PREFIX)}

    def kill(self, role: str) -> None:
        """Ends a role by SIGKILL."""
        process = self._processes.pop(role)
        process.kill()
        process.wait()

    def send(self, role: str, number: signal.Signals) -> None:
        """Sends a role a signal, e.g. SIGSTOP."""
        self._processes[role].send_signal(number)

    def exit_code(self, role: str) -> int:
        """What a role that ends by itself ends with."""
        return self._processes.pop(role).wait(READY_SECONDS)

    def stop(self, role: str) -> int:
        """Ends a role by SIGTERM; its exit code. One that does not end in time is killed."""
        process = self._processes.pop(role)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def close(self) -> None:
        """Ends all roles, the store last."""
        for role in sorted(self._processes):
            self.stop(role)

    def pid(self, role: str) -> int:
        """Id of the role's process."""
        return self._processes[role].pid

    def usage(self, role: str) -> Usage:
        """What the role's process has used so far."""
        return usage(self._processes[role].pid)


def usage(pid: int) -> Usage:
    """CPU and memory of a process, from /proc (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, peak_kb / 1024)
