"""Judges one window of one series against what the series keeps of its past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

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
from analyzers.windows import EPOCH, MERGE_LIMIT, Past, Window, aligned

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

    def judge(self, window: Window, past: Past) -> Judgement:
        """Judges the window against its past.

        The window's summary is written, so that it is a part of later references and of accumulated evidence.
        """
        stored = self._fitted(past)
        if isinstance(stored, int):
            return Judgement(window, reason=self._too_few(stored))
        rows = self._store.rows(window, self._section.window_seconds, self._section.max_window)
        earlier = self._earlier(stored, [past.span, *self._recent(window, past)])
        current = summary(stored.map, rows, middle(window), self._device)
        self._store.write_windows(stored.id, [window], current)
        self._kept = Kept((*earlier.windows, window), join([earlier.summaries, current]))
        return self._judged(stored.map, earlier, current, window, past)

    def _recent(self, window: Window, past: Past) -> list[Window]:
        """The windows that may be pooled with this one, where the reference does not reach up to it."""
        pooled = timedelta(seconds=self._section.window_seconds * MERGE_LIMIT * LENGTHS[-1])
        recent = Window(max(past.span.end, window.start - pooled), window.start)
        return [recent] if recent.start < recent.end else []

    def _judged(self, fitted: FeatureMap, earlier: Kept, current: Summaries, window: Window, past: Past) -> Judgement:
        healthy = np.array(
            [
                one.end <= past.span.end and not any(one.overlaps(other) for other in past.held)
                for one in earlier.windows
            ],
            dtype=bool,
        )
        weighed = weigh(fitted, earlier.summaries, healthy, current)
        if weighed.n_reference < self._section.min_reference:
            return Judgement(window, weighed, self._too_few(weighed.n_reference))
        start = earlier.windows[1 - weighed.strongest.length].start if weighed.strongest.length > 1 else window.start
        return Judgement(Window(start, window.end), weighed)

    def _fitted(self, past: Past) -> StoredMap | int:
        """The map to use: the kept one, or a new one where there is none, it is old, or it was made of too little.

        The number of reference rows instead when they are too few for a map.
        """
        if self._map is None:
            self._map = self._store.map(past.span.end)
        if self._map is not None and not self._outworn(self._map, past):
            return self._map
        rows = self._store.sample(past.span, past.held, self._section.max_reference)
        if len(rows) < self._section.min_reference:
            return len(rows)
        self._map, self._kept = self._store.write_map(fitted_on(rows, self._device), past.span.end), None
        return self._map

    def _outworn(self, stored: StoredMap, past: Past) -> bool:
        """A pinned span has one map, made when it was over; a trailing one is followed."""
        if past.pinned:
            return stored.fitted_until != past.span.end
        if stored.fitted_until <= past.span.start:
            return True
        known = 0.0 if self._kept is None else float(self._kept.summaries.rows.sum())
        return stored.map.rows < self._section.max_reference and known >= GROWN * stored.map.rows

    def _too_few(self, found: int) -> str:
        return f"reference has {found} rows, {self._section.min_reference} needed"

    def _earlier(self, stored: StoredMap, spans: Sequence[Window]) -> Kept:
        """Summaries of all windows of the spans, in order; those that were never looked at under this map are made now."""
        if self._kept is None:
            self._kept = joined([self._store.windows(stored.id, span) for span in spans])
        return joined([part for span in spans for part in self._of_span(stored, self._kept, span)])

    def _of_span(self, stored: StoredMap, known: Kept, span: Window) -> list[Kept]:
        kept = known.part([one.start >= span.start and one.end <= span.end for one in known.windows])
        made = self.summaries(stored.map, Window(kept.windows[-1].end if kept.windows else span.start, span.end))
        if made.windows:
            self._store.write_windows(stored.id, made.windows, made.summaries)
        return [kept, made]

    def summaries(self, fitted: FeatureMap, span: Window) -> Kept:
        """Summaries of the windows of the span, made of their rows, some windows' rows in memory at a time."""
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


def fitted_on(rows: Keyed, device: str = NUMPY) -> FeatureMap:
    """The map of these rows."""
    keys = blocks(rows.users, rows.sessions, rows.traces)
    return fit(rows.vectors, folds_of(keys), in_hours(keys, rows.hours), device)


def joined(parts: Sequence[Kept]) -> Kept:
    """All windows of the parts, in their order. Parts without any may be of no width: the last of them counts alone."""
    some = [part for part in parts if part.windows] or list(parts[-1:])
    return Kept(tuple(one for part in some for one in part.windows), join([part.summaries for part in some]))


def weigh(fitted: FeatureMap, past: Summaries, healthy: npt.NDArray[np.bool_], current: Summaries) -> Weighed:
    """The evidence that the current window and those before it have drifted (pure).

    past: earlier windows in order of time; healthy bool (j,): those that may serve as reference. The newest of them are
    kept out of the reference while they are pooled with the current one.
    """
    length = reach(int(healthy.sum()))
    older = np.flatnonzero(healthy[: len(past) - (length - 1)])
    history = past.part(older)
    if not len(history):
        none = Evidence(1, "", 0.0, 0.0)
        return Weighed(0.0, (), none, 0, int(current.rows.sum()), "none")
    together = join([past.part(slice(max(len(past) - (length - 1), 0), None)), current])
    return weigh_against(fitted, history, together, [one for one in LENGTHS if one <= length])


def weigh_against(fitted: FeatureMap, history: Summaries, windows: Summaries, lengths: Sequence[int]) -> Weighed:
    """The evidence that the newest of the windows, pooled by each of the lengths, differ from the history (pure).

    The p-value is the smallest of all evidence times its number (Bonferroni). Neither may be empty.
    """
    reference = learn(history, fitted.floor)
    scanner = Scanner(reference, history, fitted.groups, lengths)
    evidence = tuple(scanner.scan(windows, len(windows) - 1)[0])
    strongest = min(evidence, key=lambda one: one.log_p)
    return Weighed(
        log_p=min(strongest.log_p + float(np.log(len(evidence))), 0.0),
        evidence=evidence,
        strongest=strongest,
        n_reference=int(history.rows.sum()),
        n_current=int(windows.rows[-strongest.length :].sum()),
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
