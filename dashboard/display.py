"""Numbers, times and changes as a person reads them. Pure. A missing value (None or NaN) reads as a dash."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

DASH: Final = "–"
_SCALES: Final = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def missing(value: float | None) -> bool:
    """Whether there is no number to show."""
    return value is None or math.isnan(value)


def count(value: float | None) -> str:
    """A count: 0, 950, 12,345 below 100,000, then 1.23M."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:,.0f}" if abs(value) < 1e5 else compact(value)


def compact(value: float | None) -> str:
    """Three significant digits with k, M, B or T."""
    if value is None or math.isnan(value):
        return DASH
    for scale, suffix in _SCALES:
        if abs(value) >= scale * 0.9995:
            return f"{_digits(value / scale)}{suffix}"
    return _digits(value)


def _digits(value: float) -> str:
    size = abs(value)
    places = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2
    return f"{value:,.{places}f}"


def milliseconds(value: float | None) -> str:
    """A duration given in ms: 0.42 ms, 840 ms, 1.24 s, 2 min 05 s, 3 h 12 min."""
    if value is None or math.isnan(value):
        return DASH
    if value < 1000:
        return f"{value:.2f} ms" if 0 < value < 1 else f"{value:.0f} ms"
    seconds = value / 1000
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def dollars(value: float | None) -> str:
    """An amount in USD: $0.0034, $12.40, $1.25k."""
    if value is None or math.isnan(value):
        return DASH
    if value == 0:
        return "$0"
    if abs(value) < 0.00005:
        return "<$0.0001"
    if abs(value) < 1:
        return f"${value:.4f}"
    return f"${value:,.2f}" if abs(value) < 1000 else f"${compact(value)}"


def percent(value: float | None) -> str:
    """A share in [0, 1] as percent: 0.04 %, 3.2 %, 41 %."""
    if value is None or math.isnan(value):
        return DASH
    size = abs(value) * 100
    if size == 0:
        return "0 %"
    places = 2 if size < 1 else 1 if size < 10 else 0
    return f"{value * 100:.{places}f} %"


def probability(value: float | None) -> str:
    """A p-value: 0.42, 0.003, 2e-05."""
    if value is None or math.isnan(value):
        return DASH
    if value >= 0.001:
        return f"{value:.2g}"
    return f"{value:.0e}" if value > 0 else "0"


def decimal(value: float | None) -> str:
    """A score: 0.93; a number beyond 10 in compact form."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:.2f}" if abs(value) < 10 else compact(value)


def clock(moment: datetime, now: datetime | None = None) -> str:
    """A moment in UTC: `14:05:09` today, else `12 Mar 14:05`; with the year when it is another one."""
    moment = moment.astimezone(UTC)
    if now is not None and moment.date() == now.astimezone(UTC).date():
        return moment.strftime("%H:%M:%S")
    if now is not None and moment.year != now.year:
        return moment.strftime("%-d %b %Y %H:%M")
    return moment.strftime("%-d %b %H:%M")


def between(start: datetime, end: datetime) -> str:
    """A span of time in UTC: `12 Mar 14:05 to 13 Mar 02:05`; with seconds, and the day once, when it is under an hour."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if (end - start).total_seconds() < 3600 and start.date() == end.date():
        return f"{start:%-d %b %H:%M:%S} to {end:%H:%M:%S}"
    return f"{clock(start)} to {clock(end)}"


def ago(seconds: float) -> str:
    """An age: `just now`, `4 min ago`, `3 h ago`, `2 days ago`."""
    if seconds < 60:
        return "just now"
    if seconds < 7200:
        return f"{int(seconds // 60)} min ago"
    if seconds < 172800:
        return f"{int(seconds // 3600)} h ago"
    return f"{int(seconds // 86400)} days ago"


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved against the previous period. tone says whether that is good, bad or neither."""

    text: str
    tone: Literal["good", "bad", "neutral"]


def change(current: float | None, previous: float | None, better: Literal["up", "down", "none"] = "none") -> Change:
    """The relative change; without a previous figure it says so. Below 1 % it counts as unchanged."""
    if current is None or previous is None or math.isnan(current) or math.isnan(previous):
        return Change("no earlier data", "neutral")
    if previous == 0:
        return Change("no change", "neutral") if current == 0 else Change("from 0", _tone(1, better))
    ratio = (current - previous) / abs(previous)
    if abs(ratio) < 0.01:
        return Change("no change", "neutral")
    size = (
        f"{abs(ratio) * 100:.0f} %" if abs(ratio) < 10 else f"{current / previous:.0f}×" if ratio < 99 else "over 100×"
    )
    return Change(f"{'▲' if ratio > 0 else '▼'} {size}", _tone(ratio, better))


def _tone(ratio: float, better: str) -> Literal["good", "bad", "neutral"]:
    if better == "none":
        return "neutral"
    return "good" if (ratio > 0) == (better == "up") else "bad"
