"""One process per data directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from leewatch.errors import DataDirectoryLockedError

LOCK_FILE = "store.lock"


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Holds the lock of the data directory. The kernel frees it with the process, kill -9 included.

    Raises DataDirectoryLockedError when another process holds it.
    """
    descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryLockedError(data) from None
        yield
    finally:
        os.close(descriptor)
