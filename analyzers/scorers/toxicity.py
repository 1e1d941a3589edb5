"""Toxic, hateful or harmful language in the prompt and in the response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyzers.scorers.options import parse_options
from analyzers.scorers.sentences import Sentence, sentences
from analyzers.scorers.text_head import TextHead, text_head
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when code, rather than weights, changes what a text scores."""

PASSAGE_WORDS = 60
"""Longest passage judged at once: the model learnt on texts of this length."""

SENTENCE_ODDS = 0.5
"""Applied to the odds of a sentence that stands among others. One bad sentence must not drown in its passage, but the
worst of many harmless ones is high by chance: at full odds 5 % of ordinary long answers are flagged."""


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


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that is judged by itself, and the factor on its odds."""

    place: Sentence
    odds: float


def pieces(text: str) -> list[Piece]:
    """The passages of a text, and its sentences where they are not passages themselves."""
    whole = passages(text)
    places = {(one.start, one.end) for one in whole}
    single = [one for one in sentences(text) if (one.start, one.end) not in places]
    return [Piece(one, 1.0) for one in whole] + [Piece(one, SENTENCE_ODDS) for one in single]


def passages(text: str) -> list[Sentence]:
    """The text in passages of whole sentences, at most PASSAGE_WORDS words each unless one sentence is longer."""
    joined: list[Sentence] = []
    size = 0
    for sentence in sentences(text) or _signs_only(text):
        count = len(sentence.text.split())
        if joined and size + count <= PASSAGE_WORDS:
            last = joined.pop()
            joined.append(Sentence(text[last.start : sentence.end], last.start, sentence.end))
            size += count
        else:
            joined.append(sentence)
            size = count
    return joined


def _signs_only(text: str) -> list[Sentence]:
    """A text of nothing but signs and emoji as one passage; [] when it is blank."""
    return [Sentence(text, 0, len(text))] if text.strip() else []


def _text(span: SpanTexts, output: str) -> str | None:
    return span.prompt if output.startswith("prompt.") else span.response


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("toxicity", options.values)
    weights = load_weights("toxicity", chosen.weights)
    threshold = weights.settings["threshold"] if chosen.threshold is None else chosen.threshold
    return ToxicityScorer(text_head(weights), weights, float(threshold))
