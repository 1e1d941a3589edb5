"""Roles end when asked, at once when asked twice, and in time when something hangs: real processes and signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leewatch import config, supervisor
from leewatch.supervisor import Supervisor
from leewatch.testing.waiting import until

ROLE = """
import sys, threading, time
from leewatch import stopping
stop = threading.Event()
with stopping.on_signals(stop.set, float(sys.argv[2])):
    print("ready", flush=True)
    stop.wait()
    print("stopping", flush=True)
    time.sleep(float(sys.argv[1]))
print("drained", flush=True)
"""


def started(drain_seconds: float, limit_seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ROLE, str(drain_seconds), str(limit_seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("drain_seconds", "limit_seconds", "signals", "said"),
    [
        (0.1, 60, [signal.SIGTERM], "stopping\ndrained\n"),
        (60, 60, [signal.SIGTERM, signal.SIGINT], "stopping\n"),
        (60, 60, [signal.SIGINT, signal.SIGTERM], "stopping\n"),
        (60, 0.3, [signal.SIGTERM], "stopping\n"),
    ],
    ids=["drains", "a second signal", "in either order", "too long"],
)
def test_a_role_ends_with_exit_code_0(
    drain_seconds: float, limit_seconds: float, signals: list[signal.Signals], said: str
) -> None:
    process = started(drain_seconds, limit_seconds)
    assert process.stdout is not None
    process.send_signal(signals[0])
    heard = process.stdout.readline()
    for number in signals[1:]:
        process.send_signal(number)
    rest, _ = process.communicate(timeout=20)
    assert (process.returncode, heard + rest) == (0, said)


STUBBORN = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if sys.argv[-2] != "analyzers":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child", child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Supervisor, list[int]]]:
    """A supervisor of three roles, each with a process of its own; `analyzers` does not end when asked."""
    (tmp_path / "role.py").write_text(STUBBORN)
    monkeypatch.setattr(supervisor, "_command", lambda: [sys.executable, str(tmp_path / "role.py")])
    pids: list[int] = []
    made = Supervisor(
        config.load(data=tmp_path, environment={}), sink=lambda _, line: pids.append(int(line.split()[1]))
    )
    for role in ("store", "collector", "analyzers"):
        made._spawn(role, 0)
    until(lambda: len(pids) == 3, 20)
    pids.extend(made.pids.values())
    yield made, pids
    made.request_stop()
    made.request_stop()
    made.stop()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_role_that_does_not_end_is_killed_with_its_children_and_nothing_is_left(
    running: tuple[Supervisor, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ROLES_STOP_SECONDS", 1.0)
    made, pids = running
    made.request_stop()
    began = time.monotonic()
    made.stop()
    assert 1.0 <= time.monotonic() - began < 8
    until(lambda: not any(map(alive, pids)), 5)


def test_a_second_request_waits_for_nobody(running: tuple[Supervisor, list[int]]) -> None:
    made, pids = running
    made.request_stop()
    made.request_stop()
    began = time.monotonic()
    made.stop()
    assert time.monotonic() - began < 5
    until(lambda: not any(map(alive, pids)), 5)
