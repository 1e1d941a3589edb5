"""Evaluates rules, records changes of state, tells channels. One instance, one thread; time comes from its clock."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts import evidence, message
from alerts import metrics as m
from alerts.alert import Alert, fingerprint
from alerts.channels import Channel
from alerts.config import AlertsSection
from alerts.journal import Journal
from alerts.lifecycle import Phase, Step, advance
from alerts.measure import observe
from alerts.observation import Observation
from alerts.route import Plan, Sent, Timing, plan
from alerts.rules import Rule, shipped
from alerts.verdict import NO_DATA
from leewatch.contracts import Clock
from leewatch.instruments import Registry
from leewatch.telemetry.spans import span

log = logging.getLogger(__name__)


class Engine:
    """The alert process without its loop: `evaluate`, then `deliver`, again and again."""

    def __init__(
        self,
        client: Client,
        section: AlertsSection,
        dashboard_url: str,
        channels: Sequence[Channel],
        clock: Clock,
        registry: Registry | None = None,
    ) -> None:
        self._registry = registry or Registry(m.ALL, "alerts")
        self._client = client
        self._section = section
        self._url = dashboard_url
        self._channels = channels
        self._clock = clock
        self._journal = Journal(client)
        self._timing = Timing(section.group_by, section.group_wait_seconds, section.repeat_seconds)
        self._alerts = {alert.fingerprint: alert for alert in self._journal.alerts(self._now())}
        self._quiet: dict[str, Phase] = {}
        self._sent = self._journal.sent(self._now(), self._alerts.values())

    def evaluate(self) -> list[Alert]:
        """Evaluates every rule once and records the alerts whose state changed, which it returns.

        A rule whose query fails is logged and keeps its states; the others are evaluated.
        """
        now = self._now()
        rules = self._rules()
        changed: list[Alert] = []
        phases: dict[str, Phase] = {}
        failed: list[str] = []
        for rule in rules.values():
            try:
                observations = observe(
                    self._client, rule, now, self._section.lateness_seconds, self._section.late_arrival_seconds
                )
            except ClickHouseError as error:
                log.warning("rule %s could not be evaluated: %s", rule.name, _first_line(error))
                failed.append(rule.name)
                self._registry.add(m.RULE_FAILURES, rule=rule.name)
                continue
            for alert, phase in self._judge(rule, observations, now):
                phases[phase_key(alert)] = phase
                if alert is not self._alerts.get(alert.fingerprint):
                    changed.append(alert)
        changed.extend(self._removed(set(rules), now))
        self._journal.record(changed)
        self._quiet.update(phases)
        self._alerts.update({alert.fingerprint: alert for alert in changed})
        for alert in changed:
            log.info("%s %s: %s (%s)", alert.rule, alert.location, alert.state, alert.reason)
        for state in ("pending", "firing"):
            self._registry.set(m.ACTIVE, sum(alert.state == state for alert in self._alerts.values()), state=state)
        done = now - timedelta(seconds=self._section.lateness_seconds)
        self._journal.progress(now, done, len(rules), f"failed: {', '.join(failed)}" if failed else "")
        return changed

    def deliver(self) -> None:
        """Tells every channel what is due, and records each attempt right after it.

        Raises ClickHouseError when the database is away; what was told meanwhile is remembered and recorded later.
        """
        self._journal.catch_up()
        now = self._now()
        silences = self._journal.silences(now)
        for channel in self._channels:
            if not channel.free(now):
                continue
            sent = self._sent.setdefault(channel.name, {})
            for due in plan(self._alerts.values(), channel.route, sent, silences, self._timing, now):
                if channel.waits(now):
                    break
                self._tell(channel, due)

    @property
    def next_retry(self) -> datetime | None:
        """When the first channel that failed may be tried again; None when none failed."""
        times = [channel.blocked_until for channel in self._channels if channel.blocked_until is not None]
        return min(times) if times else None

    def _now(self) -> datetime:
        """The time in whole milliseconds, as the database keeps it."""
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _rules(self) -> Mapping[str, Rule]:
        configured = self._section.rules if self._section.rules is not None else shipped()
        return {rule.name: rule for rule in (*configured, *self._journal.saved_rules())}

    def _judge(self, rule: Rule, observations: Sequence[Observation], now: datetime) -> list[tuple[Alert, Phase]]:
        judged: list[tuple[Alert, Phase]] = []
        seen: set[str] = set()
        for observation in observations:
            identity = fingerprint(rule.name, observation.labels)
            seen.add(identity)
            known = self._alerts.get(identity)
            step = advance(rule, self._phase(known), observation.verdict.outcome, now)
            if step.reason is not None:
                judged.append((self._changed(rule, observation, identity, step, known, now), step.phase))
            elif known is not None:
                judged.append((known, step.phase))
        active = [a for a in self._alerts.values() if a.rule == rule.name and a.state in {"pending", "firing"}]
        for known in active:
            if known.fingerprint not in seen:
                step = advance(rule, self._phase(known), NO_DATA.outcome, now)
                judged.append((_ended(known, step, now) if step.reason else known, step.phase))
        return judged

    def _phase(self, known: Alert | None) -> Phase | None:
        if known is None:
            return None
        return self._quiet.get(phase_key(known), Phase(known.state, known.at))

    def _changed(
        self, rule: Rule, observation: Observation, identity: str, step: Step, known: Alert | None, now: datetime
    ) -> Alert:
        state = step.phase.state
        continues = known is not None and known.state in {"pending", "firing"}
        late = self._section.late_arrival_seconds
        since = known.since if continues and known else evidence.since(self._client, rule, observation, late)
        value = observation.verdict.value
        alert = Alert(
            fingerprint=identity,
            rule=rule.name,
            labels=observation.labels,
            state=state,
            severity=rule.severity,
            at=now,
            since=since,
            value=value if value == value else 0.0,  # NaN: nothing was measured
            threshold=rule.threshold if rule.threshold is not None else rule.min_effect,
            title=message.title(rule, observation.labels),
            what=message.what(rule, observation),
            location=message.location(observation.labels),
            how_bad=message.how_bad(rule, observation),
            url=message.url(self._url, rule, observation.labels, observation.window, identity),
            reason=str(step.reason),
            fired_at=now if state == "firing" else known.fired_at if known is not None else None,
        )
        if state == "firing":
            found = evidence.example(self._client, rule, observation, late)
            return dataclasses.replace(alert, example=found)
        if state == "resolved" and known is not None:
            over = f"Now: {alert.how_bad} It was: {known.how_bad}"
            return dataclasses.replace(alert, what=known.what, how_bad=over, example=known.example, url=known.url)
        return alert

    def _removed(self, rules: set[str], now: datetime) -> list[Alert]:
        """Active alerts whose rule is gone, ended."""
        return [
            _ended(alert, Step(Phase("resolved" if alert.state == "firing" else "inactive", now), "rule removed"), now)
            for alert in self._alerts.values()
            if alert.state in {"pending", "firing"} and alert.rule not in rules
        ]

    def _tell(self, channel: Channel, due: Plan) -> None:
        group = fingerprint(due.alerts[0].rule, dict(due.group))
        with span("tell channel", channel=channel.name, alerts=len(due.alerts)):
            result = channel.notifier.send(message.notification(due.alerts, group), due.handle)
        now = self._now()
        attempt = channel.record(result, now)
        self._registry.add(m.DELIVERIES, channel=channel.name, outcome="ok" if result.ok else "failed")
        sent = self._sent[channel.name]
        for alert in due.alerts:
            before = sent.get(alert.fingerprint, Sent())
            sent[alert.fingerprint] = (
                Sent(alert.told_as, now, result.handle, before.failed_at)
                if result.ok
                else dataclasses.replace(before, failed_at=now)
            )
        level = logging.INFO if result.ok else logging.WARNING
        text = "told" if result.ok else f"not told (attempt {attempt}): {result.error}"
        log.log(level, "channel %s %s: %s (%s)", channel.name, text, due.alerts[0].title, due.reason)
        self._journal.record_delivery(
            due.alerts, channel.name, now, result.ok, attempt, message.example(result.error), result.handle
        )


def phase_key(alert: Alert) -> str:
    """Phases in memory belong to one state of one alert: a new state has a new one."""
    return f"{alert.fingerprint}:{alert.state}"


def _ended(alert: Alert, step: Step, now: datetime) -> Alert:
    return dataclasses.replace(alert, state=step.phase.state, at=now, reason=str(step.reason))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
