"""What the processes and the tables of a running installation take, read from outside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from collector.bench.fuzz.result import resident_mb
from collector.bench.processes import Installation
from leewatch.storage.client import connect

ROLES = ("store", "collector")
_PARTS = """
SELECT table, max(of_partition), sum(of_partition)
FROM
(
    SELECT table, partition, count() AS of_partition FROM system.parts
    WHERE active AND database = currentDatabase() GROUP BY table, partition
)
GROUP BY table
"""


def sample(running: Installation) -> Mapping[str, float]:
    """Series by name: memory (MB), descriptors, threads by process; files; active parts by table and of its fullest partition."""
    found: dict[str, float] = {}
    for role in ROLES:
        process = Path(f"/proc/{running.pid(role)}")
        found[f"{role}.rss_mb"] = round(resident_mb(running.pid(role)), 1)
        found[f"{role}.fds"] = _descriptors(process / "fd")
        found[f"{role}.threads"] = len(os.listdir(process / "task"))
    found["spool.files"] = _files(running.data / "spool")
    found["temporary.files"] = _files(running.data, "tmp")
    client = connect(running.settings)
    try:
        for table, fullest, parts in client.query(_PARTS).result_rows:
            found[f"{table}.fullest.parts"] = fullest
            found[f"{table}.parts"] = parts
    finally:
        client.close()
    return found


def _descriptors(directory: Path) -> int:
    """Open descriptors but for those of /proc: the database keeps three for each of its threads, which are counted as such."""
    found = 0
    for name in os.listdir(directory):
        with contextlib.suppress(OSError):  # closed meanwhile
            found += not os.readlink(directory / name).startswith("/proc/")
    return found


def _files(directory: Path, marked: str = "") -> int:
    """Files below; those with a directory above them whose name begins so. Directories come and go while it looks."""
    return sum(
        len(names)
        for path, _, names in os.walk(directory)
        if not marked or f"{os.sep}{marked}" in path[len(str(directory)) :]
    )
