"""Judges one window of one series against what the series keeps of its past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analyzers.config import DriftSection
from analyzers.drift.blocks import Keyed, blocks, in_hours, summarize
from analyzers.drift.device import NUMPY
from analyzers.drift.features import FeatureMap, fit
from analyzers.drift.history import ROWS_AT_ONCE, Kept, SeriesStore, StoredMap, middle
from analyzers.drift.novelty import folds_of
from analyzers.drift.reference import Summaries, join, learn
from analyzers.drift.scan import LENGTHS, Evidence, Scanner
from analyzers.windows import EPOCH, Window, aligned

METHOD = "scan[topics,novel,tail]"
VERSION = "1"
SMALLEST_WINDOW = 5
"""Rows below which an earlier window is left out of the history: its variance is not known."""
GROWN = 4
"""A map fitted on few rows is fitted again when the history has this many times as many."""


@dataclass(frozen=True)
class Weighed:
    """All evidence on a window, and the strongest. log_p: natural logarithm of the p-value of all together.

    n_reference: rows of the history; n_current: rows of the windows that the strongest evidence pools.
    """

    log_p: float
    evidence: tuple[Evidence, ...]
    strongest: Evidence
    n_reference: int
    n_current: int
    cycles: str


@dataclass(frozen=True)
class Judgement:
    """What is known of a window. `reason` is not empty when it could not be judged.

    span: the windows whose evidence is strongest, the judged one last.
    """

    span: Window
    weighed: Weighed | None = None
    reason: str = ""


class SeriesWatch:
    """The state of one series: its map, and the summaries of its windows. All of it stands in the database."""

    def __init__(self, store: SeriesStore, section: DriftSection, device: str = NUMPY) -> None:
        self._store = store
        self._section = section
        self._device = device
        self._map: StoredMap | None = None
        self._kept: Kept | None = None

    def judge(self, window: Window, held: Sequence[Window], since: datetime | None) -> Judgement:
        """Judges the window. held: windows that are no reference; since: when the present normal began, if it changed.

        The window's summary is written, so that it is a part of later references and of accumulated evidence.
        """
        first = window.start - timedelta(days=self._section.reference_days)
        span = Window(max(first, since) if since else first, window.start)
        stored = self._fitted(span, held)
        if isinstance(stored, int):
            return Judgement(window, reason=self._too_few(stored))
        rows = self._store.rows(window, self._section.window_seconds, self._section.max_window)
        past = self._past(stored, span)
        current = summary(stored.map, rows, middle(window), self._device)
        self._store.write_windows(stored.id, [window], current)
        self._kept = Kept((*past.windows, window), join([past.summaries, current]))
        return self._judged(stored.map, past, current, window, held)

    def _judged(
        self, fitted: FeatureMap, past: Kept, current: Summaries, window: Window, held: Sequence[Window]
    ) -> Judgement:
        healthy = np.array([not any(one.overlaps(other) for other in held) for one in past.windows], dtype=bool)
        weighed = weigh(fitted, past.summaries, healthy, current)
        if weighed.n_reference < self._section.min_reference:
            return Judgement(window, weighed, self._too_few(weighed.n_reference))
        start = past.windows[1 - weighed.strongest.length].start if weighed.strongest.length > 1 else window.start
        return Judgement(Window(start, window.end), weighed)

    def _fitted(self, span: Window, held: Sequence[Window]) -> StoredMap | int:
        """The map to use: the kept one, or a new one where there is none, it is old, or it was made of too little.

        The number of reference rows instead when they are too few for a map.
        """
        if self._map is None:
            self._map = self._store.map()
        if self._map is not None and not self._outworn(self._map, span):
            return self._map
        rows = self._reference_rows(span, held)
        if len(rows) < self._section.min_reference:
            return len(rows)
        keys = blocks(rows.users, rows.sessions, rows.traces)
        self._map, self._kept = (
            self._store.write_map(
                fit(rows.vectors, folds_of(keys), in_hours(keys, rows.hours), self._device), span.end
            ),
            None,
        )
        return self._map

    def _outworn(self, stored: StoredMap, span: Window) -> bool:
        if stored.fitted_until <= span.start:
            return True
        known = 0.0 if self._kept is None else float(self._kept.summaries.rows.sum())
        return stored.map.rows < self._section.max_reference and known >= GROWN * stored.map.rows

    def _reference_rows(self, span: Window, held: Sequence[Window]) -> Keyed:
        return self._store.sample(span, held, self._section.max_reference)

    def _too_few(self, found: int) -> str:
        return f"reference has {found} rows, {self._section.min_reference} needed"

    def _past(self, stored: StoredMap, span: Window) -> Kept:
        """Summaries of all windows of the span; those that were never looked at under this map are made now."""
        if self._kept is None:
            self._kept = self._store.windows(stored.id, span)
        inside = [one.start >= span.start and one.end <= span.end for one in self._kept.windows]
        chosen = np.flatnonzero(inside)
        kept = Kept(tuple(self._kept.windows[place] for place in chosen), self._kept.summaries.part(chosen))
        made_until = kept.windows[-1].end if kept.windows else span.start
        made = self._make(stored.map, Window(made_until, span.end))
        if not made.windows:
            return kept if kept.windows else made
        self._store.write_windows(stored.id, made.windows, made.summaries)
        if not kept.windows:
            return made
        return Kept((*kept.windows, *made.windows), join([kept.summaries, made.summaries]))

    def _make(self, fitted: FeatureMap, span: Window) -> Kept:
        """Summaries of the windows of the span, some windows' rows in memory at a time."""
        seconds, limit = self._section.window_seconds, self._section.max_window
        step = timedelta(seconds=seconds * max(ROWS_AT_ONCE // limit, 1))
        windows: list[Window] = []
        parts: list[Summaries] = []
        first = self._store.first(span)
        start = span.end if first is None else max(span.start, aligned(first, seconds))
        while start < span.end:
            part = Window(start, min(start + step, span.end))
            for window, rows in by_window(self._store.rows(part, seconds, limit), seconds):
                if len(rows) >= SMALLEST_WINDOW:
                    windows.append(window)
                    parts.append(summary(fitted, rows, middle(window), self._device))
            start = part.end
        return Kept(tuple(windows), join(parts) if parts else nothing(fitted))


def weigh(fitted: FeatureMap, past: Summaries, healthy: npt.NDArray[np.bool_], current: Summaries) -> Weighed:
    """The evidence that the current window and those before it have drifted (pure).

    past: earlier windows in order of time; healthy bool (j,): those that may serve as reference. The newest of them are
    kept out of the reference while they are pooled with the current one. The p-value is the smallest of all evidence
    times its number (Bonferroni).
    """
    length = reach(int(healthy.sum()))
    older = np.flatnonzero(healthy[: len(past) - (length - 1)])
    history = past.part(older)
    if not len(history):
        none = Evidence(1, "", 0.0, 0.0)
        return Weighed(0.0, (), none, 0, int(current.rows.sum()), "none")
    reference = learn(history, fitted.floor)
    scanner = Scanner(reference, history, fitted.groups, [one for one in LENGTHS if one <= length])
    together = join([past.part(slice(max(len(past) - (length - 1), 0), None)), current])
    evidence = tuple(scanner.scan(together, len(together) - 1)[0])
    strongest = min(evidence, key=lambda one: one.log_p)
    return Weighed(
        log_p=min(strongest.log_p + float(np.log(len(evidence))), 0.0),
        evidence=evidence,
        strongest=strongest,
        n_reference=int(history.rows.sum()),
        n_current=int(together.rows[-strongest.length :].sum()),
        cycles=reference.cycles,
    )


def reach(windows: int) -> int:
    """The most windows that are pooled when this many healthy ones are known: at least as many remain before."""
    return max((length for length in LENGTHS if windows - (length - 1) >= length), default=1)


def summary(fitted: FeatureMap, rows: Keyed, hour: float, device: str = NUMPY) -> Summaries:
    """Summary of one window's rows under a map."""
    keys = blocks(rows.users, rows.sessions, rows.traces)
    return summarize(fitted.transform(rows.vectors, folds_of(keys), device), keys, hour)


def by_window(rows: Keyed, seconds: int) -> Iterator[tuple[Window, Keyed]]:
    """Each window's rows. rows must be in order of time."""
    if not len(rows):
        return
    starts = np.flatnonzero(np.diff(rows.hours, prepend=-np.inf))
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        begin = EPOCH + timedelta(seconds=round(float(rows.hours[start]) * 3600))
        yield Window(begin, begin + timedelta(seconds=seconds)), rows.part(slice(int(start), int(end)))


def nothing(fitted: FeatureMap) -> Summaries:
    """Summaries of no window."""
    none = np.zeros((0, fitted.width))
    return Summaries(np.zeros(0), np.zeros(0), none, none)
