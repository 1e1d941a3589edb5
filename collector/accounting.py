"""What became of every span received: received = stored + duplicate + rejected + dead_lettered + spooled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.durable import replace_file
from collector.segment import Segment


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of spans (for logs: of log records) since the installation began.

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


def of_segment(segment: Segment) -> Totals:
    """Totals of one segment, from its records alone."""
    received = sum(record.received for record in segment.records)
    rejected = sum(record.rejected for record in segment.records)
    duplicate = sum(record.duplicate for record in segment.records)
    settlement = segment.settlement
    if settlement is None:
        return Totals(received, 0, duplicate, rejected, 0, received - rejected - duplicate)
    return Totals(received, settlement.stored, duplicate, rejected, settlement.dead_lettered, 0)


def total(parts: Iterable[Totals]) -> Totals:
    """Their sum."""
    return sum(parts, Totals())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Totals of the segments that are gone: those numbered up to `folded`."""

    folded: int = 0
    totals: Totals = Totals()

    def save(self, path: Path) -> None:
        """Replaces the file durably: after a crash it holds the old or the new totals, whole."""
        replace_file(path, json.dumps({"folded": self.folded, "totals": self.totals.as_dict()}).encode())

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """The saved checkpoint; an empty one when there is none yet."""
        try:
            saved = json.loads(path.read_bytes())
        except FileNotFoundError:
            return cls()
        return cls(saved["folded"], Totals(**saved["totals"]))
