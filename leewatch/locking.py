"""A lock file that one process holds."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leewatch.errors import LeewatchError


@contextmanager
def exclusive(file: Path, taken: LeewatchError) -> Iterator[None]:
    """Holds the lock of a file, which is made where it is missing. The kernel frees it with the process, kill -9 included.

    Raises `taken` when another process holds it, OSError when the file cannot be made.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken from None
        yield
    finally:
        os.close(descriptor)
