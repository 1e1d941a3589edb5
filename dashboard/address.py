"""What the user looks at, as a value: parsed from the URL's query parameters and written back to them.

The URL is the only source of truth, so every view can be bookmarked and linked from an alert. Times are UTC, ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

RANGES: Final[dict[str, timedelta]] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
DEFAULT_RANGE: Final = "24h"
REFRESH_SECONDS: Final = (0, 10, 30, 60)
PAGES: Final = ("overview", "drift", "quality", "topics", "traces", "infrastructure", "coverage", "alerts")

MAX_POINTS: Final = 300
_TARGET_POINTS: Final = 120
_STEPS: Final = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_ALIGN_SECONDS: Final = 5  # a rolling window ends on a multiple of this, so that reruns share cached answers


@dataclass(frozen=True, slots=True)
class View:
    """Everything the URL says. An empty text means no restriction; `start` and `end` are set together or not at all.

    range: key of RANGES, the rolling window when no fixed one is set. at: end of the drift window that was picked.
    minimum: lower bound of `score`, in the score's unit. refresh: seconds between reloads, 0 = never.
    """

    project: str = ""
    service: str = ""
    model: str = ""
    field: str = ""
    score: str = ""
    kind: str = ""
    status: str = ""
    session: str = ""
    user: str = ""
    text: str = ""
    trace: str = ""
    span: str = ""
    alert: str = ""
    metric: str = ""
    topic: str = ""
    minimum: float | None = None
    range: str = DEFAULT_RANGE
    start: datetime | None = None
    end: datetime | None = None
    at: datetime | None = None
    refresh: int = 0


TEXTS: Final = tuple(item.name for item in fields(View) if item.default == "")
SHARED: Final = ("project", "service", "model", "range", "start", "end", "refresh")
"""What a user keeps when going from one page to another."""


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open time window [start, end), UTC, with the width of a chart's bucket in seconds."""

    start: datetime
    end: datetime
    bucket: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def surroundings(self) -> Window:
        """The window with twelve times its length before it and once after it: what shows one drift test in context."""
        length = self.end - self.start
        return Window(self.start - 12 * length, self.end + length, bucket_seconds(14 * self.seconds))


def parse(query: Mapping[str, str]) -> tuple[View, tuple[str, ...]]:
    """The view that query parameters ask for, and one sentence for each parameter that was not understood."""
    faults: list[str] = []
    texts: dict[str, Any] = {name: query.get(name, "").strip() for name in TEXTS}
    chosen = query.get("range", "")
    if chosen and chosen not in RANGES:
        faults.append(f"range={chosen} is not one of {', '.join(RANGES)}; the last {DEFAULT_RANGE} are shown.")
    start, end = _moment(query, "from", faults), _moment(query, "to", faults)
    if start and end and start >= end:
        faults.append("from must lie before to; both are ignored.")
        start = end = None
    if (start is None) != (end is None):
        length = RANGES.get(chosen, RANGES[DEFAULT_RANGE])
        start, end = (start, start + length) if start else (end - length if end else None, end)
    return View(
        **texts,
        range=chosen if chosen in RANGES else DEFAULT_RANGE,
        start=start,
        end=end,
        at=_moment(query, "at", faults),
        minimum=_number(query, "min", faults),
        refresh=_refresh(query, faults),
    ), tuple(faults)


def to_query(view: View) -> dict[str, str]:
    """The query parameters of a view; whatever stands at its default is left out. `parse` reads them back unchanged."""
    query = {name: value for name in TEXTS if (value := getattr(view, name))}
    if view.start and view.end:
        query |= {"from": iso(view.start), "to": iso(view.end)}
    elif view.range != DEFAULT_RANGE:
        query["range"] = view.range
    if view.at:
        query["at"] = iso(view.at)
    if view.minimum is not None:
        query["min"] = f"{view.minimum:g}"
    if view.refresh:
        query["refresh"] = str(view.refresh)
    return query


def link(page: str, view: View) -> str:
    """Relative address of a page showing this view, e.g. `traces?trace=4bf9...`."""
    query = urlencode(to_query(view))
    return f"{page}?{query}" if query else page


def window(view: View, now: datetime) -> Window:
    """The time window of a view; a rolling one ends at `now`, rounded up to five seconds."""
    if view.start and view.end:
        return Window(view.start, view.end, bucket_seconds((view.end - view.start).total_seconds()))
    seconds = -(-int(now.timestamp()) // _ALIGN_SECONDS) * _ALIGN_SECONDS
    end = datetime.fromtimestamp(seconds, UTC)
    length = RANGES[view.range]
    return Window(end - length, end, bucket_seconds(length.total_seconds()))


def bucket_seconds(seconds: float) -> int:
    """Width of a chart's bucket: a round step that gives about 120 points, and never more than MAX_POINTS."""
    for step in _STEPS:
        if seconds / step <= _TARGET_POINTS:
            return step
    return _STEPS[-1] * -(-int(seconds) // (_STEPS[-1] * _TARGET_POINTS))


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z; milliseconds only when there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _moment(query: Mapping[str, str], key: str, faults: list[str]) -> datetime | None:
    text = query.get(key, "").strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        faults.append(f"{key}={text} is not a time; write it as 2026-01-31T12:00:00Z.")
        return None
    if not 1971 <= moment.year <= 2200:
        faults.append(f"{key}={text} lies outside the years 1971 to 2200.")
        return None
    return moment


def _number(query: Mapping[str, str], key: str, faults: list[str]) -> float | None:
    text = query.get(key, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        faults.append(f"{key}={text} is not a number.")
        return None
    return number


def _refresh(query: Mapping[str, str], faults: list[str]) -> int:
    text = query.get("refresh", "").strip()
    if text in {"", *map(str, REFRESH_SECONDS)}:
        return int(text or 0)
    faults.append(f"refresh={text} is not one of {', '.join(map(str, REFRESH_SECONDS))} seconds.")
    return 0
