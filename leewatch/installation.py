"""Which roles run on a data directory, and where they listen: one small file a role under `<data>/run/`.

A role writes its file when it starts and removes it when it ends; a file whose process is gone counts for nothing.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leewatch.errors import DataDirectoryNotWritableError

log = logging.getLogger(__name__)

RUN_DIRECTORY = "run"
LISTENING_KEYS: Mapping[str, tuple[str, ...]] = {
    "store": ("host", "port"),
    "collector": ("host", "grpc_port", "http_port", "health_port", "tls"),
    "analyzers": ("health_host", "health_port"),
    "alerts": ("health_host", "health_port"),
    "dashboard": ("host", "port", "public_url", "health_host", "health_port"),
}


@dataclass(frozen=True)
class RunningRole:
    """A role that runs. `listening` holds the keys of its section that say where."""

    role: str
    pid: int
    listening: Mapping[str, Any]


def running(data: Path) -> dict[str, RunningRole]:
    """Roles whose processes are alive on this machine, by name."""
    roles: dict[str, RunningRole] = {}
    for path in sorted((data / RUN_DIRECTORY).glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            role = RunningRole(path.stem, int(content["pid"]), dict(content["listening"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # being written or removed right now, or of a release that wrote another shape
        if _alive(role.pid):
            roles[role.role] = role
    return roles


@contextmanager
def registered(data: Path, role: str, listening: Mapping[str, Any]) -> Iterator[None]:
    """Says for as long as it is open that this process is the role, unless another living process says so already.

    A role on a full disk runs without: it may be the one that frees space. Raises DataDirectoryNotWritableError.
    """
    path = data / RUN_DIRECTORY / f"{role}.json"
    if role in running(data):
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps({"pid": os.getpid(), "listening": dict(listening)}), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise DataDirectoryNotWritableError(data, error) from None
        log.warning("the disk of %s is full: the ports of this role are not noted there", data)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
