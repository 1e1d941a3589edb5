"""The story of a drift alarm: what moved, in which segment, since when, and whether users or the model changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.clusters import Movement, describe
from analyzers.comparison.strata import matched
from analyzers.explanation import changepoint, segments
from analyzers.explanation.changepoint import Beginning
from analyzers.explanation.origin import Conditional, answers_given_prompts
from analyzers.explanation.regions import Moves
from analyzers.explanation.segments import Segment
from leewatch.contracts import Vectors

Hours = npt.NDArray[np.float64]

ANSWERS_CHANGED = 0.01
"""Level at which answers to comparable prompts are said to have changed: it explains an alarm, it raises none."""
DAY_HOURS = 24.0
LONGEST_WINDOW = 1.0
"""Hours of a window up to which a day has enough of them to tell a daily cycle."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of an alarm. None where it could not be looked at.

    since: hour since 1970 at which the change began, with its interval of 95 %.
    """

    movement: Movement
    segments: tuple[Segment, ...] = ()
    beginning: Beginning | None = None
    since: tuple[float, float, float] | None = None
    answers: Conditional | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Prompts and answers of the same calls, float32 (n, d) each; current: bool (n,); sessions: int64 (n,)."""

    prompts: Vectors
    answers: Vectors
    current: npt.NDArray[np.bool_]
    sessions: npt.NDArray[np.int64]


def tell(
    field: str,
    movement: Movement,
    dimensions: Mapping[str, Sequence[str]],
    recent: tuple[Hours, Vectors],
    pairs: Pairs | None,
    seed: int,
) -> Story:
    """The story of a moved field, `prompt` or `response`.

    dimensions: for each a value per row, the current rows first, then the reference's. recent: rows of the last days up to
    the end of the alarm's window: start of each row's window in hours since 1970, and vectors. pairs: of the same rows.
    """
    moves = movement.moves
    named: tuple[Segment, ...] = ()
    beginning, since = None, None
    if moves is not None and moves.moves:
        moved = np.concatenate([moves.grown(moves.current), moves.grown(moves.reference)])
        current = np.arange(len(moved)) < len(moves.current)
        named = tuple(segments.explain(moved, current, dimensions))
        beginning, since = _beginning(moves, *recent)
    answers = _answers(pairs, seed)
    return Story(movement, named, beginning, since, answers, _origin(field, named, answers))


def _beginning(
    moves: Moves, hours: Hours, vectors: Vectors
) -> tuple[Beginning | None, tuple[float, float, float] | None]:
    """When the share of the moved topics changed, over the last day of windows (24 at least, where there are so many)."""
    starts, codes = np.unique(hours, return_inverse=True)
    if len(starts) < changepoint.FEWEST_BINS:
        return None, None
    grown = moves.grown(moves.places(vectors))
    rows, moved = np.bincount(codes), np.bincount(codes, grown).astype(np.int64)
    length = float(np.diff(starts).min())
    shown = starts > starts[-1] - max(DAY_HOURS, 24 * length)
    expected = _expected(starts, rows, moved, shown) if length <= LONGEST_WINDOW else None
    found = changepoint.locate(rows[shown].tolist(), moved[shown].tolist(), expected)
    if found is None:
        return None, None
    at = starts[shown]
    return found, (float(at[found.bin]), float(at[found.first]), float(at[min(found.last, len(at) - 1)]))


def _expected(
    starts: Hours, rows: npt.NDArray[np.int64], moved: npt.NDArray[np.int64], shown: npt.NDArray[np.bool_]
) -> list[float] | None:
    """Share of the moved topics at the same hour of earlier days; None while a shown hour has none."""
    hour = np.floor(starts % DAY_HOURS).astype(np.int64)
    n = np.bincount(hour[~shown], rows[~shown], minlength=24)
    x = np.bincount(hour[~shown], moved[~shown], minlength=24)
    if (n[hour[shown]] == 0).any():
        return None
    share: list[float] = ((x + 0.5) / (n + 1))[hour[shown]].tolist()
    return share


def _answers(pairs: Pairs | None, seed: int) -> Conditional | None:
    if pairs is None or not pairs.current.any() or pairs.current.all():
        return None
    # Equal texts have equal vectors up to the arithmetic of their batch.
    codes = np.unique(pairs.prompts.round(3), axis=0, return_inverse=True)[1].astype(np.int64).ravel()
    rows, _ = matched(pairs.current, codes, pairs.prompts, pairs.sessions, seed)
    return answers_given_prompts(pairs.answers, pairs.current, rows.strata, seed)


def _origin(field: str, named: Sequence[Segment], answers: Conditional | None) -> str:
    """`mix`: segments of the traffic grew or shrank; `output`: answers to comparable prompts changed; `input`: prompts
    did; '' where an alarm of answers cannot be told apart."""
    if named and named[0].how == "mix":
        return "mix"
    changed = answers is not None and answers.n > 0 and answers.p_value <= ANSWERS_CHANGED
    if field == "prompt":
        return "input and output" if changed else "input"
    if answers is None or answers.n == 0:
        return ""
    return "output" if changed else "input"


ORIGINS = {
    "input": "what is asked changed",
    "output": "answers to comparable prompts changed",
    "input and output": "what is asked changed, and answers to comparable prompts too",
    "mix": "the mix of traffic changed",
}


def words(story: Story, field: str) -> str:
    """The alarm in a sentence or two, e.g. `14 % of prompts now come from topics that made up 2 %, most of it in model =
    small-2. What is asked changed.`; '' when no topic moved."""
    moved = describe(story.movement, f"{field}s")
    if not moved:
        return ""
    if story.segments:
        first = story.segments[0]
        grew = "more" if first.after > first.before else "less"
        where = f"most of it in {first.dimension} = {first.value}"
        mix = f"because there is {grew} {first.dimension} = {first.value}"
        moved += f", {where if first.how == 'within' else mix}"
    origin = ORIGINS.get(story.origin, "")
    return f"{moved}. {origin[:1].upper()}{origin[1:]}" if origin else moved


def as_json(story: Story) -> dict[str, Any]:
    """What drift_results.details says of it."""
    told: dict[str, Any] = {
        "origin": story.origin,
        "segments": [
            {
                "key": one.dimension, "value": one.value, "how": one.how, "contribution": round(one.contribution, 3),
                "before": round(one.before, 4), "after": round(one.after, 4), "z": round(one.z, 2),
                "n_current": one.n_current,
            }
            for one in story.segments[:5]
        ],
    }  # fmt: skip
    if story.beginning and story.since:
        told["began"] = {
            "hour": story.since[0], "first": story.since[1], "last": story.since[2], "shape": story.beginning.shape,
            "before": round(story.beginning.before, 4), "after": round(story.beginning.after, 4),
        }  # fmt: skip
    if story.answers:
        told["answers_given_prompts"] = {
            "p_value": story.answers.p_value, "n": story.answers.n, "covered": round(story.answers.covered, 3),
        }  # fmt: skip
    return told
