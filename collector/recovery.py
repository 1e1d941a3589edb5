"""Segments as an earlier process left them: whole, torn by a crash, or damaged."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from collector.quarantine import Quarantine
from collector.salvage import salvage
from collector.segment import Kind, Outcome, Record, Segment, Settlement, Signal

log = logging.getLogger(__name__)


def read_segment(path: Path, signal: Signal, number: int, boot: str, quarantine: Quarantine) -> Segment | None:
    """The segment with every record that can still be read; None, and the file is gone, when it has none.

    What cannot be read goes to the quarantine. boot: a settlement of another boot does not count, for the machine may have
    lost what the database had not written; the segment is verified again. Raises OSError.
    """
    data = path.read_bytes()
    found = salvage(data)
    torn = found.torn(len(data))
    for start, end in found.gaps:
        kept = quarantine.keep(path, start, data[start:end])
        if (start, end) == torn:
            log.warning(
                "spool segment %s: cut %d bytes behind its last whole record, kept as %s", path.name, end - start, kept
            )
        else:
            log.error("spool segment %s is DAMAGED: %d bytes are lost, kept as %s", path.name, end - start, kept)
    if all(record.kind is Kind.SETTLED for record in found.records):
        path.unlink()
        return None
    if torn is not None:
        os.truncate(path, torn[0])
    segment = Segment(path, signal, number, size=torn[0] if torn else len(data), recovered=True)
    segment.records = [record for record in found.records if record.kind is not Kind.SETTLED]
    segment.settlement = _settlement(found.records, data, boot)
    if segment.settlement is not None:
        segment.records += _lost_records(segment, segment.settlement)
    return segment


def _settlement(records: list[Record], data: bytes, boot: str) -> Settlement | None:
    dropped = [record for record in records if record.kind is Kind.DROPPED]
    for record in reversed(records):
        if record.kind is Kind.SETTLED:
            settlement = Settlement.decode(data[record.offset : record.offset + record.length])
            return settlement if settlement.boot == boot or dropped else None
    # Payloads are given up only after their insert: without its last record the segment is still known to be stored.
    outcomes: dict[str, Outcome] = {}
    for record in dropped:
        before = outcomes.get(record.project, Outcome())
        outcomes[record.project] = replace(before, stored=before.stored + record.accepted)
    return Settlement(outcomes, 0.0, boot) if dropped else None


def _lost_records(segment: Segment, settlement: Settlement) -> list[Record]:
    """A note for spans that the settlement speaks of and whose records are damaged: they were received, and have their place."""
    notes = []
    for project, outcome in settlement.outcomes.items():
        accepted = sum(record.accepted for record in segment.records if record.project == project)
        lost = outcome.stored + outcome.dead_lettered - accepted
        if lost > 0:
            notes.append(Record(Kind.NOTE, received=lost, project=project))
    return notes
