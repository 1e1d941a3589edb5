"""Job `drift`: tests every due window of every service's texts and measurements, and records each decision."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from analyzers.clusters import Movement, describe, explain
from analyzers.config import DriftSection
from analyzers.drift.detector import METHOD, VERSION, PermutationDetector
from analyzers.drift.records import Outcome, Sample, Series, TextStore
from analyzers.drift.tabular import TabularTests
from analyzers.store import EMBEDDINGS, AnalyzerStore, Progress
from analyzers.windows import Plan, Window, due_after, excluded, level, plan
from leewatch.contracts import Clock
from leewatch.schema import DriftResult

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Budget:
    """Level of each test. tests: how many are run for one window of time, over all services."""

    alpha: float
    tests: int


class DriftJob:
    """Tests what is due. Used by one thread at a time.

    A window is decided once: its row in drift_results is the record, so a restart goes on where it stopped. Windows
    wait until everything that came in by their end and the lateness is embedded.
    """

    def __init__(self, section: DriftSection, model: str, clock: Clock, stop: threading.Event) -> None:
        self._section = section
        self._model = model
        self._clock = clock
        self._stop = stop
        self._detector = PermutationDetector(section.permutations)
        self._tabular = TabularTests(section, clock)

    def run(self, store: AnalyzerStore) -> None:
        """Decides every window that is due, oldest first."""
        now = self._clock()
        embedded = store.done_until(EMBEDDINGS)
        if embedded is None:
            return
        texts = TextStore(store, self._model)
        until = min(now, embedded)
        series = texts.series(until - timedelta(days=self._section.reference_days), until, self._section.fields)
        services = {(one.project, one.service) for one in series} | self._measured(store, until)
        budget = self._budget(len(services))
        decided = texts.decided("embedding")
        rounds = [partial(self._series, texts, one, decided.get(one), until, budget) for one in series]
        if self._section.tabular:
            rounds.append(partial(self._tabular.run, store, sorted(services), until, budget.alpha, self._stop))
        decisions, error = 0, ""
        for test in rounds:
            try:
                decisions += 0 if self._stop.is_set() else test()
            except Exception as failure:
                log.exception("a drift test failed; its window is tried again")
                error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        store.write_progress([Progress("drift", until, decisions, 0, error)])

    def _measured(self, store: AnalyzerStore, until: datetime) -> set[tuple[str, str]]:
        """(project, service) of all services with calls to measure."""
        if not self._section.tabular:
            return set()
        since = until - timedelta(days=self._section.reference_days)
        return {(row["project"], row["service"]) for row in store.rows("tabular_services", since=since, until=until)}

    def _budget(self, services: int) -> Budget:
        tests = services * (len(self._section.fields) + int(self._section.tabular))
        return Budget(level(self._section.false_alarms_per_30_days, tests, self._section.window_seconds), tests)

    def _series(
        self, texts: TextStore, series: Series, decided: datetime | None, until: datetime, budget: Budget
    ) -> int:
        windows = due_after(decided, until, self._section.window_seconds, self._section.lateness_seconds)
        if not windows:
            return 0
        counts = texts.counts(series, windows, self._section.window_seconds)
        decisions = 0
        for step in plan(windows, counts, self._section.min_window):
            if self._stop.is_set():
                break
            if step.action != "wait":
                texts.record(self._decide(texts, series, step, budget))
                decisions += 1
        return decisions

    def _decide(self, texts: TextStore, series: Series, step: Plan, budget: Budget) -> Outcome:
        window = step.window
        span = Window(window.start - timedelta(days=self._section.reference_days), window.start)
        if step.action == "skip":
            return Outcome.skipped(series, window, span, step.reason)
        held = excluded(texts.flagged(series, span.start), window.start)
        reference = texts.sample(series, span, held, self._section.max_reference)
        if len(reference.vectors) < self._section.min_reference:
            found = len(reference.vectors)
            return Outcome.skipped(
                series, window, span, f"reference has {found} rows, {self._section.min_reference} needed"
            )
        current = texts.sample(series, window, [], self._section.max_window)
        seed = seed_of(series, window)
        result = self._detector.test(reference.vectors, current.vectors, budget.alpha, seed)
        movement = Movement((), 0.0)
        if result.drifted:
            movement = self._explain(texts, series, reference, current, seed)
        result = with_movement(result, movement, budget, held)
        log.info(
            "drift %s/%s %s %s: p=%.2g alpha=%.2g n=%d against %d%s",
            series.project, series.service, series.field, window.end.isoformat(), result.p_value, budget.alpha,
            result.n_current, result.n_reference, " DRIFTED" if result.drifted else "",
        )  # fmt: skip
        return Outcome.tested(series, window, span, result, describe(movement, f"{series.field}s"))

    def _explain(self, texts: TextStore, series: Series, reference: Sample, current: Sample, seed: int) -> Movement:
        return explain(
            reference.vectors,
            current.vectors,
            texts.texts(series, reference.keys),
            texts.texts(series, current.keys),
            seed,
        )


def with_movement(result: DriftResult, movement: Movement, budget: Budget, held: Sequence[Window]) -> DriftResult:
    """The result with its topics, and with what the level was made of."""
    parameters = {**result.parameters, "tests_per_window": budget.tests, "windows_left_out": len(held)}
    return replace(result, clusters=movement.clusters, effect=movement.effect, parameters=parameters)


def seed_of(series: Series, window: Window) -> int:
    """Seed of a window's test: the same window is judged the same way again, different windows independently."""
    text = "\0".join([series.project, series.service, series.field, window.start.isoformat(), METHOD, VERSION])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % 2**32
