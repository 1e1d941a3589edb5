"""A language model as a scorer: sampled by trace, cached, within a budget."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pydantic import Field, field_validator, model_validator

from analyzers.isolation import PROBE
from analyzers.prices import listed_price
from analyzers.scorers.custom.common import Surroundings, fingerprint, outputs_of, text_of, version_of
from analyzers.scorers.custom.endpoint import Address, Endpoint, EndpointOptions, read_key, refused
from analyzers.scorers.judge.ledger import Ledger
from analyzers.scorers.judge.prompt import RUBRICS, VERDICT_SCHEMA, messages, places
from analyzers.scorers.judge.verdict import Verdict, read, share
from analyzers.scorers.options import options_of
from leewatch.contracts import Encoder, Scorer
from leewatch.errors import ConfigError, EndpointError
from leewatch.redact import redact
from leewatch.schema import Score, SpanTexts

NOT_SAMPLED = "not sampled"
SPENT = "the budget of the day is spent"
NOT_UNDERSTOOD = "the verdict was not understood"
BYTES_PER_TOKEN = 2
"""Fewer than any tokenizer needs, so that what is set aside for a call covers it."""
MESSAGE_TOKENS = 200
"""Room for instructions and the form of a chat."""


class JudgeOptions(EndpointOptions):
    """base_url, model: an OpenAI-compatible endpoint, without /chat/completions. rubric, template, template_file: what is asked.

    scale: numbers that stand for 0 and for 1; the larger may come first. sampling: share of traces that are judged.
    budget_usd_per_day: beyond it nothing is asked until the next day (UTC). input_per_million, output_per_million: USD; by
    default those of the price list. redact: personal data and secrets are masked before texts leave the machine.
    """

    base_url: Address
    model: str = Field(min_length=1)
    rubric: str = ""
    template: str = ""
    template_file: Path | None = None
    scale: tuple[float, float] = (0.0, 1.0)
    sampling: float = Field(default=0.1, gt=0.0, le=1.0)
    budget_usd_per_day: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    input_per_million: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    output_per_million: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    temperature: float | None = Field(default=0.0, ge=0.0, le=2.0)
    max_output_tokens: int = Field(default=300, ge=1, le=100_000)
    max_characters: int = Field(default=12_000, ge=100)
    cache_days: float = Field(default=30.0, ge=0.0)
    redact: bool = True

    @field_validator("rubric")
    @classmethod
    def _known(cls, rubric: str) -> str:
        if rubric and rubric not in RUBRICS:
            raise ValueError(f"expected one of {', '.join(RUBRICS)}")
        return rubric

    @model_validator(mode="after")
    def _whole(self) -> JudgeOptions:
        if sum(map(bool, (self.rubric, self.template, self.template_file))) != 1:
            raise ValueError("expected one of rubric, template and template_file")
        if self.scale[0] == self.scale[1]:
            raise ValueError("scale must have two different ends")
        if len(self.fields) != 1:
            raise ValueError("a judge gives one score: name one field")
        return self


@dataclass(frozen=True)
class Price:
    """USD per token."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        return self.input * input_tokens + self.output * output_tokens


class Judge:
    """Asks a language model for a verdict on a sample of the spans."""

    source = "judge"

    def __init__(
        self, name: str, options: JudgeOptions, template: str, price: Price, endpoint: Endpoint, ledger: Ledger
    ) -> None:
        self.name = name
        cost = {"budget_usd_per_day", "sampling", "retries", "timeout_seconds", "concurrency", "cache_days"}
        decisive = options.model_copy(update={key: type(options).model_fields[key].default for key in cost})
        self.version = version_of(decisive, template)
        self.outputs = outputs_of(name, options.fields)
        self._options, self._template, self._price = options, template, price
        self._endpoint, self._ledger = endpoint, ledger
        self._needed = places(template)
        self._form = Form(options)
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix=f"judge-{name}")

    def __repr__(self) -> str:
        return f"Judge({self.name})"

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per span that has the field; of weight 0 where the span was not sampled, None where the budget is spent.

        Raises EndpointError when the endpoint fails; verdicts that were given until then are in the cache.
        """
        self._endpoint.check()
        self._ledger.forget(self._options.cache_days)
        [output] = self.outputs
        return [[] if one is None else [one] for one in self._pool.map(lambda span: self._judged(span, output), spans)]

    def _judged(self, span: SpanTexts, output: str) -> Score | None:
        if text_of(span, output) is None:
            return None
        texts = {name: text.strip() for name in self._needed if (text := text_of(span, name)) is not None}
        missing = next((name for name in self._needed if not texts.get(name)), None)
        if missing is not None:
            return Score(output, None, reason=f"no {missing}")
        if span is not PROBE and not sampled(trace_of(span), self._options.sampling):
            return Score(output, None, reason=NOT_SAMPLED, weight=0.0)
        if self._options.redact:
            texts = {name: redact(text) for name, text in texts.items()}
        chat = messages(self._template, texts, self._options.scale, self._options.max_characters)
        return self._scored(output, chat)

    def _scored(self, output: str, chat: Sequence[Mapping[str, str]]) -> Score:
        weight = 1.0 / self._options.sampling
        key = fingerprint(self.version, self._options.base_url, [dict(message) for message in chat])
        known = self._ledger.verdict(self.name, key) if self._options.cache_days else None
        if known is not None:
            return Score(output, share(known, self._options.scale), weight=weight)
        size = sum(len(message["content"].encode("utf-8", "replace")) for message in chat)
        expected = self._price.of(size // BYTES_PER_TOKEN + MESSAGE_TOKENS, self._options.max_output_tokens)
        reserved = self._ledger.reserve(self.name, expected, self._options.budget_usd_per_day)
        if reserved is None:
            return Score(output, None, reason=SPENT, weight=weight)
        try:
            answer = self._asked(chat)
        except BaseException:
            self._ledger.release(self.name, reserved)
            raise
        text, tokens = content(answer), usage(answer, size, self._options.max_output_tokens)
        self._ledger.settle(self.name, reserved, self._price.of(*tokens), *tokens)
        return self._told(output, read(text, self._options.scale), key, weight)

    def _told(self, output: str, verdict: Verdict | None, key: str, weight: float) -> Score:
        if verdict is None:
            return Score(output, None, reason=NOT_UNDERSTOOD, weight=weight)
        self._ledger.remember(key, verdict.score)
        return Score(output, share(verdict.score, self._options.scale), explanation=verdict.explanation, weight=weight)

    def _asked(self, chat: Sequence[Mapping[str, str]]) -> httpx.Response:
        """The endpoint's answer, in the richest form that it takes."""
        while True:
            form = self._form.now
            answer = self._endpoint.post(form.body(chat))
            if answer.is_success:
                return answer
            if answer.status_code not in (400, 422) or not self._form.simplify(form, answer.text):
                raise refused(self._endpoint, answer.status_code)


