"""`leewatch up`: starts the roles as processes, watches them, restarts them with backoff, stops them in order."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from leewatch import reach
from leewatch.config import Settings
from leewatch.errors import LeewatchError, PortInUseError
from leewatch.instruments import Metric, Registry
from leewatch.reach import Endpoint
from leewatch.telemetry.spans import span

log = logging.getLogger(__name__)

UP = Metric("leewatch_supervisor_role_up", "gauge", "1 while the process of a role lives")
RESTARTS = Metric("leewatch_supervisor_role_restarts_total", "counter", "Restarts of a role that had ended")
START_ORDER = ("store", "collector", "analyzers", "alerts", "dashboard")
PORT_KEYS = {
    "store": ("port",),
    "collector": ("grpc_port", "http_port", "health_port"),
    "analyzers": ("health_port",),
    "alerts": ("health_port",),
    "dashboard": ("port", "health_port"),
}
MUST_BE_MENDED = 2
READY_SECONDS = 90.0
STOP_SECONDS = 9.0
"""Time that all roles together get to end, the store included; a role that was killed loses nothing."""
ROLES_STOP_SECONDS = 7.0
"""Of these, what the roles get that write to the store, before it is told to end."""
BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STABLE_SECONDS = 60.0
"""A role that ran this long starts its backoff anew."""


class RoleFailedError(LeewatchError):
    """A role ended with a fault that a person must mend; its own message was printed."""

    def __init__(self, role: str, last_lines: Sequence[str]) -> None:
        tail = "\n".join(f"  {line}" for line in last_lines)
        super().__init__(f"the role {role} cannot run:\n{tail}")


@dataclass
class _Child:
    role: str
    process: subprocess.Popen[str]
    started: float
    failures: int = 0
    restart_at: float | None = None
    last_lines: list[str] = field(default_factory=list)


def backoff_seconds(failures: int) -> float:
    """Seconds to wait before restart number `failures` (from 1)."""
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]


def roles_for(settings: Settings) -> tuple[str, ...]:
    """Roles that `up` starts: without the embedded store where a server is configured."""
    return START_ORDER if settings.storage.dsn is None else START_ORDER[1:]


class Supervisor:
    """Owns the role processes of one installation.

    `start` blocks until the store answers and every role was started; `watch` until `stop` is asked for; `stop` ends
    all roles, the store last. Each role's output comes out line by line, marked with its name.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str] | None = None,
        sink: Callable[[str, str], None] | None = None,
    ) -> None:
        """sink: called with (role, line) for every line of output, from several threads; by default it is printed."""
        self._settings = settings
        self._environment = dict(os.environ if environment is None else environment)
        self._sink = sink or print_line
        self._children: dict[str, _Child] = {}
        self._registry = Registry((UP, RESTARTS), "supervisor")
        self._registry.before(self._refresh)
        self._stopping = threading.Event()
        self._hurried = False

    @property
    def pids(self) -> dict[str, int]:
        """Process id of every role that was started."""
        return {role: child.process.pid for role, child in self._children.items()}

    def start(self) -> None:
        """Starts all roles. Raises PortInUseError before anything runs, RoleFailedError when one cannot."""
        for role in roles_for(self._settings):
            self._check_ports(role)
        for role in roles_for(self._settings):
            self._spawn(role, failures=0)
            if role == "store":
                store = self._settings.store
                self._await(role, Endpoint(f"http://{_connectable(store.host)}:{store.port}/ping"))
        pages, dashboard = reach.pages(self._settings.collector), self._settings.dashboard
        self._await("collector", Endpoint(f"{pages.url}/healthz", pages.verify))
        self._await("dashboard", Endpoint(f"http://{_connectable(dashboard.host)}:{dashboard.port}/_stcore/health"))

    def watch(self) -> None:
        """Restarts roles that end, until `stop` is asked for."""
        while not self.stopping(0.5):
            self.check()

    def stopping(self, wait_seconds: float) -> bool:
        """Whether a stop was asked for, waiting at most so long for it."""
        return self._stopping.wait(wait_seconds)

    def check(self) -> None:
        """One round of watching. Raises RoleFailedError when a role says that a person must mend something."""
        for child in list(self._children.values()):
            code = child.process.poll()
            if code is None:
                continue
            if child.restart_at is None:
                if code == MUST_BE_MENDED:
                    raise RoleFailedError(child.role, child.last_lines[-5:])
                lasted = time.monotonic() - child.started
                child.failures = 1 if lasted > STABLE_SECONDS else child.failures + 1
                wait = backoff_seconds(child.failures)
                log.warning("%s ended with %s; restart in %.0f s", child.role, _describe(code), wait)
                child.restart_at = time.monotonic() + wait
            elif time.monotonic() >= child.restart_at:
                with span("restart role", role=child.role):
                    self._spawn(child.role, child.failures)
                self._registry.add(RESTARTS, role=child.role)

    def _refresh(self) -> None:
        for role, child in list(self._children.items()):
            self._registry.set(UP, child.process.poll() is None, role=role)

    def stop(self) -> None:
        """Ends all roles within 10 s, those that write first, then the store. What does not end is killed.

        May be called again.
        """
        self._stopping.set()
        began = time.monotonic()
        self._end([child for child in self._children.values() if child.role != "store"], began + ROLES_STOP_SECONDS)
        self._end([child for child in self._children.values() if child.role == "store"], began + STOP_SECONDS)

    def request_stop(self) -> None:
        """Makes `watch` return; asked a second time, makes `stop` kill what still runs. Safe in a signal handler."""
        self._hurried = self._stopping.is_set()
        self._stopping.set()

    def _end(self, children: Sequence[_Child], deadline: float) -> None:
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()
        while not self._hurried and time.monotonic() < deadline:
            if all(child.process.poll() is not None for child in children):
                break
            time.sleep(0.02)
        for child in children:
            if child.process.poll() is None:
                log.warning("%s %s and is killed", child.role, "is not waited for" if self._hurried else "does not end")
            with contextlib.suppress(ProcessLookupError):  # its group: processes that it started go with it
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()

    def _spawn(self, role: str, failures: int) -> None:
        # A process group of its own, so that Ctrl-C reaches the supervisor alone, which then stops the roles in order.
        process = subprocess.Popen(
            [*_command(), "run", role, "--supervised"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            bufsize=1,
            env={**self._environment, "LEEWATCH_DATA": str(self._settings.data), "PYTHONUNBUFFERED": "1"},
            process_group=0,
        )
        child = _Child(role, process, time.monotonic(), failures)
        self._children[role] = child
        threading.Thread(target=self._relay, args=(child, process.stdout), name=f"log-{role}", daemon=True).start()

    def _relay(self, child: _Child, stream: IO[str] | None) -> None:
        if stream is None:
            return
        for line in stream:
            child.last_lines.append(line.rstrip())
            del child.last_lines[:-20]
            self._sink(child.role, line.rstrip())

    def _check_ports(self, role: str) -> None:
        section = self._settings.sections.get(role)
        for key in PORT_KEYS.get(role, ()):
            port = getattr(section, key)
            host = getattr(section, "host" if key != "health_port" or role == "collector" else "health_host")
            if port is not None and _is_taken(host, port):
                raise PortInUseError(host, port, f"{role}.{key}")

    def _await(self, role: str, endpoint: Endpoint) -> None:
        """Waits until the role answers, restarting it when it ends early."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            self.check()
            try:
                if httpx.get(endpoint.url, timeout=2, verify=endpoint.verify).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        if not self._stopping.is_set():
            raise RoleFailedError(
                role, [*self._children[role].last_lines[-5:], f"no answer from {endpoint.url} in {READY_SECONDS:.0f} s"]
            )


def print_line(role: str, line: str) -> None:
    """Prints one line of a role's output, marked with its name."""
    sys.stdout.write(f"{role:<9} | {line}\n")
    sys.stdout.flush()


def stop_on_signals(supervisor: Supervisor) -> None:
    """Makes SIGTERM and Ctrl-C end `watch`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.request_stop())


def _command() -> list[str]:
    installed = Path(sys.executable).with_name("leewatch")
    return [str(installed)] if installed.exists() else [sys.executable, "-P", "-m", "leewatch.cli.main"]


def _connectable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  compared with, not listened on


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
