"""The drift test on two spans of stored calls, when somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from analyzers.config import DriftSection
from analyzers.drift.alarm import story_of
from analyzers.drift.device import NUMPY
from analyzers.drift.history import SeriesStore
from analyzers.drift.job import Budget, result_of, seed_of, told
from analyzers.drift.records import Series, TextStore
from analyzers.drift.watch import SMALLEST_WINDOW, SeriesWatch, Weighed, fitted_on, weigh_against
from analyzers.explanation.story import words
from analyzers.store import AnalyzerStore
from analyzers.windows import Past, Window
from leewatch.errors import InputError
from leewatch.schema import DriftResult

MOST_DAYS = 90
"""Days before the end of what is compared in which services are looked for."""


def between(
    store: AnalyzerStore,
    model: str,
    section: DriftSection,
    series: Series,
    spans: tuple[Window, Window],
    alpha: float,
    device: str = NUMPY,
) -> tuple[DriftResult, str]:
    """(verdict at level alpha with its story when drifted, effect in words). spans: the reference, and what is compared.

    Features are fitted on the reference alone; its windows tell what is expected at which hour, and how much healthy
    windows vary; all windows of the other span are pooled into one test of every group of features. Raises InputError
    when the spans overlap or hold too few embedded texts.
    """
    reference, current = spans
    if reference.overlaps(current):
        raise InputError(f"--reference and --current overlap: {shown(reference)} and {shown(current)}")
    kept = SeriesStore(store, series, model)
    weighed = _weighed(kept, section, spans, device)
    result, text = result_of(weighed, Budget(alpha, 1), Past(reference, pinned=True)), ""
    if result.drifted:
        seed = seed_of(series, current)
        story = story_of(TextStore(store, model), kept, series, reference, (), current, section, seed)
        result, text = told(result, story), words(story, series.field)
    return result, text


def _weighed(kept: SeriesStore, section: DriftSection, spans: tuple[Window, Window], device: str) -> Weighed:
    reference, current = spans
    rows = kept.sample(reference, (), section.max_reference)
    if len(rows) < section.min_reference:
        raise InputError(
            f"--reference {shown(reference)} has {len(rows)} embedded texts, drift.min_reference asks for "
            f"{section.min_reference}: name a longer span, or another --service or --field"
        )
    fitted = fitted_on(rows, device)
    watch = SeriesWatch(kept, section, device)
    past, now = (watch.summaries(fitted, span) for span in spans)
    if not past.windows:
        raise InputError(
            f"--reference {shown(reference)} has no window of {section.window_seconds} s with {SMALLEST_WINDOW} embedded texts: "
            "name a busier span, or raise drift.window_seconds"
        )
    found = int(now.summaries.rows.sum())
    if found < section.min_window:
        raise InputError(
            f"--current {shown(current)} has {found} embedded texts, drift.min_window asks for {section.min_window}: "
            "name a longer span"
        )
    return weigh_against(fitted, past.summaries, now.summaries, [len(now.windows)])


def series_of(store: AnalyzerStore, model: str, project: str, service: str, field: str, until: datetime) -> Series:
    """The series that is meant. Raises InputError that names the services there are, when there is no such one."""
    since = until - timedelta(days=MOST_DAYS)
    found = TextStore(store, model).series(since, until, [field])
    names = sorted(one.service for one in found if one.project == project)
    chosen = [name for name in names if not service or name == service]
    if len(chosen) != 1:
        said = f"--service {service!r}: no embedded {field}s" if service else "say which --service"
        raise InputError(f"{said}; project {project!r} has {_listed(names)}")
    return Series(project, chosen[0], field)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or f"no embedded texts in the last {MOST_DAYS} days"


def shown(span: Window) -> str:
    """The span as a person writes it, in UTC."""
    return f"{span.start:%Y-%m-%dT%H:%M}..{span.end:%Y-%m-%dT%H:%MZ}"
