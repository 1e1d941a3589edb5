"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 60.0, every: float = 0.05) -> None:
    """Returns once the condition is true, asked every `every` seconds. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"did not happen within {seconds:g} s")
        time.sleep(every)
