"""Scores on demand what analyzers have not looked at: left out of samples, imported, or older than a scorer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analyzers.config import AnalyzersSection
from analyzers.sampler import sampled_times
from analyzers.scoring import ScoringJob
from analyzers.store import BACKFILL, AnalyzerStore, Progress, Span, utc
from leewatch.contracts import Clock, Encoder, Scorer

HOUR = timedelta(hours=1)
MANY = 1_000_000


@dataclass(frozen=True)
class State:
    """How far it is: calls known to be done, of how many; and what it is at."""

    seen: int
    calls: int
    what: str


class Backfill:
    """One run. Whatever is killed leaves scores that are right; what is missing is found again."""

    def __init__(
        self,
        section: AnalyzersSection,
        encoder: Encoder,
        scorers: Sequence[Scorer],
        stop: threading.Event,
        embeds: bool = True,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        section = section.model_copy(update={"max_lag_seconds": 0.0})
        self._job = ScoringJob(section, encoder, scorers, clock, stop, embeds=embeds)
        self._batch = section.batch_size
        self._clock = clock
        self.stop = stop
        self.done = 0
        self.left = 0
        self.whole = 0

    @property
    def error(self) -> str:
        """The last error of each scorer that fails; '' when all work."""
        return self._job.errors()

    def run(self, store: AnalyzerStore, since: datetime, until: datetime) -> Iterator[State]:
        """Scores what was received in [since, until), hour by hour, the newest first; then makes samples whole."""
        hours = store.rows("calls_by_hour", since=since, until=until)
        total, seen = sum(int(row["calls"]) for row in hours), 0
        for row in hours:
            start, calls = utc(row["hour"]), int(row["calls"])
            span = Span(received_since=max(start, since), received_until=min(start + HOUR, until), everything=True)
            for missing in self._hour(store, span):
                yield State(seen + max(calls - missing, 0), total, f"{start:%Y-%m-%d %H:%M}")
                self._tell(store, total - seen)
            seen += calls
            if self.stop.is_set():
                break
        yield from (State(total, total, "completing samples") for _ in self._samples(store, since, until))
        self._tell(store, 0)

    def _hour(self, store: AnalyzerStore, span: Span) -> Iterator[int]:
        """How many calls are still missing, after each batch; ends when none is, or none can be scored now."""
        while True:
            step = self._job.work(store, span, self._batch)
            self.done += step.worked
            yield step.missing
            if self.stop.is_set():
                return
            if not step.worked or not step.missing:
                self.left += step.missing
                return

    def _samples(self, store: AnalyzerStore, since: datetime, until: datetime) -> Iterator[None]:
        for sampled in sampled_times(store, self._job.names, since, until, MANY):
            while not self.stop.is_set():
                step = self._job.fill_time(store, sampled, self._batch)
                self.done += step.worked
                self.whole += step.whole
                yield
                if step.whole or not step.worked:
                    break

    def _tell(self, store: AnalyzerStore, backlog: int) -> None:
        """Says in `progress` that it runs: the role leaves samples to it meanwhile."""
        store.write_progress([Progress(BACKFILL, self._clock(), 0, backlog)])
