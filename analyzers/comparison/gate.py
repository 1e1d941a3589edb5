"""What makes a roll-out fail (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyzers.comparison.report import Comparison, Line
from leewatch.errors import InputError

ANY = "worse"
"""Condition that stands for every measure that is worse."""
_CONDITION = re.compile(
    r"^\s*(?P<name>[\w.\-]+)\s*(?P<sign>[<>])\s*(?P<margin>[+-]?\d+(?:\.\d+)?)\s*(?P<percent>%?)\s*$"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """Fails the gate when a measure's change is beyond a margin.

    rises: whether a change above the margin fails (else below). margin: on the scale of the change; of a ratio it is
    the relative change, so that 0.1 stands for a tenth more.
    """

    name: str
    rises: bool
    margin: float
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a condition came to: `fail`, `pass`, or `open` while the interval holds the margin or there are no figures."""

    condition: str
    state: str
    reason: str


def condition(text: str) -> Condition | None:
    """The condition in words such as `response.toxicity > 0.02` or `duration_ms > 10%`; None for `worse`.

    Raises InputError for anything else.
    """
    if text.strip() == ANY:
        return None
    found = _CONDITION.match(text)
    if not found:
        raise InputError(
            f"--fail-on {text!r} is not a condition. Write a measure, < or >, and a margin, e.g. "
            f"'response.toxicity > 0.02' or 'duration_ms > 10%', or {ANY!r} for any measure that is worse."
        )
    margin = float(found["margin"]) / (100.0 if found["percent"] else 1.0)
    return Condition(found["name"], found["sign"] == ">", margin, text.strip())


def judge(comparison: Comparison, conditions: Sequence[str]) -> list[Outcome]:
    """What each condition came to. Raises InputError for a condition on a measure that was not compared."""
    lines = {line.name: line for line in comparison.lines}
    outcomes = []
    for text in conditions:
        asked = condition(text)
        outcomes.append(_any_worse(comparison) if asked is None else _outcome(asked, lines))
    return outcomes


def _any_worse(comparison: Comparison) -> Outcome:
    worse = [line.name for line in comparison.lines if line.verdict == "worse"]
    return Outcome(ANY, "fail" if worse else "pass", f"worse: {', '.join(worse)}" if worse else "no measure is worse")


def _outcome(asked: Condition, lines: Mapping[str, Line]) -> Outcome:
    line = lines.get(asked.name)
    if line is None:
        raise InputError(
            f"--fail-on {asked.text!r}: no measure is named {asked.name!r}. Compared: {', '.join(sorted(lines))}."
        )
    if line.low is None or line.high is None:
        return Outcome(asked.text, "open", line.reason)
    base = 1.0 if line.scale == "ratio" else 0.0
    low, high = line.low - base, line.high - base
    if not asked.rises:
        low, high = -high, -low
    margin = asked.margin if asked.rises else -asked.margin
    interval = f"change {line.low - base:+.4g} to {line.high - base:+.4g}"
    state = "fail" if low > margin else "pass" if high <= margin else "open"
    return Outcome(asked.text, state, interval)
