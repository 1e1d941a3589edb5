"""The states of one alert and what moves it between them (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.rules import Rule
from alerts.verdict import Outcome

State = Literal["inactive", "pending", "firing", "resolved"]
Reason = Literal[
    "breached",
    "breached, waits for for_seconds",
    "breach held for for_seconds",
    "recovered before for_seconds",
    "no data before for_seconds",
    "recovered",
    "no data",
    "rule removed",
]


@dataclass(frozen=True, slots=True)
class Phase:
    """Where an alert stands.

    at: when it entered its state. quiet_since: since when a firing alert has not been breached. It lives in memory:
    after a restart the time to resolve counts anew, so a restart may delay a resolution and never hastens one.
    """

    state: State
    at: datetime
    quiet_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The phase after one evaluation, and the reason when the state changed."""

    phase: Phase
    reason: Reason | None = None


def advance(rule: Rule, phase: Phase | None, outcome: Outcome, now: datetime) -> Step:
    """One evaluation.

    pending becomes firing once the breach held for `for_seconds`. firing becomes resolved once no window was breached
    or uncertain for `resolve_seconds`; without data it takes a whole window, so that none of the breach is still in it.
    """
    if phase is None or phase.state in {"inactive", "resolved"}:
        return _from_rest(rule, phase, outcome, now)
    if phase.state == "pending":
        return _from_pending(rule, phase, outcome, now)
    return _from_firing(rule, phase, outcome, now)


def _from_rest(rule: Rule, phase: Phase | None, outcome: Outcome, now: datetime) -> Step:
    if outcome != "breached":
        return Step(phase or Phase("inactive", now))
    if rule.for_seconds == 0:
        return Step(Phase("firing", now), "breached")
    return Step(Phase("pending", now), "breached, waits for for_seconds")


def _from_pending(rule: Rule, phase: Phase, outcome: Outcome, now: datetime) -> Step:
    if outcome == "breached":
        held = now - phase.at >= timedelta(seconds=rule.for_seconds)
        return Step(Phase("firing", now), "breach held for for_seconds") if held else Step(phase)
    return Step(
        Phase("inactive", now), "no data before for_seconds" if outcome == "no_data" else "recovered before for_seconds"
    )


def _from_firing(rule: Rule, phase: Phase, outcome: Outcome, now: datetime) -> Step:
    if outcome in {"breached", "uncertain"}:
        return Step(Phase("firing", phase.at))
    quiet_since = phase.quiet_since or now
    # A drift result counts as no data only after several windows without a test: nothing more to wait for.
    spent = outcome == "clear" or rule.drift is not None
    needed = rule.resolve_seconds if spent else max(rule.resolve_seconds, rule.window_seconds)
    if now - quiet_since >= timedelta(seconds=needed):
        return Step(Phase("resolved", now), "recovered" if outcome == "clear" else "no data")
    return Step(Phase("firing", phase.at, quiet_since))
