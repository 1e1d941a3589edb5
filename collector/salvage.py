"""What can still be read of a damaged segment: every whole record, also behind the damage (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from collector.segment import MAGIC, Record, read_record

# A header: checksum, kind with or without PROJECT_BIT, length and counts below 2^30 and 2^24, two times, a time in ms whose
# upper bytes are those of the years 1970 to 9999 or zero. Rare enough in random bytes that few checksums are computed in vain.
_LIKELY_HEADER = re.compile(
    rb"(?=[\s\S]{4}[\x01-\x04\x81-\x84][\s\S]{3}[\x00-\x3f](?:[\s\S]{3}\x00){3}[\s\S]{22}\x00\x00)"
)


@dataclass(frozen=True, slots=True)
class Salvage:
    """Whole records in order, and the ranges [start, end) of bytes that belong to none."""

    records: list[Record]
    gaps: list[tuple[int, int]]

    def torn(self, size: int) -> tuple[int, int] | None:
        """The gap at the end of the segment: what a crash leaves half-written, or damage."""
        return self.gaps[-1] if self.gaps and self.gaps[-1][1] == size else None


def salvage(data: bytes) -> Salvage:
    """Reads a segment of which any part may be damaged. A record counts only when its checksum fits."""
    records: list[Record] = []
    gaps: list[tuple[int, int]] = []
    position = len(MAGIC) if data[: len(MAGIC)] == MAGIC else 0
    view = memoryview(data)
    while position < len(data):
        record = read_record(view, position)
        if record is None:
            behind = _next(data, view, position + 1)
            gaps.append((position, behind))
            position = behind
            continue
        records.append(record)
        position = record.offset + record.length
    return Salvage(records, gaps)


def _next(data: bytes, view: memoryview, position: int) -> int:
    """Where the next whole record begins; the end when there is none."""
    while (found := _LIKELY_HEADER.search(data, position)) is not None:
        position = found.start()
        if read_record(view, position) is not None:
            return position
        position += 1
    return len(data)
