"""Whether a text holds personal data or secrets of a fixed shape, and where."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from analyzers.scorers.options import options_of
from analyzers.scorers.pii_checks import ALL_CHECKS
from analyzers.scorers.pii_patterns import SIGNS, TYPES, Sign
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.redact import Locator
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when code, rather than the table of patterns, changes what a text scores."""


class PiiOptions(BaseModel):
    """threshold: confidence from which a finding is listed and counts. types: those that are looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    types: tuple[str, ...] = TYPES

    @field_validator("types")
    @classmethod
    def _known(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for name in types:
            if name not in TYPES:
                raise ValueError(f"no type is named {name!r}; known: {', '.join(TYPES)}")
        return types


class PiiScorer:
    """Scores `prompt.pii` and `response.pii`: how likely one of the findings at least is what it looks like."""

    name = "pii"
    outputs = ("prompt.pii", "response.pii")

    def __init__(self, signs: Sequence[Sign], threshold: float) -> None:
        self._locator = Locator([sign.pattern for sign in signs], ALL_CHECKS)
        self._confidence = {id(sign.pattern): sign.confidence for sign in signs}
        self.threshold = threshold
        self.version = f"{REVISION}-{hashlib.sha256(repr(tuple(signs)).encode()).hexdigest()[:12]}"

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per text the span has; 0 where nothing is found. `details` list type, place and confidence."""
        return [
            [
                self._judge(output, text)
                for output, text in zip(self.outputs, (span.prompt, span.response), strict=True)
                if text is not None
            ]
            for span in spans
        ]

    def _judge(self, output: str, text: str) -> Score:
        if not text.strip():
            return Score(output, None, reason="no words")
        found = sorted(
            (start, end, pattern.label, confidence)
            for start, end, pattern in self._locator.found(text)
            if (confidence := self._confidence[id(pattern)]) >= self.threshold
        )
        details: tuple[Mapping[str, Any], ...] = tuple(
            {"type": label, "start": start, "end": end, "score": confidence} for start, end, label, confidence in found
        )
        label = ", ".join(sorted({label for _, _, label, _ in found}))
        return Score(output, any_of([confidence for *_, confidence in found]), label=label, details=details)


def any_of(probabilities: Sequence[float]) -> float:
    """Probability that one at least of independent events happens; 0 for none."""
    return 1.0 - math.prod(1.0 - one for one in probabilities)


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `types`. Raises ConfigError."""
    chosen = options_of(PiiOptions, "pii", options.values)
    return PiiScorer([sign for sign in SIGNS if sign.pattern.label in chosen.types], chosen.threshold)
