"""What the demonstration injects, which alerts must follow, and when it has succeeded (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from leewatch.demo.applications import CHAT_SERVICE, HANDBOOK_SERVICE, SUPPORT_SERVICE
from leewatch.errors import InputError


@dataclass(frozen=True)
class Incident:
    """One thing that goes wrong in one service, and the rule that must notice it."""

    name: str
    service: str
    rule: str
    story: str


INCIDENTS: tuple[Incident, ...] = (
    Incident("topic", SUPPORT_SERVICE, "prompt-drift", "prompts move to a topic the service never saw"),
    Incident(
        "grounding", HANDBOOK_SERVICE, "response-hallucination", "a new model answers without regard to its documents"
    ),
    Incident("toxicity", CHAT_SERVICE, "response-toxicity", "abusive prompts and abusive answers"),
)
CHOICES = ("all", *(incident.name for incident in INCIDENTS), "none")


class Phase(StrEnum):
    """Where the demonstration stands."""

    HEALTHY = "healthy"
    INCIDENT = "incident"
    RECOVERY = "recovery"
    DONE = "done"


@dataclass(frozen=True)
class Timing:
    """How long the phases last, seconds."""

    healthy: float = 35.0
    quiet: float = 100.0
    incident_limit: float = 150.0
    recovery_limit: float = 300.0


@dataclass(frozen=True)
class AlertState:
    """The newest state of one alert, as the store has it."""

    fingerprint: str
    rule: str
    service: str
    state: str
    delivered: bool
    title: str
    at: datetime


def chosen(name: str) -> tuple[Incident, ...]:
    """The incidents of a `--inject` value. Raises InputError for an unknown one."""
    if name == "none":
        return ()
    if name == "all":
        return INCIDENTS
    picked = tuple(incident for incident in INCIDENTS if incident.name == name)
    if not picked:
        raise InputError(f"--inject {name!r}: expected one of {', '.join(CHOICES)}")
    return picked


def unseen(incidents: Sequence[Incident], fired: Collection[tuple[str, str]]) -> list[Incident]:
    """Incidents without a delivered alert; `fired` holds (rule, service) of every alert that was delivered firing."""
    return [incident for incident in incidents if (incident.rule, incident.service) not in fired]


def unresolved(incidents: Sequence[Incident], states: Sequence[AlertState]) -> list[Incident]:
    """Incidents whose alert is not resolved, or whose resolution was not delivered yet."""
    done = {(s.rule, s.service) for s in states if s.state == "resolved" and s.delivered}
    still = {(s.rule, s.service) for s in states if s.state in {"pending", "firing"}}
    return [i for i in incidents if (i.rule, i.service) not in done or (i.rule, i.service) in still]


def next_phase(
    phase: Phase, seconds: float, timing: Timing, missing: Sequence[Incident], open_: Sequence[Incident], inject: bool
) -> Phase:
    """The phase that follows after `seconds` in the present one; the same when nothing changes."""
    if phase is Phase.HEALTHY and seconds >= (timing.healthy if inject else timing.quiet):
        return Phase.INCIDENT if inject else Phase.DONE
    if phase is Phase.INCIDENT and (not missing or seconds >= timing.incident_limit):
        return Phase.RECOVERY
    if phase is Phase.RECOVERY and (not open_ or seconds >= timing.recovery_limit):
        return Phase.DONE
    return phase


def verdict(missing: Sequence[Incident], open_: Sequence[Incident], unprovoked: int) -> str:
    """Empty when the demonstration succeeded, else the reason it did not. unprovoked: alerts that nothing called for."""
    if unprovoked:
        return f"{unprovoked} alert(s) fired although nothing was injected"
    if missing:
        return "no alert was delivered for: " + ", ".join(f"{i.name} in {i.service}" for i in missing)
    if open_:
        return "the alert was not resolved for: " + ", ".join(f"{i.name} in {i.service}" for i in open_)
    return ""
