"""`leewatch run ROLE`: one role in this process."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Annotated

import typer

from leewatch import config, plugins, stopping
from leewatch.installation import LISTENING_KEYS, registered
from leewatch.telemetry.export import exported

ROLES = "leewatch.roles"
LAST_RESORT_SECONDS = 25.0
"""Time to shut down for a role whose supervisor is gone."""


def run(
    role: Annotated[str, typer.Argument(help="store, collector, analyzers, alerts or dashboard.")],
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Run one role until SIGTERM or Ctrl-C."""
    stopping.leave_early()
    start = plugins.load_one(ROLES, role)
    settings = config.load()
    if supervised:
        threading.Thread(target=_end_with_supervisor, name="supervisor-watch", daemon=True).start()
    section = settings.sections.get(role)
    keys = set(LISTENING_KEYS.get(role, ()))
    listening = section.model_dump(mode="json", include=keys, exclude_none=True) if section is not None else {}
    with registered(settings.data, role, listening), exported(settings, role):
        start(settings)


def _end_with_supervisor() -> None:
    """Terminates this process when the supervisor is gone, even if it was killed: its end of the pipe closes."""
    while os.read(0, 1):  # not sys.stdin: its lock would be held at interpreter shutdown
        pass
    # Nobody reads the output any more; a role that writes while it shuts down must not fail on that.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_RESORT_SECONDS)
    os._exit(1)
