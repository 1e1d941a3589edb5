"""Which alerts are told to which channel now, together in which message, and why (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from alerts.alert import Alert

TellReason = Literal["new", "resolved", "resolved before it could be told", "repeat"]
ACK_MATCHER = "ack"


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes the alerts that all matchers fit, from starts_at to ends_at.

    An acknowledgement is a silence with the one matcher `ack` = fingerprint. It ends with the episode: it counts only
    for an alert that began to fire before it was given.
    """

    id: str
    matchers: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    created_by: str = ""
    comment: str = ""

    def mutes(self, alert: Alert, now: datetime) -> bool:
        """Whether this silence keeps the alert from being told now."""
        if not self.matchers or not self.starts_at <= now < self.ends_at:
            return False
        acknowledged = self.matchers.get(ACK_MATCHER)
        if acknowledged is not None:
            return alert.fingerprint == acknowledged and (alert.fired_at is None or alert.fired_at <= self.created_at)
        labels = alert.matchable
        return all(labels.get(key) == value for key, value in self.matchers.items())


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel was last told of an alert.

    state and at: of the last delivery that succeeded, None: none did. handle: identity of that message. failed_at:
    when a delivery last failed.
    """

    state: str | None = None
    at: datetime | None = None
    handle: str = ""
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go to a channel: those of the severities (empty: all) whose labels are as in `where`."""

    channel: str
    severities: tuple[str, ...] = ()
    where: Mapping[str, str] | None = None

    def takes(self, alert: Alert) -> bool:
        if self.severities and alert.severity not in self.severities:
            return False
        labels = alert.matchable
        return all(labels.get(key) == value for key, value in (self.where or {}).items())


@dataclass(frozen=True, slots=True)
class Timing:
    """Waits and repeats, seconds; group_by: labels that make one message of several alerts."""

    group_by: tuple[str, ...]
    group_wait_seconds: float
    repeat_seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One message that is due: its alerts (firing ones first), why, and the message it continues ("": a new one)."""

    channel: str
    group: tuple[tuple[str, str], ...]
    alerts: tuple[Alert, ...]
    reason: TellReason
    handle: str


def decide(alert: Alert, sent: Sent, muted: bool, repeat_seconds: float, now: datetime) -> TellReason | None:
    """Why one channel is to be told of this alert now, None when it is not.

    A muted alert is not told and not repeated. That an alert is resolved is told whenever it had been told that it
    fires, muted or not: no message may claim a breach that is over.
    """
    if alert.fired_at is None:
        return None
    told = sent.state if sent.at is not None and sent.at >= alert.fired_at else None
    if alert.state == "firing":
        if muted:
            return None
        if told is None:
            return "new"
        due = sent.at is not None and now - sent.at >= timedelta(seconds=repeat_seconds)
        return "repeat" if due else None
    if told == "firing":
        return "resolved"
    if alert.state != "resolved":
        return None
    tried = sent.failed_at is not None and sent.failed_at >= alert.fired_at
    return "resolved before it could be told" if told is None and tried and not muted else None


def plan(
    alerts: Iterable[Alert],
    route: Route,
    sent: Mapping[str, Sent],
    silences: Sequence[Silence],
    timing: Timing,
    now: datetime,
) -> list[Plan]:
    """Messages due on one channel. One message stands for all alerts of a group and follows them until all are over."""
    groups: dict[tuple[tuple[str, str], ...], list[Alert]] = defaultdict(list)
    for alert in alerts:
        if route.takes(alert):
            labels = alert.matchable
            groups[tuple((key, labels.get(key, "")) for key in timing.group_by)].append(alert)
    plans = (_group_plan(key, members, route.channel, sent, silences, timing, now) for key, members in groups.items())
    return [due for due in plans if due is not None]


def _group_plan(
    key: tuple[tuple[str, str], ...],
    members: list[Alert],
    channel: str,
    sent: Mapping[str, Sent],
    silences: Sequence[Silence],
    timing: Timing,
    now: datetime,
) -> Plan | None:
    reasons: dict[str, TellReason] = {}
    shown: list[Alert] = []
    for alert in members:
        was = sent.get(alert.fingerprint, Sent())
        muted = any(silence.mutes(alert, now) for silence in silences)
        reason = decide(alert, was, muted, timing.repeat_seconds, now)
        if reason is not None:
            reasons[alert.fingerprint] = reason
        if reason is not None or (alert.state == "firing" and not muted):
            shown.append(alert)
    if not reasons or _waits(members, reasons, timing, now):
        return None
    shown.sort(key=lambda alert: (alert.state != "firing", alert.since, alert.fingerprint))
    order: tuple[TellReason, ...] = ("new", "resolved", "resolved before it could be told", "repeat")
    first = min(reasons.values(), key=order.index)
    return Plan(channel, key, tuple(shown), first, _handle(shown, sent))


def _waits(members: list[Alert], reasons: Mapping[str, TellReason], timing: Timing, now: datetime) -> bool:
    """Whether the group is so young that others may join its first message."""
    if set(reasons.values()) != {"new"} or timing.group_wait_seconds <= 0:
        return False
    first = min(alert.fired_at for alert in members if alert.fingerprint in reasons and alert.fired_at is not None)
    return now - first < timedelta(seconds=timing.group_wait_seconds)


def _handle(alerts: Sequence[Alert], sent: Mapping[str, Sent]) -> str:
    """The message that was last sent for one of these alerts in its present episode."""
    candidates = [
        (was.at, was.handle)
        for alert in alerts
        if (was := sent.get(alert.fingerprint)) is not None
        and was.at is not None
        and was.handle
        and alert.fired_at is not None
        and was.at >= alert.fired_at
    ]
    return max(candidates)[1] if candidates else ""
