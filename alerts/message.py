"""What an alert says: what happened, where, how bad it is and how sure that is (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, cast
from urllib.parse import urlencode

from alerts.alert import Alert
from alerts.observation import DriftTest, Observation, Window
from alerts.rules import OTLP, QUANTILES, SHARES, Rule
from leewatch.redact import redact
from leewatch.schema import Notification

EXAMPLE_CHARACTERS = 400
CLUSTERS_SHOWN = 3
MEMBERS_SHOWN = 10
URL_LABELS = ("project", "service", "model")
SEVERITIES = ("info", "warning", "critical")
UNITS = {"latency": "latency", "ttft": "time to first token"}


def title(rule: Rule, labels: Mapping[str, str]) -> str:
    """Headline: the rule and the group."""
    group = ", ".join(labels[key] or f"no {key}" for key in rule.by if key in labels) or labels.get("service", "")
    return f"{rule.headline}: {group}" if group else rule.headline


def location(labels: Mapping[str, str]) -> str:
    """Where: the labels, e.g. `service support-bot, model gpt-4o`."""
    return ", ".join(f"{key.replace('_', ' ')} {value or '(none)'}" for key, value in labels.items()) or "all traffic"


def what(rule: Rule, observation: Observation) -> str:
    """What happened, in one sentence, and the runbook's address where the rule names one."""
    runbook = f" Runbook: {rule.runbook}" if rule.runbook else ""
    return _happened(rule, observation) + runbook


def _happened(rule: Rule, observation: Observation) -> str:
    if observation.drift is not None:
        return _drift_sentence(rule, observation.drift)
    value, threshold = observation.verdict.value, rule.threshold or 0.0
    side = "above" if rule.compare == ">" else "below"
    if rule.ratio_to_seconds_ago is not None:
        ago = duration(timedelta(seconds=rule.ratio_to_seconds_ago))
        return f"{_subject(rule)} is {value:.2f} times what it was {ago} earlier, {side} {threshold:g} times."
    return f"{_subject(rule)} is {_amount(rule, value)}, {side} the threshold of {_amount(rule, threshold)}."


def how_bad(rule: Rule, observation: Observation) -> str:
    """The size of it, the number of samples, and how sure we are."""
    verdict, test = observation.verdict, observation.drift
    if test is not None:
        size = test.effect_text or f"{percent(test.effect)} of the window is not explained by the reference"
        return (
            f"{size}. p = {test.p_value:.2g} (threshold {test.threshold:.2g}), {test.n_current} against "
            f"{test.n_reference} in the reference."
        )
    length = duration(observation.window.end - observation.window.start)
    if verdict.outcome == "no_data":
        return f"Too little traffic to judge: {verdict.n} in {length}, {rule.min_samples} needed."
    text = f"{_amount(rule, verdict.value)} over {verdict.n} in {length}."
    if verdict.reference is not None:
        return (
            f"{verdict.value:.2f} times the earlier {_amount(rule, verdict.reference)}, over {verdict.n} in {length}."
        )
    if verdict.bound is None or verdict.outcome != "breached":
        return text
    side = "at least" if rule.compare == ">" else "at most"
    sure = f" {percent(rule.confidence)} sure that it is {side}"
    if rule.metric == "otlp_p95":
        return (
            f"{text}{sure} {percent(verdict.bound)} of observations that exceed {_amount(rule, rule.threshold or 0.0)}."
        )
    if rule.metric in QUANTILES:
        limit = _amount(rule, rule.threshold or 0.0)
        return f"{text}{sure} {percent(verdict.bound)} of requests that take longer than {limit}."
    return f"{text}{sure} {_amount(rule, verdict.bound)}."


def drift_example(test: DriftTest) -> str:
    """An example of the topic that grew most, redacted; empty when there is none."""
    for cluster in sorted(test.clusters, key=lambda c: c.reference_share - c.current_share):
        if cluster.examples:
            return example(cluster.examples[0])
    return ""


