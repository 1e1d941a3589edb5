"""Bytes of the spool that cannot be read any more, kept for a person to look at; they are counted and never deleted."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger(__name__)

DIRECTORY = "quarantine"


class Quarantine:
    """A folder in the spool directory of one signal. Made when it is first needed."""

    def __init__(self, spool: Path) -> None:
        self._directory = spool / DIRECTORY

    def keep(self, source: Path, offset: int, data: bytes) -> Path:
        """Writes a copy of what stood at this offset of the file, once; where it is. Raises OSError."""
        path = self._directory / f"{source.name}.{offset}"
        if not path.exists():
            self._directory.mkdir(exist_ok=True)
            path.write_bytes(data)
        return path

    def take(self, source: Path) -> Path:
        """Moves a whole file here; where it is. Raises OSError."""
        self._directory.mkdir(exist_ok=True)
        return source.replace(self._directory / source.name)

    @property
    def bytes(self) -> int:
        """Size of all that is kept."""
        try:
            return sum(path.stat().st_size for path in self._directory.iterdir())
        except OSError:
            return 0
