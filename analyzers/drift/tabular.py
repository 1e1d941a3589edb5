"""Drift of measurements: latency, tokens, scores, finish reasons, errors of each service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from analyzers import reports
from analyzers.clusters import percent
from analyzers.config import DriftSection
from analyzers.drift.records import Outcome, Series, decided, flagged, milliseconds, record
from analyzers.reports import Column
from analyzers.store import AnalyzerStore
from analyzers.windows import EPOCH, Past, Window, due_after, past_of, plan
from leewatch.contracts import Clock
from leewatch.schema import DriftResult

log = logging.getLogger(__name__)

NUMBERS = ("duration_ms", "ttft_ms", "input_tokens", "output_tokens")
CATEGORIES = ("finish_reason", "error_type")
SMALLEST_COLUMN = 50
"""Values that a column needs in the window to be tested, e.g. scores that only some calls have."""
LEAST_EFFECT = {"number": 0.2, "category": 0.05}
"""Smallest difference that is called drift. Latency and load wander from hour to hour, so that with many rows any two
windows differ significantly; the p-value keeps the budget, this keeps trifles out."""
REPORT_EVERY = timedelta(minutes=10)
VERSION = "1"
EVERYTHING = "all"
"""Field of the record that a service's window was skipped."""


@dataclass(frozen=True)
class Verdict:
    """Outcome for one column. effect: largest difference between the two distribution functions, or of a share."""

    column: Column
    p_value: float
    threshold: float
    effect: float
    text: str
    n_reference: int
    n_current: int

    @property
    def drifted(self) -> bool:
        return self.p_value <= self.threshold and self.effect >= LEAST_EFFECT[self.column.kind]


