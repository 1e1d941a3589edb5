"""Job `drift`: tests every due window of every service's texts and measurements, and records each decision."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from analyzers.config import DriftSection
from analyzers.drift.alarm import story_of
from analyzers.drift.device import NUMPY
from analyzers.drift.history import SeriesStore
from analyzers.drift.records import Outcome, Series, TextStore
from analyzers.drift.tabular import TabularTests
from analyzers.drift.watch import METHOD, VERSION, SeriesWatch, Weighed
from analyzers.explanation.story import Story, as_json, words
from analyzers.store import EMBEDDINGS, AnalyzerStore, Progress
from analyzers.windows import Past, Plan, Window, due_after, level, past_of, plan
from leewatch.contracts import Clock
from leewatch.schema import DriftResult

log = logging.getLogger(__name__)

SMALLEST_P = 1e-300


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

    def __init__(
        self, section: DriftSection, model: str, clock: Clock, stop: threading.Event, device: str = NUMPY
    ) -> None:
        self._section = section
        self._model = model
        self._device = device
        self._clock = clock
        self._stop = stop
        self._store: AnalyzerStore | None = None
        self._watches: dict[Series, SeriesWatch] = {}
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
        window, days = step.window, self._section.reference_days
        drifted = texts.flagged(series, window.start - timedelta(days=days))
        past = past_of(window, days, drifted, self._section.baseline(series.project, series.service))
        if step.action == "skip":
            return Outcome.skipped(series, window, past.span, step.reason)
        judged = self._watch(texts.store, series).judge(window, past)
        if judged.reason or judged.weighed is None:
            return Outcome.skipped(series, window, past.span, judged.reason)
        result, text = result_of(judged.weighed, budget, past), ""
        if result.drifted:
            story = self._explain(texts, series, past, judged.span)
            result, text = told(result, story), words(story, series.field)
        log.info(
            "drift %s/%s %s %s: p=%.2g alpha=%.2g n=%d against %d%s",
            series.project, series.service, series.field, window.end.isoformat(), result.p_value, budget.alpha,
            result.n_current, result.n_reference, " DRIFTED" if result.drifted else "",
        )  # fmt: skip
        shown = judged.span if result.drifted else window
        return Outcome.tested(series, shown, past.span, result, text)

    def _watch(self, store: AnalyzerStore, series: Series) -> SeriesWatch:
        """What is known of the series; made anew with a new connection, for then the store may be another one."""
        if self._store is not store:
            self._watches, self._store = {}, store
        if series not in self._watches:
            self._watches[series] = SeriesWatch(SeriesStore(store, series, self._model), self._section, self._device)
        return self._watches[series]

    def _explain(self, texts: TextStore, series: Series, past: Past, window: Window) -> Story:
        before = Window(past.span.start, min(past.span.end, window.start))
        kept = SeriesStore(texts.store, series, self._model)
        return story_of(texts, kept, series, before, past.held, window, self._section, seed_of(series, window))


def result_of(weighed: Weighed, budget: Budget, past: Past) -> DriftResult:
    """The verdict at the level of the budget. `statistic` is the strongest form over its expectation, 1 = healthy."""
    strongest = weighed.strongest
    p_value = max(float(np.exp(weighed.log_p)), SMALLEST_P)
    return DriftResult(
        drifted=p_value <= budget.alpha,
        p_value=p_value,
        threshold=budget.alpha,
        statistic=strongest.ratio,
        method=METHOD,
        version=VERSION,
        effect=0.0,
        n_reference=weighed.n_reference,
        n_current=weighed.n_current,
        parameters={
            "strongest": strongest.group,
            "windows_pooled": strongest.length,
            "evidence": [
                {"windows": one.length, "group": one.group, "log_p": round(one.log_p, 2), "ratio": round(one.ratio, 3)}
                for one in weighed.evidence
            ],
            "cycles": weighed.cycles,
            "tests_per_window": budget.tests,
            "windows_left_out": len(past.held),
            "pinned": past.pinned,
        },
    )


def told(result: DriftResult, story: Story) -> DriftResult:
    """The result with what the story says."""
    moved = story.movement
    parameters = {**result.parameters, **as_json(story)}
    return replace(result, clusters=moved.clusters, effect=moved.effect, parameters=parameters)


def seed_of(series: Series, window: Window) -> int:
    """Seed of a window's test: the same window is judged the same way again, different windows independently."""
    text = "\0".join([series.project, series.service, series.field, window.start.isoformat(), METHOD, VERSION])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % 2**32
