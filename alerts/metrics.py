"""Counters of the alerts."""

from __future__ import annotations

from leewatch.instruments import Metric

EVALUATIONS = Metric("leewatch_alerts_evaluations_total", "counter", "Evaluations of all rules, by outcome")
EVALUATION_SECONDS = Metric("leewatch_alerts_evaluation_seconds", "histogram", "Seconds of one evaluation of all rules")
EVALUATED = Metric(
    "leewatch_alerts_last_evaluation_timestamp_seconds",
    "gauge",
    "When all rules were last evaluated, seconds since 1970",
)
RULE_FAILURES = Metric("leewatch_alerts_rule_failures_total", "counter", "Evaluations of a rule that failed, by rule")
ACTIVE = Metric("leewatch_alerts_active", "gauge", "Alerts by state, pending or firing")
DELIVERIES = Metric("leewatch_alerts_deliveries_total", "counter", "Messages to a channel, by channel and outcome")
ALL = (EVALUATIONS, EVALUATION_SECONDS, EVALUATED, RULE_FAILURES, ACTIVE, DELIVERIES)
