"""Role `analyzers`: scores and embeds spans, tests for drift, keeps prices."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from analyzers import catalog
from analyzers import metrics as m
from analyzers.config import AnalyzersSection, DriftSection, TopicsSection
from analyzers.corrections import CORRECTIONS, CorrectionsJob
from analyzers.drift import device
from analyzers.drift.job import DriftJob
from analyzers.encoder import create_encoder
from analyzers.prices import PricesJob
from analyzers.schedule import Job, Schedule
from analyzers.scorers.custom.common import Surroundings
from analyzers.scoring import JOB, ScoringJob
from analyzers.store import AnalyzerStore
from analyzers.topics.job import JOB as TOPICS
from analyzers.topics.job import TopicsJob
from leewatch import health, stopping
from leewatch.config import Settings
from leewatch.contracts import Clock, Encoder, Scorer
from leewatch.errors import DataDirectoryLockedError, NotRunningError, StoreUnavailableError
from leewatch.instruments import Registry
from leewatch.locking import exclusive
from leewatch.redaction.section import RedactionSection
from leewatch.storage import client

log = logging.getLogger(__name__)

LOCK_FILE = "analyzers.lock"
TOPICS_SECONDS = 30
"""Between two looks for texts without a topic at least: nobody waits for one."""
PRICES_SECONDS = 60.0
STORE_RETRY_SECONDS = 1.0
STOP_SECONDS = 6.0
"""Shorter than `leewatch up` waits for this role: a batch of long texts may take longer, and is done again."""


def run(settings: Settings) -> None:
    """Blocks until SIGTERM or SIGINT, finishes the batch at hand, returns within 10 s; a second signal ends it at once.

    Raises ModelNotFoundError when the encoder or a scorer has no weights, DataDirectoryLockedError when another
    analyzers process serves the same data directory.
    """
    section = settings.section(AnalyzersSection)
    with locked(settings.data):
        limit_threads(section.threads)
        encoder = create_encoder(section.model, section.device)
        serve(settings, encoder, catalog.create_all(section, Surroundings(settings.data, section.device)))


def serve(
    settings: Settings, encoder: Encoder, scorers: Sequence[Scorer], clock: Clock = lambda: datetime.now(UTC)
) -> None:
    """Runs the jobs with these models until a signal. To be called from the main thread."""
    stop = threading.Event()
    with stopping.on_signals(stop.set, STOP_SECONDS):
        _serve(settings, encoder, scorers, clock, stop)


def _serve(
    settings: Settings, encoder: Encoder, scorers: Sequence[Scorer], clock: Clock, stop: threading.Event
) -> None:
    def connect() -> AnalyzerStore:
        return AnalyzerStore(client.connect(settings))

    section, registry = settings.section(AnalyzersSection), Registry(m.ALL, "analyzers")
    schedule = Schedule(jobs(settings, encoder, scorers, connect, clock, stop, registry))
    ready = threading.Event()

    def tell() -> tuple[bool, dict[str, str]]:
        return schedule.ready() if ready.is_set() else (False, {"store": "does not answer yet"})

    with health.served(section.health_host, section.health_port, "analyzers.health_port", registry, tell):
        if not _store_answers(connect, stop):
            return
        schedule.start()
        ready.set()
        log.info("analyzers run with scorers %s", ", ".join(sorted(scorer.name for scorer in scorers)) or "none")
        stop.wait()
        ended = schedule.stop()
    if not ended:
        # Nothing is lost: what was not written is still missing in the database and is done at the next start.
        log.warning("a batch did not finish in time and is left for the next start")
        stopping.end_now()


def jobs(
    settings: Settings,
    encoder: Encoder,
    scorers: Sequence[Scorer],
    connect: Callable[[], AnalyzerStore],
    clock: Clock,
    stop: threading.Event,
    registry: Registry,
) -> list[Job]:
    """The jobs of this role."""
    section, drift = settings.section(AnalyzersSection), settings.section(DriftSection)
    drops = settings.section(RedactionSection).plan().drops
    scoring = ScoringJob(section, encoder, scorers, clock, stop, drops)
    drifting = DriftJob(drift, encoder.model, clock, stop, device.resolve(section.device))
    prices = PricesJob(section.prices, clock)
    correcting = CorrectionsJob(clock, stop)
    topics = settings.section(TopicsSection)
    following = TopicsJob(topics, encoder.model, clock, stop)
    found = [
        Job(JOB, section.interval_seconds, scoring.run, connect, clock, registry),
        Job("drift", min(section.interval_seconds, drift.window_seconds / 2), drifting.run, connect, clock, registry),
        Job(CORRECTIONS, section.interval_seconds, correcting.run, connect, clock, registry),
        Job("prices", PRICES_SECONDS, prices.run, connect, clock, registry),
    ]
    if topics.enabled:
        found.append(
            Job(TOPICS, max(section.interval_seconds, TOPICS_SECONDS), following.run, connect, clock, registry)
        )
    return found


def limit_threads(threads: int) -> None:
    """Keeps the encoder and the tests to this many CPU threads: the other roles share the machine."""
    import torch

    torch.set_num_threads(threads)


def locked(data: Path) -> AbstractContextManager[None]:
    """Holds the analyzers' lock of a data directory: two processes would score every span twice."""
    data.mkdir(parents=True, exist_ok=True)
    return exclusive(data / LOCK_FILE, DataDirectoryLockedError(data))


def _store_answers(connect: Callable[[], AnalyzerStore], stop: threading.Event) -> bool:
    """Waits for the database; False when stopped meanwhile."""
    told = False
    while not stop.is_set():
        try:
            connect().close()
        except (StoreUnavailableError, NotRunningError) as error:
            if not told:
                log.info("waiting for the database: %s", error)
                told = True
            stop.wait(STORE_RETRY_SECONDS)
        else:
            return True
    return False
