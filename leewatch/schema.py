"""Values that travel between the parts of Leewatch: frozen, typed, with units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Field = Literal["prompt", "response", "context", "span"]


@dataclass(frozen=True, slots=True)
class SpanTexts:
    """The texts of one LLM span that scorers look at. None means the span carries no such text.

    `prompt` is the last user message, `response` the text of output message 0, `context` the retrieved documents joined
    by blank lines. finish_reason: why the model stopped (stop, length, tool_call, content_filter ...), '' where it is not known.
    """

    id: str
    prompt: str | None = None
    response: str | None = None
    context: str | None = None
    finish_reason: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """One score of one span.

    name: address `<field>.<name>`, e.g. `response.toxicity`.
    value: built-in risk scores lie in [0, 1], 1 = what one is warned of; None = could not be given, and `reason` says why.
    label: category, where the scorer has one.
    explanation: one sentence for a person.
    details: findings, e.g. `{"start": 0, "end": 80, "score": 0.8}` (character offsets into the field, end exclusive).
    weight: 1 / the probability that the scorer judged this span, for a scorer that judges a random sample of what it is given;
    0 for a span that it left out. Every aggregate counts a score that often.
    """

    name: str
    value: float | None
    label: str = ""
    explanation: str = ""
    details: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A topic whose share of the traffic moved. Shares lie in [0, 1]; examples are redacted texts.

    reference_interval, current_interval: (low, high) of the shares; empty where none was worked out.
    """

    label: str
    reference_share: float
    current_share: float
    examples: tuple[str, ...] = ()
    reference_interval: tuple[float, ...] = ()
    current_interval: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftResult:
    """One drift test that was run.

    p_value: under exchangeability of reference and current; threshold: the alpha it was compared with.
    effect: estimated share of the current window that the reference does not explain, in [0, 1].
    """

    drifted: bool
    p_value: float
    threshold: float
    statistic: float
    method: str
    version: str
    effect: float
    n_reference: int
    n_current: int
    clusters: tuple[Cluster, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """One message for people about one alert.

    fingerprint: stable identity of the alert (rule and labels); a notifier updates the message it sent for it before.
    state: firing or resolved. url: dashboard page at the window. example: already redacted.
    since: when the breach began; at: when this state was decided (UTC).
    """

    fingerprint: str
    rule: str
    state: Literal["firing", "resolved"]
    severity: Literal["info", "warning", "critical"]
    title: str
    what: str
    where: str
    how_bad: str
    since: datetime
    at: datetime
    url: str
    example: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
