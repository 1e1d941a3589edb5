"""Memory of requests that are not answered yet: counted while they come in, and refused beyond a limit."""

from __future__ import annotations

from types import TracebackType

from collector import status

RETRY_SECONDS = 1
"""An answer takes milliseconds: a second later there is room."""


class InFlight:
    """Bytes of all requests that are being received or made durable. Lives on one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0


class Hold:
    """The share of one request, given back at the end of the `with`."""

    def __init__(self, flight: InFlight) -> None:
        self._flight = flight
        self._size = 0

    def grow(self, size: int) -> None:
        """Takes `size` bytes in all. A request alone is always taken. Raises Refusal (retryable) when there is no room."""
        flight, more = self._flight, size - self._size
        others = flight.bytes - self._size
        if more > 0 and others and others + size > flight.limit:
            raise status.unavailable(
                f"{flight.bytes >> 20} MB of requests are being taken (collector.max_inflight_mb = {flight.limit >> 20})",
                RETRY_SECONDS,
            )
        if more > 0:
            flight.bytes += more
            self._size = size

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flight.bytes -= self._size
        self._size = 0
