"""Attacks on the model's instructions: in the prompt, and hidden in the retrieved context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzers.scorers.oddity import ODDITY_FEATURES, oddity_features
from analyzers.scorers.options import parse_options
from analyzers.scorers.pieces import passages
from analyzers.scorers.sentences import Sentence, sentences
from analyzers.scorers.text_head import TextHead, calibrated, embed, features, text_head
from analyzers.scorers.trees import Floats, Trees, trees_from
from analyzers.scorers.weight_files import WeightFile, load_weights
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when code, rather than weights, changes what a text scores."""

PROMPT, CONTEXT = "prompt.injection", "context.injection"

PASSAGE_PENALTY = 1.0
"""Taken off the log odds of a passage of a prompt: the highest of many harmless passages is high by chance."""

MOST_SENTENCES = 400
"""Sentences of a context that are judged at most, evenly spaced over it."""


class PromptJudge:
    """Judges a prompt as a whole, and its passages; the highest counts."""

    def __init__(self, head: TextHead) -> None:
        self._head = head

    def scores(self, texts: Sequence[str], threshold: float, encoder: Encoder) -> list[Score]:
        """One score per text; None for a blank one."""
        split = [prompt_parts(text) for text in texts]
        flat = [part.text for parts, _ in split for part in parts]
        penalty = np.array([one for _, penalties in split for one in penalties])
        rows = features(flat, embed(flat, encoder), self._head.blocks) if flat else np.zeros((0, 0))
        decision = self._head.decision(rows) - penalty if flat else penalty
        values = iter(calibrated(decision, self._head.slope, self._head.offset).tolist())
        return [_score(PROMPT, parts, [next(values) for _ in parts], threshold) for parts, _ in split]


def prompt_parts(text: str) -> tuple[list[Sentence], list[float]]:
    """The whole text, then its passages, with the penalty on the log odds of each; none for a blank text."""
    body = text.strip()
    if not body:
        return [], []
    start = text.index(body)
    inner = [place for place in passages(text) if place.text != body]
    return [Sentence(body, start, start + len(body)), *inner], [0.0, *[PASSAGE_PENALTY] * len(inner)]


class ContextJudge:
    """Judges each sentence of a context by what it says and by how it stands out there; the highest counts."""

    def __init__(self, command: TextHead, attack: TextHead, trees: Trees, slope: float, offset: float) -> None:
        self._command = command
        self._attack = attack
        self._trees = trees
        self._slope = slope
        self._offset = offset

    def scores(self, texts: Sequence[str], threshold: float, encoder: Encoder) -> list[Score]:
        """One score per context; None for one without a word."""
        split = [context_sentences(text) for text in texts]
        rows = sentence_features(split, self._command, self._attack, encoder)
        values = iter(calibrated(self._trees.decision(rows), self._slope, self._offset).tolist() if len(rows) else ())
        return [_score(CONTEXT, parts, [next(values) for _ in parts], threshold) for parts in split]


def context_sentences(text: str) -> list[Sentence]:
    """The sentences of a context, at most MOST_SENTENCES."""
    found = sentences(text)
    if len(found) <= MOST_SENTENCES:
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, MOST_SENTENCES).round().astype(int)]


def sentence_features(
    split: Sequence[Sequence[Sentence]], command: TextHead, attack: TextHead, encoder: Encoder
) -> Floats:
    """ODDITY_FEATURES of the sentences of every context, one row each in order; (0, 12) for none."""
    unique = list(dict.fromkeys(part.text for parts in split for part in parts))
    if not unique:
        return np.zeros((0, len(ODDITY_FEATURES)))
    place = {text: i for i, text in enumerate(unique)}
    vectors = embed(unique, encoder)
    rows = features(unique, vectors, command.blocks)
    told, hostile = command.decision(rows), attack.decision(rows)
    found = []
    for parts in split:
        own = [place[part.text] for part in parts]
        if own:
            found.append(oddity_features([part.text for part in parts], vectors[own], told[own], hostile[own]))
    return np.concatenate(found)


def _score(name: str, parts: Sequence[Sentence], values: Sequence[float], threshold: float) -> Score:
    if not parts:
        return Score(name, None, reason="no words")
    flagged = [(part, value) for part, value in zip(parts, values, strict=True) if value >= threshold]
    details = tuple({"start": part.start, "end": part.end, "score": round(value, 4)} for part, value in flagged)
    return Score(name, max(values), details=details)


class InjectionScorer:
    """Scores `prompt.injection` and `context.injection`; details list the passages or sentences at fault."""

    name = "injection"
    outputs = (PROMPT, CONTEXT)

    def __init__(
        self, prompt: PromptJudge, context: ContextJudge, weights: WeightFile, threshold: float | None
    ) -> None:
        self._judges: Mapping[str, PromptJudge | ContextJudge] = {PROMPT: prompt, CONTEXT: context}
        self._weights = weights
        self._thresholds = {name: float(weights.settings["thresholds"][name]) for name in self.outputs}
        if threshold is not None:
            self._thresholds = dict.fromkeys(self.outputs, threshold)
        self.threshold = self._thresholds[PROMPT]
        self.prior = float(weights.settings["prior"])
        self.version = f"{REVISION}-{weights.sha256[:12]}"

    def threshold_of(self, output: str) -> float:
        """The threshold of one output; `threshold` is that of the prompt."""
        return self._thresholds[output]

    def trained_on(self, span: SpanTexts, output: str) -> bool:
        """Whether the text was in the training part."""
        return self._weights.knows(_text(span, output) or "")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per field the span has; a text without a word gets None."""
        result: list[list[Score]] = [[] for _ in spans]
        for output in self.outputs:
            present = [i for i, span in enumerate(spans) if _text(span, output) is not None]
            texts = [_text(spans[i], output) or "" for i in present]
            found = self._judges[output].scores(texts, self._thresholds[output], encoder) if texts else []
            for i, one in zip(present, found, strict=True):
                result[i].append(one)
        return result


def _text(span: SpanTexts, output: str) -> str | None:
    return span.prompt if output == PROMPT else span.context


def judges(tensors: Mapping[str, npt.NDArray[Any]], settings: Mapping[str, Any]) -> tuple[PromptJudge, ContextJudge]:
    """The two models that a weight file describes."""
    direct = text_head(tensors, settings, "direct")
    context = settings["context"]
    judge = ContextJudge(
        text_head(tensors, settings, "command"),
        direct,
        trees_from(tensors, context),
        context["slope"],
        context["offset"],
    )
    return PromptJudge(direct), judge


def create(options: PluginOptions) -> Scorer:
    """The scorer. Options: `threshold`, `weights`. Raises ConfigError, ModelNotFoundError."""
    chosen = parse_options("injection", options.values)
    weights = load_weights("injection", chosen.weights)
    prompt, context = judges(weights.tensors, weights.settings)
    return InjectionScorer(prompt, context, weights, chosen.threshold)
