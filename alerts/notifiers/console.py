"""Prints alerts to standard output; used when no other channel is configured."""

from __future__ import annotations

import sys
from typing import TextIO

from leewatch.contracts import Delivered, PluginOptions
from leewatch.schema import Notification


class ConsoleNotifier:
    """Writes one block of lines per message, whole, so that messages of other processes do not mix in."""

    name = "console"

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, notification: Notification, handle: str) -> Delivered:
        stream = self._stream or sys.stdout
        try:
            stream.write(render(notification))
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            return Delivered(False, retryable=True, error=f"cannot write to standard output: {error}")
        return Delivered(True, handle="console")


def render(notification: Notification) -> str:
    """The message as lines; the first begins with `ALERT` or `RESOLVED`."""
    n = notification
    head = "ALERT" if n.state == "firing" else "RESOLVED"
    lines = [
        f"{head} [{n.severity}] {n.title}",
        f"  what:    {n.what}",
        f"  where:   {n.where}",
        f"  since:   {n.since:%Y-%m-%d %H:%M:%S} UTC" + (f", over at {n.at:%H:%M:%S}" if n.state == "resolved" else ""),
        f"  how bad: {n.how_bad}",
        *([f"  example: {n.example}"] if n.example else []),
        f"  look:    {n.url}",
        f"  id:      {n.fingerprint}",
    ]
    return "\n".join(lines) + "\n"


def create(options: PluginOptions) -> ConsoleNotifier:
    """The notifier; it has no options."""
    return ConsoleNotifier()