def example(text: str) -> str:
    """A text as it may be shown: redacted, on one line, at most 400 characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= EXAMPLE_CHARACTERS else line[: EXAMPLE_CHARACTERS - 1] + "…"


def url(base: str, rule: Rule, labels: Mapping[str, str], window: Window, fingerprint: str) -> str:
    """The dashboard page that shows the alert, at its window."""
    page = "infrastructure" if rule.metric in OTLP else "overview"
    page = "drift" if rule.drift is not None else "quality" if rule.score is not None else page
    parameters = {key: labels[key] for key in URL_LABELS if labels.get(key)}
    if rule.drift is not None:
        parameters["field"] = rule.drift
    if rule.score is not None:
        parameters["score"] = rule.score
    if rule.of is not None:
        parameters["metric"] = rule.of
    parameters |= {"from": _iso(window.start), "to": _iso(window.end), "alert": fingerprint}
    return f"{base}/{page}?{urlencode(parameters)}"


def notification(alerts: Sequence[Alert], group_fingerprint: str) -> Notification:
    """One message for the alerts of a group, firing ones first; it fires as long as one of them does."""
    first = alerts[0]
    firing = [alert for alert in alerts if alert.state == "firing"]
    state: Literal["firing", "resolved"] = "firing" if firing else "resolved"
    severity = max((alert.severity for alert in firing or alerts), key=SEVERITIES.index)
    common = {key: value for key, value in first.labels.items() if all(a.labels.get(key) == value for a in alerts)}
    single = len(alerts) == 1
    return Notification(
        fingerprint=first.fingerprint if single else group_fingerprint,
        rule=first.rule,
        state=state,
        severity=cast(Literal["info", "warning", "critical"], severity),
        title=first.title if single else f"{first.title} (and {len(alerts) - 1} more)",
        what=first.what if single else _members(alerts),
        where=first.location if single else location(common),
        how_bad=first.how_bad,
        since=min(alert.since for alert in firing or alerts),
        at=max(alert.at for alert in alerts),
        url=first.url,
        example=first.example,
        labels=dict(first.labels) if single else common,
    )


def duration(length: timedelta) -> str:
    """A length of time as people say it: `45 s`, `15 min`, `3 h`, `2 d`."""
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size * 2 or seconds == size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def percent(share: float) -> str:
    """A share in [0, 1] as per cent with three significant digits at most."""
    return f"{share * 100:.3g} %"


def _members(alerts: Sequence[Alert]) -> str:
    lines = [f"{alert.location} ({alert.state}): {alert.what}" for alert in alerts[:MEMBERS_SHOWN]]
    rest = len(alerts) - len(lines)
    return "\n".join([*lines, *([f"... and {rest} more"] if rest else [])])


def _drift_sentence(rule: Rule, test: DriftTest) -> str:
    field = {"prompt": "What users ask", "response": "What the model answers"}.get(str(rule.drift), f"{rule.drift}")
    moved = "; ".join(
        f"“{example(c.label)}” {percent(c.reference_share)} → {percent(c.current_share)}"
        for c in test.clusters[:CLUSTERS_SHOWN]
    )
    return f"{field} has changed.{f' Topics that moved: {moved}.' if moved else ''}"


def _subject(rule: Rule) -> str:
    metric = str(rule.metric)
    if rule.metric == "score_rate":
        return f"The share of spans with {rule.score} of at least {rule.above:g}"
    if rule.metric == "score_mean":
        return f"The mean of {rule.score}"
    if rule.metric in OTLP:
        name = rule.of if not rule.attributes else f"{rule.of} ({', '.join(rule.attributes.values())})"
        extreme = "highest" if rule.compare == ">" else "lowest"
        return {
            "otlp_mean": f"The mean of {name}",
            "otlp_max": f"The {extreme} value of {name}",
            "otlp_rate": f"The increase per second of {name}",
            "otlp_p95": f"The value that 95 % of {name} stay below",
        }[metric]
    if rule.metric in QUANTILES:
        name, _, quantile = metric.partition("_p")
        return f"The {UNITS[name]} that {quantile} % of requests stay below"
    names = {"requests": "The number of requests", "error_rate": "The share of failed requests", "cost": "The cost"}
    return names.get(metric, f"The number of {metric.replace('_', ' ')}")


def _amount(rule: Rule, value: float) -> str:
    if rule.metric in SHARES:
        return percent(value)
    if rule.metric in OTLP:
        return f"{value:,.4g}"
    if rule.metric in QUANTILES:
        return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"
    if rule.metric == "cost":
        return f"{value:,.4g} USD"
    return f"{value:.3g}" if rule.metric == "score_mean" else f"{value:,.0f}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
