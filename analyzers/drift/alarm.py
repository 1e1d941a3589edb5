"""What is read to explain an alarm, and the explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np

from analyzers.clusters import Movement, explain
from analyzers.comparison.strata import codes
from analyzers.config import DriftSection
from analyzers.drift.history import SeriesStore
from analyzers.drift.records import Sample, Series, TextStore
from analyzers.explanation.story import LONGEST_WINDOW, Pairs, Story, tell
from analyzers.store import TRACES_AT_ONCE
from analyzers.windows import Window

DIMENSIONS = (
    "model", "provider", "prompt_name", "prompt_version", "service_version", "release", "environment", "feature",
    "variant", "operation", "language",
)  # fmt: skip
"""Segments that an alarm may be laid to."""
SEASON = timedelta(days=8)
"""Past in which the same hours are looked up: a week, and the last day itself."""
SHOWN_WINDOWS = 48
"""Windows that are looked at where they are too short for a daily cycle."""
SHORTEST = 900
"""Seconds of a window below which a week has too many of them to be looked at."""
ROWS_PER_WINDOW = 200
OTHER = {"prompt": "response", "response": "prompt"}


def story_of(
    texts: TextStore,
    past: SeriesStore,
    series: Series,
    before: Window,
    held: Sequence[Window],
    window: Window,
    section: DriftSection,
    seed: int,
) -> Story:
    """The story of an alarm over `window` against `before` without the held windows. past: the series' rows by window."""
    reference = texts.sample(series, before, held, section.max_reference)
    current = texts.sample(series, window, [], section.max_window)
    if not len(reference.vectors) or not len(current.vectors):
        return Story(Movement((), 0.0))
    reference_texts, current_texts = (texts.texts(series, side.keys) for side in (reference, current))
    movement = explain(reference.vectors, current.vectors, reference_texts, current_texts, seed)
    keys = [*current.keys, *reference.keys]
    dimensions = _dimensions(texts, series, keys, Window(before.start, window.end))
    recent = past.rows(
        Window(max(window.end - _reach(section.window_seconds), before.start), window.end),
        section.window_seconds,
        ROWS_PER_WINDOW,
    )
    pairs = _pairs(texts, series, (reference, current), before, held, window, section)
    return tell(series.field, movement, dimensions, (recent.hours, recent.vectors), pairs, seed)


def _reach(seconds: int) -> timedelta:
    """How far back windows of this length are looked at."""
    shown = timedelta(seconds=SHOWN_WINDOWS * seconds)
    return max(SEASON, shown) if SHORTEST <= seconds <= LONGEST_WINDOW * 3600 else shown


def _dimensions(
    texts: TextStore, series: Series, keys: Sequence[tuple[str, str]], span: Window
) -> Mapping[str, list[str]]:
    """A value per call for each of DIMENSIONS, '' where unknown."""
    known: dict[tuple[str, str], Mapping[str, str]] = {}
    traces = sorted({trace for trace, _ in keys})
    for start in range(0, len(traces), TRACES_AT_ONCE):
        found = texts.store.rows(
            "drift_dimensions",
            project=series.project,
            service=series.service,
            since=span.start,
            until=span.end,
            traces=traces[start : start + TRACES_AT_ONCE],
        )
        known.update({(row["trace_id"], row["span_id"]): row for row in found})
    return {name: [str(known.get(key, {}).get(name, "")) for key in keys] for name in DIMENSIONS}


def _pairs(
    texts: TextStore,
    series: Series,
    own: tuple[Sample, Sample],
    before: Window,
    held: Sequence[Window],
    window: Window,
    section: DriftSection,
) -> Pairs | None:
    """Prompts and answers of the sampled calls that have both; None where the other field has no rows."""
    if series.field not in OTHER:
        return None
    other = Series(series.project, series.service, OTHER[series.field])
    others = (
        texts.sample(other, before, held, section.max_reference),
        texts.sample(other, window, [], section.max_window),
    )
    prompts, answers, current, traces = [], [], [], []
    for is_current, (mine, theirs) in enumerate(zip(own, others, strict=True)):
        places = {key: place for place, key in enumerate(theirs.keys)}
        for key, vector in zip(mine.keys, mine.vectors, strict=True):
            if key in places:
                pair = (vector, theirs.vectors[places[key]])
                prompts.append(pair[0] if series.field == "prompt" else pair[1])
                answers.append(pair[1] if series.field == "prompt" else pair[0])
                current.append(bool(is_current))
                traces.append(key[0])
    if not prompts:
        return None
    return Pairs(np.stack(prompts), np.stack(answers), np.array(current), codes(traces))
