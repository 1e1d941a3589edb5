"""One process per data directory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from leewatch.errors import DataDirectoryLockedError
from leewatch.locking import exclusive

LOCK_FILE = "store.lock"


def locked(data: Path) -> AbstractContextManager[None]:
    """Holds the lock of the data directory. Raises DataDirectoryLockedError when another process holds it."""
    return exclusive(data / LOCK_FILE, DataDirectoryLockedError(data))
