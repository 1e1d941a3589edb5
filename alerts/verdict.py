"""What one measured window says about a rule: breached, clear, uncertain or no data (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alerts import bounds
from alerts.rules import EXACT, QUANTILES, SHARES, TOTALS, Rule

Outcome = Literal["breached", "uncertain", "clear", "no_data"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One window of one group as measured.

    n: spans or scores in it. effective: Kish's effective number of weighted observations, (sum w)^2 / sum w^2 (Survey
    Sampling, 1965, section 11.7); n when unweighted. value: in the unit of the metric. tail: for a latency quantile the
    share of spans beyond the threshold. deviation: standard deviation, for a mean.
    """

    n: int
    value: float
    effective: float = 0.0
    tail: float = 0.0
    deviation: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and the numbers behind it.

    bound: one-sided confidence bound of the value (for a latency quantile: of the tail share); None where the value is
    exact or compared as a ratio. reference: value of the earlier window, for a ratio.
    """

    outcome: Outcome
    value: float
    n: int
    bound: float | None = None
    reference: float | None = None


NO_DATA = Verdict("no_data", float("nan"), 0)


def judge(rule: Rule, sample: Sample | None, earlier: Sample | None = None) -> Verdict:
    """The verdict on one window of a metric rule.

    Breached only when the confidence bound lies beyond the threshold; clear as soon as the value itself does not;
    uncertain between the two, which keeps a firing alert firing: the hysteresis of resolving. A window below
    min_samples is no data; for totals it is judged anyway when they are to be small, as no traffic is what such a rule
    looks for.
    """
    threshold = rule.threshold if rule.threshold is not None else 0.0
    if sample is None:
        return NO_DATA
    too_few = sample.n < rule.min_samples
    if too_few and not (rule.metric in TOTALS and rule.compare == "<"):
        return Verdict("no_data", sample.value, sample.n)
    if rule.ratio_to_seconds_ago is not None:
        return _ratio(rule, sample, earlier, threshold)
    beyond = _beyond(sample.value, threshold, rule.compare)
    if rule.metric in EXACT:
        return Verdict("breached" if beyond else "clear", sample.value, sample.n)
    bound, limit = _bound(rule, sample, threshold)
    if not beyond:
        return Verdict("clear", sample.value, sample.n, bound)
    return Verdict("breached" if _beyond(bound, limit, rule.compare) else "uncertain", sample.value, sample.n, bound)


def judge_drift(rule: Rule, drifted: bool, effect: float, n: int, stale: bool) -> Verdict:
    """The verdict on the newest drift test of a group: breached when it drifted by at least `min_effect`."""
    if stale:
        return Verdict("no_data", effect, n)
    return Verdict("breached" if drifted and effect >= rule.min_effect else "clear", effect, n)


def _ratio(rule: Rule, sample: Sample, earlier: Sample | None, threshold: float) -> Verdict:
    if earlier is None or earlier.n < rule.min_samples or earlier.value == 0:
        return Verdict("no_data", sample.value, sample.n)
    ratio = sample.value / earlier.value
    outcome: Outcome = "breached" if _beyond(ratio, threshold, rule.compare) else "clear"
    return Verdict(outcome, ratio, sample.n, reference=earlier.value)


def _bound(rule: Rule, sample: Sample, threshold: float) -> tuple[float, float]:
    """The confidence bound and what it is compared with.

    A quantile lies beyond the threshold exactly when the share of spans beyond it exceeds 1 - q, so its test is one on
    a binomial share and needs no distribution (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2).
    """
    high = rule.compare == ">"
    effective = sample.effective or sample.n
    if rule.metric in SHARES:
        side = bounds.share_lower if high else bounds.share_upper
        return side(sample.value, effective, rule.confidence), threshold
    if rule.metric in QUANTILES:
        side = bounds.share_lower if high else bounds.share_upper
        return side(sample.tail, effective, rule.confidence), 1 - QUANTILES[rule.metric or ""]
    margin = bounds.mean_margin(sample.deviation, effective, rule.confidence)
    return sample.value - margin if high else sample.value + margin, threshold


def _beyond(value: float, limit: float, compare: str) -> bool:
    return value > limit if compare == ">" else value < limit
