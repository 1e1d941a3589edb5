"""How a role ends: the first SIGTERM or SIGINT asks it to, a second one or too long a wait ends it at once.

Ending at once is safe for every role: what was acknowledged is durable before it is, and what was not recorded is done
again at the next start.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

LIMIT_SECONDS = 9.0
"""From the first signal to the end, whatever hangs: container runtimes and init systems kill after 10 s."""


class Ending:
    """Asked by each signal; call it from a signal handler."""

    def __init__(
        self, stop: Callable[[], None], at_once: Callable[[], None] | None = None, seconds: float = LIMIT_SECONDS
    ) -> None:
        """stop: asks the role to end, within so many seconds. at_once: ends it; default: the process, with exit code 0."""
        self._stop = stop
        self._seconds = seconds
        self._at_once = at_once or end_now
        self._asked = False

    def __call__(self) -> None:
        """The first time asks to stop and sees to it that it happens in time; then ends at once."""
        if self._asked:
            self._at_once()
            return
        self._asked = True
        timer = threading.Timer(self._seconds, self._too_long)
        timer.daemon = True
        timer.start()
        self._stop()

    def _too_long(self) -> None:
        log.warning("what runs does not end within %.0f s and is left for the next start", self._seconds)
        self._at_once()


def end_now() -> None:
    """Ends this process with exit code 0, running nothing more of it."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def on_signals(stop: Callable[[], None], seconds: float = LIMIT_SECONDS) -> Iterator[None]:
    """Lets SIGTERM and SIGINT end the role for as long as it is open. For the main thread."""
    ending = Ending(stop, seconds=seconds)

    def handle(number: int, frame: FrameType | None) -> None:
        ending()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave_early() -> None:
    """Lets SIGTERM end a process that is still starting with exit code 0. The role's own handlers replace it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
