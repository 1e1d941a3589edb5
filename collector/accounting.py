"""What became of every span received: received = stored + duplicate + rejected + dead_lettered + spooled."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from collector.durable import replace_file
from collector.segment import Outcome, Segment
from leewatch.projects import DEFAULT_PROJECT


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of spans (for logs: of log records, for metrics: of data points) since the installation began.

    received: all spans of well-formed requests. stored: inserted, as the ledger says. duplicate: of a byte-identical
    request received before. rejected: refused alone, by partial_success. dead_lettered: refused by the database.
    spooled: durable here, and the ledger has not been read yet.
    """

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_lettered: int = 0
    spooled: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.received + other.received,
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
            self.dead_lettered + other.dead_lettered,
            self.spooled + other.spooled,
        )

    @property
    def balanced(self) -> bool:
        return self.received == self.stored + self.duplicate + self.rejected + self.dead_lettered + self.spooled

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


Accounts = Mapping[str, Totals]
"""Totals by project."""


def of_segment(segment: Segment) -> Accounts:
    """Totals of one segment by project, from its records alone."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for record in segment.records:
        count = counts[record.project]
        count[0] += record.received
        count[1] += record.rejected
        count[2] += record.duplicate
    return {name: _of_project(segment, name, *count) for name, count in counts.items()}


def _of_project(segment: Segment, project: str, received: int, rejected: int, duplicate: int) -> Totals:
    if segment.settlement is None:
        return Totals(received, 0, duplicate, rejected, 0, received - rejected - duplicate)
    outcome = segment.settlement.outcomes.get(project, Outcome())
    return Totals(received, outcome.stored, duplicate, rejected, outcome.dead_lettered, 0)


def merged(parts: Iterable[Accounts]) -> dict[str, Totals]:
    """Their sum by project."""
    sums: dict[str, Totals] = {}
    for part in parts:
        for name, totals in part.items():
            sums[name] = sums[name] + totals if name in sums else totals
    return sums


def total(accounts: Accounts) -> Totals:
    """The sum over all projects."""
    return sum(accounts.values(), Totals())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Totals of the segments that are gone: those numbered up to `folded`."""

    folded: int = 0
    accounts: Accounts = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Replaces the file durably: after a crash it holds the old or the new totals, whole."""
        projects = {name: totals.as_dict() for name, totals in self.accounts.items()}
        replace_file(path, json.dumps({"folded": self.folded, "projects": projects}).encode())

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """The saved checkpoint; an empty one when there is none yet. An older one knows a single project."""
        try:
            saved = json.loads(path.read_bytes())
        except FileNotFoundError:
            return cls()
        projects = saved.get("projects") or {DEFAULT_PROJECT: saved.get("totals", {})}
        return cls(saved["folded"], {name: Totals(**totals) for name, totals in projects.items()})
