"""Toxic, hateful or harmful language in the prompt and in the response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyzers.scorers.options import parse_options
from analyzers.scorers.pieces import Piece, pieces
from analyzers.scorers.text_head import TextHead, text_head
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when code, rather than weights, changes what a text scores."""


class ToxicityScorer:
    """Scores `prompt.toxicity` and `response.toxicity`: the probability for the worst passage or sentence."""

    name = "toxicity"
    outputs = ("prompt.toxicity", "response.toxicity")

    def __init__(self, head: TextHead, weights: WeightFile, threshold: float) -> None:
        self._head = head
        self._weights = weights
        self.threshold = threshold
        self.prior = float(weights.settings["prior"])
        self.version = f"{REVISION}-{weights.sha256[:12]}"

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether the text was in the training part."""
        return self._weights.knows(_text(span, output) or "")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per field the span has; a text without a word gets None."""
        wanted = [
            (i, output, text)
            for i, span in enumerate(spans)
            for output in self.outputs
            if (text := _text(span, output)) is not None
        ]
        split = [pieces(text) for _, _, text in wanted]
        flat = self._head.probability([piece.place.text for found in split for piece in found], encoder)
        odds = np.array([piece.odds for found in split for piece in found])
        values = iter((flat * odds / (flat * odds + 1.0 - flat)).tolist())
        result: list[list[Score]] = [[] for _ in spans]
        for (i, output, _), found in zip(wanted, split, strict=True):
            result[i].append(self._judge(output, found, [next(values) for _ in found]))
        return result

    def _judge(self, output: str, found: list[Piece], values: list[float]) -> Score:
        if not found:
            return Score(output, None, reason="no words")
        flagged = [(piece.place, value) for piece, value in zip(found, values, strict=True) if value >= self.threshold]
        details = tuple({"start": place.start, "end": place.end, "score": round(value, 4)} for place, value in flagged)
        return Score(output, max(values), details=details)


def _text(span: SpanTexts, output: str) -> str | None:
    return span.prompt if output.startswith("prompt.") else span.response


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("toxicity", options.values)
    weights = load_weights("toxicity", chosen.weights)
    threshold = weights.settings["threshold"] if chosen.threshold is None else chosen.threshold
    return ToxicityScorer(text_head(weights.tensors, weights.settings), weights, float(threshold))
