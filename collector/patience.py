"""HTTP connections that begin a request and do not go on with it are closed: each holds a descriptor and what has come of it."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_SECONDS = 30.0
"""From the connection, or the first byte of a later request, until its headers are complete."""
PAUSE_SECONDS = 30.0
"""Between two pieces of a body. A link that brings nothing for so long is dead; its sender repeats the request."""


class Patient(HttpToolsProtocol):
    """uvicorn's protocol, which itself limits only the time between two requests."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(HEADERS_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect(HEADERS_SECONDS)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._expect(PAUSE_SECONDS)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._expect(PAUSE_SECONDS)

    def on_message_complete(self) -> None:
        self._cancel()
        super().on_message_complete()

    def _expect(self, seconds: float) -> None:
        self._cancel()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        flow: Any = self.flow
        if flow.read_paused:  # it is we who let the sender wait
            self._expect(PAUSE_SECONDS)
        elif not self.transport.is_closing():
            self.transport.close()
