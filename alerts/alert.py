"""One alert as it is stored: a row of `alert_events`, and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from alerts.lifecycle import State


@dataclass(frozen=True, slots=True)
class Alert:
    """The newest state of one alert; times are UTC.

    at: when this state was decided; since: when the breach began; fired_at: when it last began to fire, None: never.
    """

    fingerprint: str
    rule: str
    labels: Mapping[str, str]
    state: State
    severity: str
    at: datetime
    since: datetime
    value: float
    threshold: float
    title: str = ""
    what: str = ""
    location: str = ""
    how_bad: str = ""
    example: str = ""
    url: str = ""
    reason: str = ""
    fired_at: datetime | None = field(default=None)

    @property
    def told_as(self) -> Literal["firing", "resolved"]:
        """What people are told: firing or over."""
        return "firing" if self.state == "firing" else "resolved"

    @property
    def matchable(self) -> Mapping[str, str]:
        """What silences, groups and routes match: the labels, the rule, the severity and the fingerprint."""
        return {**self.labels, "rule": self.rule, "severity": self.severity, "fingerprint": self.fingerprint}


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """16 hex digits that stay the same for a rule and its labels, in any order."""
    identity = json.dumps([rule, sorted(labels.items())], ensure_ascii=False)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
