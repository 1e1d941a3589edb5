"""Sends the traffic: a back-dated baseline first, then live turns at a steady rate until it is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

from leewatch.demo.applications import Application

REPORT_DELAY_NS = 1_500_000_000
"""A live turn is reported this long after it began, when its answer is complete."""


class LiveTraffic:
    """Turns of all applications at `rate` per second each, on one thread. `afflicted` names services in an incident."""

    def __init__(self, applications: Sequence[Application], rate: float) -> None:
        self._applications = applications
        self._interval = 1.0 / rate
        self._afflicted: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-traffic", daemon=True)
        self.turns = 0

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def afflict(self, services: Collection[str]) -> None:
        """From now on these services, and no others, are in an incident."""
        self._afflicted = frozenset(services)

    def stop(self) -> None:
        """Ends the traffic; returns when the last turn was reported."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            for application in self._applications:
                application.turn(time.time_ns() - REPORT_DELAY_NS, application.service in self._afflicted)
                self.turns += 1
            due = max(due + self._interval, time.monotonic() - 1.0)


def send_baseline(applications: Sequence[Application], turns: int, hours: float) -> int:
    """Number of healthy turns reported, back-dated evenly over the hours before now."""
    now = time.time_ns()
    step = int(hours * 3600e9 / turns)
    for number in range(turns):
        for application in applications:
            application.turn(now - REPORT_DELAY_NS - (turns - number) * step, incident=False)
        if number % 100 == 99:
            for application in applications:
                application.flush()
    for application in applications:
        application.flush()
    return turns * len(applications)
