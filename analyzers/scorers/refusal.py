"""Whether a response declines the request."""

from __future__ import annotations

from collections.abc import Sequence

from analyzers.scorers.options import parse_options
from analyzers.scorers.text_head import TextHead, text_head
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.schema import Score, SpanTexts

REVISION = 2
"""Raised when code, rather than weights, changes what a text scores."""


class RefusalScorer:
    """Scores `response.refusal` on the words of the whole response and of its opening."""

    name = "refusal"
    outputs = ("response.refusal",)

    def __init__(self, head: TextHead, weights: WeightFile, threshold: float) -> None:
        self._head = head
        self._weights = weights
        self.threshold = threshold
        self.prior = float(weights.settings["prior"])
        self.version = f"{REVISION}-{weights.sha256[:12]}"

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether the response was in the training part."""
        return self._weights.knows(span.response or "")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per span with a response; a blank response gets None."""
        texts = {i: span.response for i, span in enumerate(spans) if span.response and span.response.strip()}
        values = dict(zip(texts, self._head.probability(list(texts.values())).tolist(), strict=True))
        return [self._judge(span, values.get(i)) for i, span in enumerate(spans)]

    def _judge(self, span: SpanTexts, value: float | None) -> list[Score]:
        if span.response is None:
            return []
        return [Score(self.outputs[0], value, reason="" if value is not None else "no words")]


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("refusal", options.values)
    weights = load_weights("refusal", chosen.weights)
    threshold = weights.settings["threshold"] if chosen.threshold is None else chosen.threshold
    return RefusalScorer(text_head(weights.tensors, weights.settings), weights, float(threshold))
