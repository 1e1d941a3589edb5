"""Scorer `text`: measurements of prompt and response that are no risk, named `span.*`."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from analyzers.scorers.metrics.language import language, sentiment
from analyzers.scorers.metrics.measures import (
    EDGE,
    cut_off,
    json_expected,
    json_fault,
    reading_ease,
    repetition,
)
from analyzers.scorers.options import options_of
from leewatch.contracts import Encoder, PluginOptions, Scorer
from leewatch.errors import ConfigError
from leewatch.schema import Score, SpanTexts

REVISION = 1
"""Raised when a measurement changes."""
REMEMBERED = 20_000
"""Answers whose prompts are remembered, the latest."""
MOST_PROMPTS = 100
FEWEST_CHARACTERS = 20
"""Shorter answers are the same without anything being wrong: "Yes.", "You're welcome!"."""
ANSWERED = frozenset({"stop", "length", "content_filter"})
"""Finish reasons after which there should be a text."""
NOT_ENGLISH = "not English"
Measure = Callable[["Texts"], Score]


class TextOptions(BaseModel):
    """metrics: those that are measured, without `span.`; all by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    metrics: tuple[str, ...] = Field(default=(), max_length=100)


class Texts:
    """A span's texts, and the languages of both, found once."""

    def __init__(self, span: SpanTexts) -> None:
        self.finish_reason = span.finish_reason
        self.prompt = _measured(span.prompt)
        self.response = _measured(span.response)
        self._languages: dict[str, tuple[str, float]] = {}

    def language(self, text: str) -> tuple[str, float]:
        if text not in self._languages:
            self._languages[text] = language(text)
        return self._languages[text]


class TextScorer:
    """Gives every measurement for every span: a number, or None with a reason."""

    name = "text"

    def __init__(self, metrics: Sequence[str]) -> None:
        self._answers = Answers()
        measures = {**MEASURES, "repeated_answer": self._answers.measured}
        self._measures = {f"span.{name}": measures[name] for name in metrics or measures}
        self.outputs = tuple(self._measures)
        self.version = f"{REVISION}-{hashlib.sha256(repr(self.outputs).encode()).hexdigest()[:12]}"

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per measurement, in the order of `outputs`."""
        results = []
        for span in spans:
            texts = Texts(span)
            results.append([_renamed(name, measure(texts)) for name, measure in self._measures.items()])
        return results


class Answers:
    """How many different prompts got the same answer, of the latest that this process saw."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._prompts: OrderedDict[bytes, set[bytes]] = OrderedDict()
        self._most = most

    def measured(self, texts: Texts) -> Score:
        """Other prompts that got this answer word for word, up to 99; 0 for an answer of a few words."""
        if not texts.response:
            return _none("no response")
        if not texts.prompt:
            return _none("no prompt")
        if len(texts.response) < FEWEST_CHARACTERS:
            return _number(0)
        answer, prompt = (_digest(" ".join(text.lower().split())) for text in (texts.response, texts.prompt))
        prompts = self._prompts.setdefault(answer, set())
        self._prompts.move_to_end(answer)
        if len(prompts) < MOST_PROMPTS:
            prompts.add(prompt)
        if len(self._prompts) > self._most:
            self._prompts.popitem(last=False)
        return _number(len(prompts - {prompt}))


def _language(field: str) -> Measure:
    def measure(texts: Texts) -> Score:
        text = getattr(texts, field)
        if not text:
            return _none(f"no {field}")
        code, probability = texts.language(text)
        if not code:
            return _none("language not clear")
        return Score("", round(probability, 4), label=code)

    return measure


def _in_english(field: str, measure: Callable[[str], float | None]) -> Measure:
    """The measurement of a text that is English, or too short to tell, in which case it is taken for English."""

    def measured(texts: Texts) -> Score:
        text = getattr(texts, field)
        if not text:
            return _none(f"no {field}")
        if texts.language(text)[0] not in ("en", ""):
            return _none(NOT_ENGLISH)
        value = measure(text)
        return _none("too short") if value is None else _number(round(value, 4))

    return measured


def _words(field: str) -> Measure:
    def measure(texts: Texts) -> Score:
        text = getattr(texts, field)
        return _number(len(text.split())) if text else _none(f"no {field}")

    return measure


def _repetition(texts: Texts) -> Score:
    return _number(round(repetition(texts.response), 4)) if texts.response else _none("no response")


def _truncated(texts: Texts) -> Score:
    if texts.finish_reason:
        return _number(float(texts.finish_reason == "length"))
    if not texts.response:
        return _none("no response")
    cut = cut_off(texts.response)
    return Score("", float(cut), explanation="the text stops in the middle" if cut else "")


def _empty(texts: Texts) -> Score:
    if texts.response:
        return _number(0)
    return _number(1) if texts.finish_reason in ANSWERED else _none("no response")


def _json(texts: Texts) -> Score:
    if not texts.response:
        return _none("no response")
    if not json_expected(texts.prompt, texts.response):
        return _none("no JSON expected")
    fault = json_fault(texts.response)
    return Score("", float(not fault), explanation=fault)


MEASURES: Mapping[str, Measure] = {
    "prompt_language": _language("prompt"),
    "response_language": _language("response"),
    "prompt_words": _words("prompt"),
    "response_words": _words("response"),
    "prompt_sentiment": _in_english("prompt", sentiment),
    "response_sentiment": _in_english("response", sentiment),
    "response_readability": _in_english("response", reading_ease),
    "json_valid": _json,
    "truncated": _truncated,
    "empty_answer": _empty,
    "repetition": _repetition,
}
NAMES = (*MEASURES, "repeated_answer")


def _measured(text: str | None) -> str:
    """The end of the text, without halves of surrogate pairs, which the libraries cannot take."""
    return (text or "").strip()[-EDGE:].encode("utf-8", "replace").decode("utf-8")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _number(value: float) -> Score:
    return Score("", float(value))


def _none(reason: str) -> Score:
    return Score("", None, reason=reason)


def _renamed(name: str, score: Score) -> Score:
    return Score(name, score.value, score.label, score.explanation, score.details, score.reason)


def create(options: PluginOptions) -> Scorer:
    """The scorer. Option: `metrics`. Raises ConfigError."""
    chosen = options_of(TextOptions, "text", options.values)
    unknown = [name for name in chosen.metrics if name not in NAMES]
    if unknown:
        raise ConfigError(
            [f"analyzers.scorers.text.metrics: no metric is named {unknown[0]!r}; known: {', '.join(NAMES)}"]
        )
    return TextScorer(chosen.metrics)
