"""Kind `huggingface`: a classification model from a directory or the hub scores texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from analyzers.scorers.custom.classifier import Classifier, Labels, Window, load_classifier
from analyzers.scorers.custom.common import CustomOptions, Surroundings, TextField, outputs_of, text_of, version_of
from analyzers.scorers.options import options_of
from analyzers.scorers.sentences import sentences
from leewatch.contracts import Encoder, Scorer
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts

Task = Literal["sequence", "pair", "token"]


class HuggingfaceOptions(CustomOptions):
    """model: a directory, or a name on the hub; revision: of the hub. labels: label -> what it counts, 0 to 1.

    task: `sequence` judges a text alone; `pair` each of its sentences against the text `against`; `token` each of its tokens,
    after the text `against`. activation: of the outputs; auto follows the model. max_tokens: of one window, 0 = the model's.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    task: Task = "sequence"
    labels: Mapping[str, float] = {}
    against: TextField = "context"
    activation: Literal["auto", "softmax", "sigmoid"] = "auto"
    threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    max_tokens: int = Field(default=0, ge=0, le=131_072)

    @field_validator("labels", mode="before")
    @classmethod
    def _weights(cls, given: Any) -> Any:
        """A list of labels: each counts 1."""
        return dict.fromkeys(given, 1.0) if isinstance(given, list | tuple) else given

    @field_validator("labels")
    @classmethod
    def _shares(cls, labels: Mapping[str, float]) -> Mapping[str, float]:
        if any(not 0.0 <= weight <= 1.0 for weight in labels.values()):
            raise ValueError("each label must count something between 0 and 1")
        return labels

    @model_validator(mode="after")
    def _two_texts(self) -> HuggingfaceOptions:
        if self.task != "sequence" and self.against in self.fields:
            raise ValueError(f"cannot judge {self.against} against itself; leave it out of fields or set against")
        return self


class HuggingfaceScorer:
    """Gives, for every field, what the model's labels count: the worst window, sentence or token of the text."""

    def __init__(self, name: str, options: HuggingfaceOptions, classifier: Classifier, labels: Labels) -> None:
        self.name = name
        self.version = version_of(options, classifier.identity)
        self.outputs = outputs_of(name, options.fields)
        self.threshold = options.threshold
        self._against = "" if options.task == "sequence" else options.against
        self._task = options.task
        self._classifier = classifier
        self._labels = labels

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per field that the span has; None where the text that it is judged against is missing, or blank."""
        results: list[list[Score]] = [[] for _ in spans]
        wanted: list[tuple[int, str, str, str]] = []
        for i, span in enumerate(spans):
            for output in self.outputs:
                text, other = text_of(span, output), text_of(span, self._against) if self._against else ""
                if text is None:
                    continue
                if not text.strip():
                    results[i].append(Score(output, None, reason="no words"))
                elif self._against and not (other or "").strip():
                    results[i].append(Score(output, None, reason=f"no {self._against}"))
                else:
                    wanted.append((i, output, text, other or ""))
        for (i, output, _, _), one in zip(wanted, self._judged([(t, o) for _, _, t, o in wanted]), strict=True):
            results[i].append(Score(output, one.value, one.label, details=one.details, reason=one.reason))
        return results

    def _judged(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        if self._task == "token":
            return [self._of_tokens(windows) for windows in self._classifier.tokens(texts)]
        if self._task == "pair":
            return self._of_sentences(texts)
        return [self._of_windows(windows) for windows in self._classifier.sequences([text for text, _ in texts])]

    def _of_windows(self, windows: Sequence[Window]) -> Score:
        values = [self._labels.value(window.outputs) for window in windows]
        worst = windows[int(np.argmax(values))]
        details = tuple(
            {"start": window.start, "end": window.end, "score": round(value, 4)}
            for window, value in zip(windows, values, strict=True)
            if value >= self.threshold and len(windows) > 1
        )
        return Score("", max(values), self._labels.name(worst.outputs), details=details)

    def _of_sentences(self, texts: Sequence[tuple[str, str]]) -> list[Score]:
        """A sentence counts as the window of the other text that speaks most in its favour; a text as its worst sentence."""
        split = [sentences(text) for text, _ in texts]
        pairs = [(other, one.text) for (_, other), found in zip(texts, split, strict=True) for one in found]
        values = iter(
            [min(self._labels.value(window.outputs) for window in windows) for windows in self._classifier.pairs(pairs)]
        )
        scores = []
        for found in split:
            judged = [(place, next(values)) for place in found]
            details = tuple(
                {"start": place.start, "end": place.end, "score": round(value, 4)}
                for place, value in judged
                if value >= self.threshold
            )
            value = max((value for _, value in judged), default=None)
            scores.append(Score("", value, details=details, reason="" if value is not None else "no words"))
        return scores

    def _of_tokens(self, windows: Sequence[Sequence[Window]]) -> Score:
        """A token counts as the window that speaks most in its favour; neighbours at or above the threshold are one finding."""
        best: dict[tuple[int, int], float] = {}
        for tokens in windows:
            for token in tokens:
                place, value = (token.start, token.end), self._labels.value(token.outputs)
                best[place] = min(value, best.get(place, 1.0))
        details: list[dict[str, Any]] = []
        joined = False
        for (start, end), value in sorted(best.items()):
            if value < self.threshold:
                joined = False
            elif joined:
                details[-1].update(end=end, score=max(details[-1]["score"], round(value, 4)))
            else:
                details.append({"start": start, "end": end, "score": round(value, 4)})
                joined = True
        if not best:
            return Score("", None, reason="no words")
        return Score("", max(best.values()), details=tuple(details))


def create(name: str, values: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    """The scorer. Options: those of `HuggingfaceOptions`. Raises ConfigError, MissingExtraError, ModelNotFoundError."""
    options = options_of(HuggingfaceOptions, name, values)
    classifier = load_classifier(
        name, options.model, options.revision, options.task, surroundings.device, options.max_tokens
    )
    sigmoid = classifier.sigmoid if options.activation == "auto" else options.activation == "sigmoid"
    return HuggingfaceScorer(name, options, classifier, _labels(name, options, classifier, sigmoid))


def _labels(name: str, options: HuggingfaceOptions, classifier: Classifier, sigmoid: bool) -> Labels:
    known = classifier.labels
    weights = dict(options.labels)
    if not weights and len(known) == 2 and not sigmoid:
        weights = {known[1]: 1.0}
    unknown = sorted(set(weights) - set(known))
    if not weights or unknown:
        got = f"got {', '.join(unknown)}" if unknown else "got none"
        raise ConfigError(
            [f"analyzers.scorers.{name}.labels: {got}; the labels of {options.model} are: {', '.join(known)}"]
        )
    return Labels(known, weights, sigmoid)
