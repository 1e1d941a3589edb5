"""The role `alerts`: evaluates on schedule until it is told to stop."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts import channels
from alerts import metrics as m
from alerts.config import AlertsSection
from alerts.engine import Engine
from leewatch import health, stopping
from leewatch.config import Settings
from leewatch.contracts import Clock
from leewatch.errors import DataDirectoryLockedError, NotRunningError, StoreUnavailableError
from leewatch.instruments import Registry
from leewatch.locking import exclusive
from leewatch.storage.client import connect
from leewatch.telemetry.spans import span

log = logging.getLogger(__name__)
LOCK_FILE = "alerts.lock"
RECONNECT_SECONDS = 2.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def run(settings: Settings) -> None:
    """Runs the role until SIGTERM or SIGINT, then ends within 10 s; a second signal ends it at once.

    Raises ConfigError for a faulty channel, DataDirectoryLockedError when another alert process runs.
    """
    stop = Event()
    with stopping.on_signals(stop.set):
        serve(settings, stop)


def serve(settings: Settings, stop: Event, clock: Clock = utc_now) -> None:
    """Runs the role until `stop` is set. A database that does not answer is waited for."""
    section, registry = settings.section(AlertsSection), Registry(m.ALL, "alerts")
    built = channels.build(section)
    state = {"evaluation": "none yet"}

    def ready() -> tuple[bool, dict[str, str]]:
        return state["evaluation"] == "ok", state

    with (
        only_one(settings.data),
        health.served(section.health_host, section.health_port, "alerts.health_port", registry, ready),
    ):
        engine: Engine | None = None
        due = clock()
        while not stop.is_set():
            try:
                engine = engine or Engine(connect(settings), section, settings.dashboard_url, built, clock, registry)
                if clock() >= due:
                    with registry.timed(m.EVALUATION_SECONDS), span("evaluate rules"):
                        engine.evaluate()
                    registry.add(m.EVALUATIONS, outcome="ok")
                    registry.set(m.EVALUATED, clock().timestamp())
                    state["evaluation"] = "ok"
                    due = _next_due(due, clock(), section.evaluate_seconds)
                engine.deliver()
            except (StoreUnavailableError, NotRunningError, ClickHouseError) as error:
                registry.add(m.EVALUATIONS, outcome="failed")
                state["evaluation"] = "the database does not answer"
                # The engine stays: it knows what was told but not recorded, and tells nothing twice.
                log.warning("waiting for the database: %s", str(error).splitlines()[0] if str(error) else error)
                stop.wait(RECONNECT_SECONDS)
                continue
            stop.wait(_pause(engine, due, clock()))


def _next_due(due: datetime, now: datetime, every_seconds: float) -> datetime:
    """The next evaluation; one that is missed is skipped, not made up for."""
    following = due + timedelta(seconds=every_seconds)
    return following if following > now else now + timedelta(seconds=every_seconds)


def _pause(engine: Engine, due: datetime, now: datetime) -> float:
    wake = min(due, engine.next_retry or due)
    return max(0.05, (wake - now).total_seconds())


def only_one(data: Path) -> AbstractContextManager[None]:
    """Holds the lock of the one alert process that may write. Raises DataDirectoryLockedError when another holds it."""
    data.mkdir(parents=True, exist_ok=True)
    return exclusive(data / LOCK_FILE, DataDirectoryLockedError(data / LOCK_FILE))
