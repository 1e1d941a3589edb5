"""Runs jobs at their times, each on its own thread and connection; here a failing job is logged and counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from clickhouse_connect.driver.exceptions import OperationalError

from analyzers import metrics as m
from analyzers.store import AnalyzerStore, Progress
from leewatch.contracts import Clock
from leewatch.errors import LeewatchError
from leewatch.instruments import Registry
from leewatch.telemetry.spans import span

log = logging.getLogger(__name__)

STOP_SECONDS = 6.0
"""Time that a running batch has to finish after a stop; the role then ends within 10 s."""


@dataclass
class Job:
    """Something to do every `seconds`. `work` is called by one thread at a time."""

    name: str
    seconds: float
    work: Callable[[AnalyzerStore], None]
    connect: Callable[[], AnalyzerStore]
    clock: Clock
    registry: Registry = field(default_factory=lambda: Registry(m.ALL, "analyzers"))
    failures: int = 0
    idle: threading.Event = field(default_factory=threading.Event)
    _store: AnalyzerStore | None = None

    def __post_init__(self) -> None:
        self.idle.set()

    def tick(self) -> None:
        """One run. Never raises: an error is logged, counted and shown in `progress`; the next run starts afresh."""
        self.idle.clear()
        try:
            with self.registry.timed(m.RUN_SECONDS, job=self.name), span("run job", job=self.name):
                if self._store is None:
                    self._store = self.connect()
                self.work(self._store)
            self.failures = 0
            self.registry.add(m.RUNS, job=self.name, outcome="ok")
            self.registry.set(m.SUCCEEDED, time.time(), job=self.name)
        except Exception as error:
            self.failures += 1
            self.registry.add(m.RUNS, job=self.name, outcome="failed")
            away = isinstance(error, LeewatchError | OperationalError)  # then a stack trace tells nothing more
            log.error(
                "job %s failed (%d times in a row), it runs again in %g s: %s",
                self.name,
                self.failures,
                self.seconds,
                " ".join(str(error).split())[:300],
                exc_info=None if away else error,
            )
            self._tell(error)
        finally:
            self.registry.set(m.FAILURES, self.failures, job=self.name)
            self.idle.set()

    def _tell(self, error: Exception) -> None:
        """Shows the failure in `progress` where the database still answers, and drops the connection."""
        store, self._store = self._store, None
        if store is None:
            return
        try:
            text = f"failed {self.failures} times: {type(error).__name__}"
            store.write_progress([Progress(self.name, self.clock(), 0, 0, text)])
            store.close()
        except Exception as second:  # noqa: BLE001  the job is tried again anyway
            log.warning("the failure of job %s could not be recorded: %s", self.name, type(second).__name__)


class Schedule:
    """Jobs on APScheduler. A run that is due while the job still runs is left out; late runs are merged into one."""

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(len(jobs), 1))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        """Runs every job at once and then at its interval."""
        for job in self._jobs:
            self._scheduler.add_job(
                job.tick, "interval", seconds=job.seconds, id=job.name, next_run_time=datetime.now(UTC)
            )
        self._scheduler.start()

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether any job does its work, and how each does."""
        told = {job.name: f"failed {job.failures} times in a row" if job.failures else "ok" for job in self._jobs}
        return any(not job.failures for job in self._jobs), told

    def stop(self) -> bool:
        """Starts no further run and waits for the running ones. False when one did not end in STOP_SECONDS."""
        self._scheduler.shutdown(wait=False)
        deadline = datetime.now(UTC).timestamp() + STOP_SECONDS
        return all(job.idle.wait(max(deadline - datetime.now(UTC).timestamp(), 0)) for job in self._jobs)
