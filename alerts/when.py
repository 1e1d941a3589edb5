"""Lengths and moments as people type them on the command line (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from leewatch.errors import InputError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)")


def length(text: str) -> timedelta:
    """A length such as `45s`, `30m`, `2h`, `7d`. Raises InputError for anything else and for zero."""
    match = _LENGTH.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds < 100 * 365 * 86_400:
        raise InputError(f"{text!r} is no length of time; write e.g. 30m, 2h or 7d")
    return timedelta(seconds=seconds)


def moment(text: str, now: datetime) -> datetime:
    """A time in ISO 8601 (UTC unless it says otherwise), or that long ago, e.g. `7d`. Raises InputError for others."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return now - length(text)
        except InputError:
            raise InputError(f"{text!r} is no time; write e.g. 2026-01-31T08:00 or, for that long ago, 7d") from None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