@dataclass(frozen=True)
class Shape:
    """What a request holds beside model and messages."""

    options: JudgeOptions
    response_format: str = "json_schema"
    limit: str = "max_tokens"
    temperature: bool = True

    def body(self, chat: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.options.model,
            "messages": list(chat),
            self.limit: self.options.max_output_tokens,
        }
        if self.temperature and self.options.temperature is not None:
            body["temperature"] = self.options.temperature
        if self.response_format == "json_schema":
            body["response_format"] = {"type": "json_schema", "json_schema": VERDICT_SCHEMA}
        elif self.response_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body


class Form:
    """The shape of requests that an endpoint takes: the richest at first, less once it refused a part of it."""

    def __init__(self, options: JudgeOptions) -> None:
        self.now = Shape(options)

    def simplify(self, tried: Shape, complaint: str) -> bool:
        """Takes out what the complaint is about; False when there is nothing left to take out."""
        if tried != self.now:
            return True  # another thread was told the same meanwhile
        changes: dict[str, Any] = {}
        if "max_tokens" in complaint and tried.limit == "max_tokens":
            changes = {"limit": "max_completion_tokens"}
        elif "temperature" in complaint and tried.temperature:
            changes = {"temperature": False}
        elif tried.response_format == "json_schema":
            changes = {"response_format": "json_object"}
        elif tried.response_format == "json_object":
            changes = {"response_format": ""}
        if changes:
            kept = {"response_format": tried.response_format, "limit": tried.limit, "temperature": tried.temperature}
            self.now = Shape(tried.options, **{**kept, **changes})
        return bool(changes)


def trace_of(span: SpanTexts) -> str:
    """The trace of a span of the store (project/trace/span), else its id: spans of one trace are judged together."""
    parts = span.id.split("/")
    return parts[1] if len(parts) == 3 else span.id


def sampled(trace: str, rate: float) -> bool:
    """Whether a trace is in the sample: the same for every judge, and a smaller sample lies within a larger one."""
    digest = hashlib.blake2b(trace.encode("utf-8", "surrogatepass"), digest_size=8, person=b"judge").digest()
    return int.from_bytes(digest, "big") < rate * 2**64


def content(answer: httpx.Response) -> str:
    """Text of the first choice; '' where there is none."""
    try:
        text = answer.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise EndpointError(
            f"{answer.url.host} gave no chat completion; is base_url an OpenAI-compatible address?"
        ) from None
    return text if isinstance(text, str) else ""


def usage(answer: httpx.Response, size: int, most: int) -> tuple[int, int]:
    """Tokens in and out as the endpoint counts them; what was set aside where it does not."""
    try:
        counted = answer.json()["usage"]
        return int(counted["prompt_tokens"]), int(counted["completion_tokens"])
    except (ValueError, KeyError, TypeError):
        return size // BYTES_PER_TOKEN + MESSAGE_TOKENS, most


def price_of(name: str, options: JudgeOptions) -> Price:
    """The price given, else that of the list. Raises ConfigError where there is neither: a budget needs one."""
    given = (options.input_per_million, options.output_per_million)
    if given[0] is not None and given[1] is not None:
        return Price(given[0] / 1e6, given[1] / 1e6)
    listed = listed_price("", options.model, datetime.now(UTC))
    if listed is None:
        raise ConfigError([
            f"analyzers.scorers.{name}: the price list has no model {options.model!r}; give input_per_million and "
            "output_per_million in USD (0 for a model of your own)"
        ])  # fmt: skip
    return Price(listed.input, listed.output)


def template_of(name: str, options: JudgeOptions) -> str:
    """The template that is asked for. Raises ConfigError when its file cannot be read or it has no place for a text."""
    text = RUBRICS.get(options.rubric) or options.template
    if options.template_file is not None:
        try:
            text = options.template_file.expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                [f"analyzers.scorers.{name}.template_file: cannot read {options.template_file}"]
            ) from error
    if not places(text):
        raise ConfigError(
            [f"analyzers.scorers.{name}: the template names none of {{prompt}}, {{response}}, {{context}}"]
        )
    return text


def create(name: str, values: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    """The judge. Options: those of `JudgeOptions`. Raises ConfigError."""
    options = options_of(JudgeOptions, name, values)
    endpoint = Endpoint(f"{options.base_url.rstrip('/')}/chat/completions", read_key(name, options), options)
    template, price = template_of(name, options), price_of(name, options)
    return Judge(name, options, template, price, endpoint, Ledger(surroundings.data))
