"""A disk that is full or nearly so: how much is left, and a reserve for the writes that free space."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

RESERVE_BYTES = 1 << 20
"""More than any bookkeeping file; a segment without its payloads has some 70 bytes for each request."""
FRESH_SECONDS = 0.5

R = TypeVar("R")


class Reserve:
    """A file of zeros that gives its space up when the disk is full, so that old segments can still be deleted.

    To delete a segment its counts must be written elsewhere first, which a full disk would not let us do.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fill()

    def fill(self) -> None:
        """Takes the space, or takes it again; does nothing where there is none."""
        if self._path.exists():
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def spend_on(self, action: Callable[[], R]) -> R:
        """Runs the action; when the disk is full, once more with the space of the reserve. Raises what the action raises."""
        try:
            return action()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not self._path.exists():
                raise
            self._path.unlink()
        try:
            return action()
        finally:
            self.fill()


class Free:
    """Space left for us on the disk of a directory, asked at most every FRESH_SECONDS."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self._asked = float("-inf")
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes that this process may still write there."""
        now = self._clock()
        if now - self._asked >= FRESH_SECONDS:
            found = os.statvfs(self._directory)
            self._bytes, self._asked = found.f_bavail * found.f_frsize, now
        return self._bytes
