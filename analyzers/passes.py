"""What one pass over waiting spans did and left (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analyzers.encoder import EncoderProxy
from analyzers.store import Candidate, Content
from leewatch.contracts import Encoder, Vectors

BATCH_CHARACTERS = 200_000
"""Characters of text in one batch: seconds of work on a CPU, so that a stop is never far."""


@dataclass
class Pass:
    """What a pass over one stretch of time left: the ingestion time of what still waits, by analyzer.

    truncated: rows that were not even fetched; unseen: when the oldest of them came in, one moment a stretch that has any.
    deferred: spans that are not live were left for later.
    """

    rows: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[datetime]] = field(default_factory=dict)
    truncated: int = 0
    unseen: list[datetime] = field(default_factory=list)
    deferred: bool = False

    def count(self, name: str, rows: int) -> None:
        self.rows[name] = self.rows.get(name, 0) + rows

    def postpone(self, name: str, spans: Sequence[Candidate]) -> None:
        self.waiting.setdefault(name, []).extend(span.ingested_at for span in spans)

    def oldest(self) -> list[datetime]:
        """When the oldest waiting row of each analyzer and of each stretch came in; empty when nothing waits."""
        return [*(min(moments) for moments in self.waiting.values()), *self.unseen]

    def merged(self, other: Pass) -> Pass:
        names = {*self.rows, *other.rows}
        waiting = {*self.waiting, *other.waiting}
        return Pass(
            {name: self.rows.get(name, 0) + other.rows.get(name, 0) for name in names},
            {name: [*self.waiting.get(name, []), *other.waiting.get(name, [])] for name in waiting},
            self.truncated + other.truncated,
            [*self.unseen, *other.unseen],
            self.deferred or other.deferred,
        )


@dataclass(frozen=True)
class Step:
    """Work on a bounded number of spans. worked: spans looked at; missing: those that still are to be; whole: the sample
    that they were left out of is complete."""

    worked: int
    missing: int
    whole: bool = False


class Asked(EncoderProxy):
    """An `Encoder` that tells when it is asked for vectors."""

    def __init__(self, encoder: Encoder, tell: Callable[[], None]) -> None:
        super().__init__(encoder)
        self._tell = tell

    def encode(self, texts: Sequence[str]) -> Vectors:
        if texts:
            self._tell()
        return super().encode(texts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)


def by_size(spans: Sequence[tuple[Candidate, Content]]) -> Iterator[list[tuple[Candidate, Content]]]:
    """The spans in batches of at most BATCH_CHARACTERS; one longer span makes a batch of its own."""
    batch: list[tuple[Candidate, Content]] = []
    size = 0
    for span, content in spans:
        length = len(content.prompt) + len(content.response) + len(content.context)
        if batch and size + length > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append((span, content))
        size += length
    if batch:
        yield batch
