"""What was seen of one group of a rule: its window, its labels, the verdict (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.verdict import Verdict
from leewatch.schema import Cluster


@dataclass(frozen=True, slots=True)
class Window:
    """Event time [start, end), UTC."""

    start: datetime
    end: datetime

    def earlier(self, seconds: float) -> Window:
        return Window(self.start - timedelta(seconds=seconds), self.end - timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True)
class DriftTest:
    """The newest drift test of a group."""

    method: str
    n_reference: int
    n_current: int
    p_value: float
    threshold: float
    effect: float
    effect_text: str
    clusters: tuple[Cluster, ...]


@dataclass(frozen=True, slots=True)
class Observation:
    """One group of a rule in one window."""

    labels: Mapping[str, str]
    window: Window
    verdict: Verdict
    drift: DriftTest | None = None
