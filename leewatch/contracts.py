"""What a plugin implements: scorers, drift detectors, notifiers; and the clock that all of them are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from leewatch.schema import DriftResult, Notification, Score, SpanTexts

Vectors = npt.NDArray[np.float32]
Clock = Callable[[], datetime]
"""Returns the current time, timezone-aware, UTC."""


@runtime_checkable
class Encoder(Protocol):
    """Turns texts into unit vectors. Safe to call from several threads."""

    @property
    def model(self) -> str:
        """Name of the model, stored with every vector."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 (n, dimension), in the order of the texts; (0, dimension) for no text.

        A text that was encoded lately comes from a cache. Long texts are encoded in chunks and averaged, not cut.
        """


@runtime_checkable
class Scorer(Protocol):
    """Scores the texts of spans. Created once per process by its entry point `create(options) -> Scorer`.

    `score` is called from one thread at a time, returns one list per span in the order given (one Score for every output
    the span has the field for), never raises for a text it cannot judge: it returns a Score with value None and a reason.
    Any exception that escapes fails this scorer's batch only.
    """

    @property
    def name(self) -> str:
        """Name of the scorer, e.g. `toxicity`."""

    @property
    def version(self) -> str:
        """Changes whenever a score may change: spans are scored again under a new version."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Addresses it may give, e.g. `("prompt.toxicity", "response.toxicity")`."""

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Another answer to a near-identical prompt. similarity: cosine of the two prompts' vectors."""

    prompt: str
    response: str
    similarity: float


@runtime_checkable
class PeerScorer(Scorer, Protocol):
    """A scorer that judges an answer beside other answers to near-identical prompts of the same service and model.

    Whoever runs it looks the peers up and calls `score_with_peers`; `score` is the same without any evidence.
    """

    def score_with_peers(
        self, spans: Sequence[SpanTexts], peers: Sequence[Sequence[Peer]], encoder: Encoder
    ) -> list[list[Score]]:
        """As `score`. peers: those of each span, most similar first, without the span itself; may be empty."""


class DriftDetector(Protocol):
    """Compares two samples of vectors. Deterministic for a given seed."""

    def test(self, reference: Vectors, current: Vectors, alpha: float, seed: int) -> DriftResult:
        """Whether `current` (m, d) comes from another distribution than `reference` (n, d), at level alpha.

        Raises InputError when either sample is too small to be tested.
        """


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a notifier did. `handle` is given back on the next call for the same alert (message id, thread ...)."""

    ok: bool
    retryable: bool = False
    error: str = ""
    handle: str = ""
    retry_after_seconds: float = 0.0


class Notifier(Protocol):
    """Sends one notification to one channel. Must not raise: a failure is a `Delivered` with ok=False."""

    @property
    def name(self) -> str:
        """Name of the channel, e.g. `slack`."""

    def send(self, notification: Notification, handle: str) -> Delivered:
        """Deliver. `handle` is "" for a new alert, else what the last successful delivery of it returned."""


@dataclass(frozen=True, slots=True)
class PluginOptions:
    """Given to every plugin factory: the options from `leewatch.yaml` under the plugin's name."""

    values: Mapping[str, Any]
