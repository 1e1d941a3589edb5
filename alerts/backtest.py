"""When a rule would have fired over a stretch of history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import message
from alerts.alert import fingerprint
from alerts.lifecycle import Phase, advance
from alerts.observation import Observation
from alerts.rules import Rule
from alerts.verdict import NO_DATA

MOST_STEPS = 2000
"""Evaluations of one backtest; longer stretches are looked at in larger steps."""

Observe = Callable[[datetime], Sequence[Observation]]


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert that would have been. resolved_at: None when it still fires at the end."""

    labels: Mapping[str, str]
    fired_at: datetime
    resolved_at: datetime | None
    how_bad: str


def times(since: datetime, until: datetime, evaluate_seconds: float) -> list[datetime]:
    """The moments to evaluate at, from `since` to `until`."""
    seconds = (until - since).total_seconds()
    step = max(evaluate_seconds, seconds / MOST_STEPS)
    return [since + timedelta(seconds=step * i) for i in range(int(seconds / step) + 1)] if seconds >= 0 else []


def replay(rule: Rule, observe: Observe, moments: Iterable[datetime]) -> list[Episode]:
    """Every episode, oldest first: the production state machine over the observations of each moment."""
    phases: dict[str, Phase] = {}
    labels: dict[str, Mapping[str, str]] = {}
    running: dict[str, Episode] = {}
    done: list[Episode] = []
    for now in moments:
        found = {fingerprint(rule.name, o.labels): o for o in observe(now)}
        for identity in {**labels, **found}:
            seen = found.get(identity)
            if seen is not None:
                labels[identity] = seen.labels
            outcome = seen.verdict.outcome if seen is not None else NO_DATA.outcome
            step = advance(rule, phases.get(identity), outcome, now)
            phases[identity] = step.phase
            if step.reason is None:
                continue
            if step.phase.state == "firing" and seen is not None:
                running[identity] = Episode(seen.labels, now, None, message.how_bad(rule, seen))
            elif step.phase.state == "resolved" and identity in running:
                begun = running.pop(identity)
                done.append(Episode(begun.labels, begun.fired_at, now, begun.how_bad))
    return sorted([*done, *running.values()], key=lambda episode: episode.fired_at)