class TabularTests:
    """Tests every due window of every service. All columns of a service together spend one test of the budget."""

    def __init__(self, section: DriftSection, clock: Clock) -> None:
        self._section = section
        self._clock = clock
        self._reported: dict[tuple[str, str], datetime] = {}

    def run(
        self,
        store: AnalyzerStore,
        services: Sequence[tuple[str, str]],
        until: datetime,
        alpha: float,
        stop: threading.Event,
    ) -> int:
        """Number of windows decided. services: (project, service); alpha: level of one service's window."""
        last: dict[tuple[str, str], datetime] = {}
        for series, end in decided(store, "tabular").items():
            key = (series.project, series.service)
            last[key] = max(end, last.get(key, end))
        decisions = 0
        for key in services:
            windows = due_after(last.get(key), until, self._section.window_seconds, self._section.lateness_seconds)
            if windows and not stop.is_set():
                decisions += self._service(store, key, windows, alpha)
        return decisions

    def _service(self, store: AnalyzerStore, key: tuple[str, str], windows: Sequence[Window], alpha: float) -> int:
        counts = self._counts(store, key, windows)
        steps = [step for step in plan(windows, counts, self._section.min_window) if step.action != "wait"]
        for step in steps:
            past = self._past(store, key, step.window)
            skipped = Series(*key, EVERYTHING)
            if step.action == "skip":
                record(store, [Outcome.skipped(skipped, step.window, past.span, step.reason, "tabular")])
                continue
            reference = self._frame(store, key, past.span, past.held, self._section.max_reference)
            if len(reference) < self._section.min_reference:
                reason = f"reference has {len(reference)} rows, {self._section.min_reference} needed"
                record(store, [Outcome.skipped(skipped, step.window, past.span, reason, "tabular")])
                continue
            current = self._frame(store, key, step.window, [], self._section.max_window)
            verdicts = judge(reference, current, alpha)
            record(store, [_outcome(key, step.window, past.span, verdict) for verdict in verdicts])
            self._report(store, key, step.window, reference, current, verdicts)
        return len(steps)

    def _past(self, store: AnalyzerStore, key: tuple[str, str], window: Window) -> Past:
        days = self._section.reference_days
        drifted = flagged(store, Series(*key, ""), "tabular", window.start - timedelta(days=days))
        return past_of(window, days, drifted, self._section.baseline(*key))

    def _counts(self, store: AnalyzerStore, key: tuple[str, str], windows: Sequence[Window]) -> list[int]:
        seconds = self._section.window_seconds
        found = store.rows(
            "tabular_counts",
            project=key[0],
            service=key[1],
            seconds=seconds,
            since=windows[0].start,
            until=windows[-1].end,
        )
        rows = {int(row["number"]): int(row["rows"]) for row in found}
        return [rows.get(int((window.start - EPOCH).total_seconds()) // seconds, 0) for window in windows]

    def _frame(
        self, store: AnalyzerStore, key: tuple[str, str], span: Window, held: Sequence[Window], limit: int
    ) -> pd.DataFrame:
        """One row per call: measurements, and one column per score."""
        parameters = {
            "project": key[0],
            "service": key[1],
            "since": span.start,
            "until": span.end,
            "excluded_starts": [milliseconds(window.start) for window in held],
            "excluded_ends": [milliseconds(window.end) for window in held],
            "limit": limit,
        }
        return frame(store.rows("tabular_sample", **parameters), store.rows("tabular_scores", **parameters))

    def _report(
        self,
        store: AnalyzerStore,
        key: tuple[str, str],
        window: Window,
        reference: pd.DataFrame,
        current: pd.DataFrame,
        verdicts: Sequence[Verdict],
    ) -> None:
        """Stores Evidently's report of a drifted window, at most one per service in REPORT_EVERY: it is megabytes."""
        now = self._clock()
        if not any(verdict.drifted for verdict in verdicts) or now - self._reported.get(key, EPOCH) < REPORT_EVERY:
            return
        columns = [verdict.column for verdict in verdicts]
        thresholds = {verdict.column.name: verdict.threshold for verdict in verdicts}
        html = reports.html_report(reference, current, columns, thresholds)
        names = ("project", "service", "window_start", "window_end", "html")
        store.insert("drift_reports", names, [[*key, window.start, window.end, html]])
        self._reported[key] = now


def frame(calls: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Calls by (trace, span): numbers as float, NaN where missing; categories as text; one float column per score."""
    index = pd.MultiIndex.from_tuples(
        [(row["trace_id"], row["span_id"]) for row in calls], names=["trace_id", "span_id"]
    )
    table = pd.DataFrame(index=index)
    for name in NUMBERS:
        table[name] = np.array([np.nan if row[name] is None else float(row[name]) for row in calls], dtype=float)
    for name in CATEGORIES:
        table[name] = [str(row[name] or "none") for row in calls]
    wide: dict[str, dict[tuple[str, str], float]] = {}
    for row in scores:
        wide.setdefault(row["score"], {})[(row["trace_id"], row["span_id"])] = float(row["newest"])
    for name in sorted(wide):
        table[name] = np.array([wide[name].get(key, np.nan) for key in index], dtype=float)
    return table


def columns_of(reference: pd.DataFrame, current: pd.DataFrame) -> list[Column]:
    """Columns with enough values in both frames that are not the same everywhere."""
    columns = []
    for name in current.columns:
        if name not in reference.columns:
            continue
        before, after = reference[name].dropna(), current[name].dropna()
        if min(len(before), len(after)) >= SMALLEST_COLUMN and pd.concat([before, after]).nunique() > 1:
            columns.append(Column(name, "category" if name in CATEGORIES else "number"))
    return columns


def judge(reference: pd.DataFrame, current: pd.DataFrame, alpha: float) -> list[Verdict]:
    """A verdict per testable column; together they cause a false alarm with probability at most alpha.

    Levels by Holm 1979 (Scand. J. Stat. 6(2), 65-70): the i-th smallest of m p-values is compared with alpha / (m - i +
    1), and once one fails, those after it fail too.
    """
    columns = columns_of(reference, current)
    found = reports.p_values(reference, current, columns)
    ordered = sorted(columns, key=lambda column: found[column.name])
    verdicts, level = [], 0.0
    failed = False
    for position, column in enumerate(ordered):
        level = level if failed else alpha / (len(ordered) - position)
        failed = failed or found[column.name] > level
        before, after = reference[column.name].dropna(), current[column.name].dropna()
        effect, text = measure(column, before, after)
        verdicts.append(Verdict(column, found[column.name], level, effect, text, len(before), len(after)))
    return verdicts


def measure(column: Column, before: pd.Series, after: pd.Series) -> tuple[float, str]:
    """(size of the difference in [0, 1], the same in words)."""
    if column.kind == "category":
        shares = after.value_counts(normalize=True).sub(before.value_counts(normalize=True), fill_value=0.0)
        name = shares.abs().idxmax()
        old, new = float((before == name).mean()), float((after == name).mean())
        return abs(new - old), f"{column.name} {name}: {percent(old)} of calls before, {percent(new)} now"
    points = np.sort(np.concatenate([before.to_numpy(), after.to_numpy()]))
    gap = np.searchsorted(np.sort(before), points, side="right") / len(before) - np.searchsorted(
        np.sort(after), points, side="right"
    ) / len(after)
    text = f"{column.name}: median {before.median():.4g} before, {after.median():.4g} now"
    return float(np.abs(gap).max()), text


def _outcome(key: tuple[str, str], window: Window, span: Window, verdict: Verdict) -> Outcome:
    result = DriftResult(
        drifted=verdict.drifted,
        p_value=verdict.p_value,
        threshold=verdict.threshold,
        statistic=verdict.effect,
        method=f"evidently[{verdict.column.method}]",
        version=VERSION,
        effect=verdict.effect,
        n_reference=verdict.n_reference,
        n_current=verdict.n_current,
        parameters={"least_effect": LEAST_EFFECT[verdict.column.kind]},
    )
    return Outcome(Series(*key, verdict.column.name), "tabular", window, span, result, verdict.text)
