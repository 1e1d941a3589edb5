"""Files that survive a crash: whole writes, atomic replacement, the lock on the spool directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from leewatch.errors import DataDirectoryLockedError

_BUFFERS_PER_CALL = 512  # below IOV_MAX (1024 on Linux)


def write_all(descriptor: int, buffers: Sequence[bytes]) -> int:
    """Bytes written: all of them, in order. Raises OSError; then part of them may have been written."""
    written = 0
    for start in range(0, len(buffers), _BUFFERS_PER_CALL):
        chunk: list[bytes | memoryview] = [buffer for buffer in buffers[start : start + _BUFFERS_PER_CALL] if buffer]
        while chunk:
            count = os.writev(descriptor, chunk)
            written += count
            while chunk and count >= len(chunk[0]):
                count -= len(chunk.pop(0))
            if chunk and count:
                chunk[0] = memoryview(chunk[0])[count:]
    return written


def sync_directory(directory: Path) -> None:
    """Makes names created in, or removed from, this directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Writes the file, readable by its owner alone, so that a crash leaves the old or the new content, never a mixture."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def lock_directory(directory: Path, data: Path) -> int:
    """Descriptor that holds the lock on this directory until it is closed or the process ends.

    Raises DataDirectoryLockedError, naming `data`, when another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataDirectoryLockedError(data) from None
    return descriptor


def boot_id() -> str:
    """Changes when the machine restarts; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
