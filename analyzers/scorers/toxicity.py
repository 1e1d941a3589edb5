"""Toxic, hateful or harmful language in the prompt and in the response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analyzers.scorers.branch import Branch, Part
from analyzers.scorers.emoji import has_emoji
from analyzers.scorers.options import parse_options
from analyzers.scorers.pieces import SENTENCE_ODDS, UNDIVIDED_WORDS, passages
from analyzers.scorers.sentences import Sentence, sentences
from analyzers.scorers.text_head import TextHead, calibrated, features, text_head
from analyzers.scorers.trees import Floats
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.errors import ModelNotFoundError
from leewatch.schema import Score, SpanTexts

REVISION = 3
"""Raised when code, rather than weights, changes what a text scores."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Log odds of the n-grams plus `mix` times those of the tuned layers: a cascade (Viola & Jones 2001, CVPR).

    gate: log odds that the student expects of the tuned layers below which they are not asked. below: what then counts as
    theirs.
    """

    mix: float
    gate: float
    below: float

    def decision(self, grams: Floats, expected: Floats, tuned: Floats) -> Floats:
        """Log odds from those of the models, float64 (n,)."""
        summed: Floats = grams + self.mix * np.where(expected < self.gate, self.below, tuned)
        return summed


@dataclass(frozen=True)
class Model:
    """Both models, calibrated. emoji: slope and offset for texts with emoji, of which the models know less.

    student: a linear model of the n-grams, fitted to the log odds of the tuned layers, for the price of the n-grams.
    """

    grams: TextHead
    student: TextHead
    branch: Branch
    joint: Joint
    sentence: Joint
    """How they are joined for texts of several sentences, and for single ones: these can be let pass sooner."""
    emoji: tuple[float, float]
    kinds: tuple[str, ...]
    """Of what the branch judges after whether a text is toxic."""

    def judge(self, parts: Sequence[Part], encoder: Encoder, single: bool) -> tuple[Floats, list[str]]:
        """Probability per part, float64 (n,), and its likeliest kind if it is toxic, "" where the layers were not asked."""
        if not parts:
            return np.zeros(0), []
        joint = self.sentence if single else self.joint
        texts = [part.text for _, part in parts]
        rows = features(texts, None, self.grams.blocks)
        expected = self.student.decision(rows)
        asked = np.flatnonzero(expected >= joint.gate).tolist()
        tuned, kinds = np.zeros(len(parts)), [""] * len(parts)
        odds = self.branch.decision([parts[i] for i in asked], encoder)
        tuned[asked] = odds[:, 0]
        for i, kind in zip(asked, odds[:, 1:].argmax(axis=1).tolist(), strict=True):
            kinds[i] = self.kinds[kind]
        decision = joint.decision(self.grams.decision(rows), expected, tuned)
        plain = calibrated(decision, self.grams.slope, self.grams.offset)
        return np.where([has_emoji(text) for text in texts], calibrated(decision, *self.emoji), plain), kinds


@dataclass(frozen=True, slots=True)
class Judged:
    """A part of a text, its value, and its kind if it is toxic."""

    place: Sentence
    value: float
    kind: str


class ToxicityScorer:
    """Scores `prompt.toxicity` and `response.toxicity`: the probability for the worst passage or sentence.

    The odds of each are divided by the root of the number of passages: the highest of many is high by chance. Half way to
    Bonferroni's correction, since passages of one text are alike.
    """

    name = "toxicity"
    outputs = ("prompt.toxicity", "response.toxicity")

    def __init__(self, model: Model, weights: WeightFile, threshold: float) -> None:
        self._model = model
        self._weights = weights
        self._screen = float(weights.settings["screen"])
        self.threshold = threshold
        self.prior = float(weights.settings["prior"])
        self.version = f"{REVISION}-{weights.sha256[:12]}"

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether the text was in the training part."""
        return self._weights.knows(_text(span, output) or "")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per field the span has; a text without a word gets None.

        Sentences are judged only in passages at or above the screen: in the others none is bad enough to count.
        """
        wanted = [
            (i, output, text)
            for i, span in enumerate(spans)
            for output in self.outputs
            if (text := _text(span, output)) is not None
        ]
        texts = [text for _, _, text in wanted]
        whole = self._judged(texts, [passages(text) for text in texts], encoder, False)
        inside = [self._inside(found, text) for found, text in zip(whole, texts, strict=True)]
        single = self._judged(texts, inside, encoder, True)
        result: list[list[Score]] = [[] for _ in spans]
        for (i, output, _), found, inner in zip(wanted, whole, single, strict=True):
            factor = max(len(found), 1) ** -0.5
            result[i].append(self._score(output, [*_at_odds(found, factor), *_at_odds(inner, factor * SENTENCE_ODDS)]))
        return result

    def _judged(
        self, texts: Sequence[str], places: Sequence[Sequence[Sentence]], encoder: Encoder, single: bool
    ) -> list[list[Judged]]:
        parts = [(text, one) for text, found in zip(texts, places, strict=True) for one in found]
        values, kinds = self._model.judge(parts, encoder, single)
        judged = zip(values.tolist(), kinds, strict=True)
        return [[Judged(one, *next(judged)) for one in found] for found in places]

    def _inside(self, found: Sequence[Judged], text: str) -> list[Sentence]:
        """The sentences of suspicious passages in which one could drown."""
        suspicious = [
            one.place for one in found if one.value >= self._screen and len(one.place.text.split()) > UNDIVIDED_WORDS
        ]
        if not suspicious:
            return []
        return [
            one
            for one in sentences(text)
            if any(
                place.start <= one.start < place.end and (one.start, one.end) != (place.start, place.end)
                for place in suspicious
            )
        ]

    def _score(self, output: str, found: Sequence[Judged]) -> Score:
        if not found:
            return Score(output, None, reason="no words")
        details = tuple(
            {"start": one.place.start, "end": one.place.end, "score": round(one.value, 4)}
            | ({"type": one.kind} if one.kind else {})
            for one in found
            if one.value >= self.threshold
        )
        return Score(output, max(one.value for one in found), details=details)


def _at_odds(found: Sequence[Judged], factor: float) -> list[Judged]:
    """The same at odds that are `factor` times theirs."""
    return [replace(one, value=one.value * factor / (one.value * factor + 1.0 - one.value)) for one in found]


def _text(span: SpanTexts, output: str) -> str | None:
    return span.prompt if output.startswith("prompt.") else span.response


def _joint(settings: Mapping[str, Any]) -> Joint:
    return Joint(float(settings["mix"]), float(settings["gate"]), float(settings["below"]))


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("toxicity", options.values)
    weights = load_weights("toxicity", chosen.weights)
    if "sentence" not in weights.settings:
        raise ModelNotFoundError(
            "the weights of scorer 'toxicity' were fitted by another release. Rebuild them with: "
            "python -m analyzers.training toxicity --data DIR --output FILE"
        )
    own, emoji, kinds = weights.settings["branch"], weights.settings["emoji"], weights.settings["kinds"]
    tensors = weights.tensors
    heads = np.column_stack([tensors["head.weight"], tensors["kinds.weight"]]).astype(np.float64)
    model = Model(
        text_head(tensors, weights.settings),
        text_head(tensors, weights.settings, "student"),
        Branch(tensors, heads, np.array([own["bias"], *(offset for _, offset in kinds)])),
        _joint(own),
        _joint(weights.settings["sentence"]),
        (float(emoji[0]), float(emoji[1])),
        tuple(kind for kind, _ in kinds),
    )
    threshold = weights.settings["threshold"] if chosen.threshold is None else chosen.threshold
    return ToxicityScorer(model, weights, float(threshold))
