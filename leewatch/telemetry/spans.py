"""Spans of Leewatch's own work. They cost next to nothing while nobody exports them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

SCOPE = "leewatch"
ROLE = "leewatch.role"
"""Resource attribute by which the collector recognizes what Leewatch tells about itself."""


def enabled() -> bool:
    """Whether anybody exports spans of this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


@contextmanager
def span(name: str, **attributes: str | int | float) -> Iterator[trace.Span]:
    """A span around a block; attributes get the prefix `leewatch.`.

    A failure is told by the type of its exception alone: messages may hold addresses, texts and secrets.
    """
    named = {f"leewatch.{key}": value for key, value in attributes.items()}
    tracer = trace.get_tracer(SCOPE)
    with tracer.start_as_current_span(
        name, attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise
