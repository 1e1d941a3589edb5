"""Kind `http`: an endpoint of the user's scores texts.

It is sent `{"scorer": NAME, "spans": [{"id", "prompt", "response", "context"}]}`, texts that a span lacks left out, and answers
`{"scores": [...]}`: one entry per span in order, each for one field a number, `{"value", "label", "explanation", "details",
"reason"}` or null, for several fields a mapping from the field to such an entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import Field

from analyzers.scorers.custom.common import Surroundings, as_score, outputs_of, text_of, version_of
from analyzers.scorers.custom.endpoint import Address, Endpoint, EndpointOptions, read_key, refused
from analyzers.scorers.options import options_of
from leewatch.contracts import Encoder, Scorer
from leewatch.errors import EndpointError
from leewatch.schema import Score, SpanTexts

TEXTS = ("prompt", "response", "context")
TOO_MUCH = frozenset({400, 413, 422})
"""Answers that concern these very texts: the spans get no score, the others go on."""


class HttpOptions(EndpointOptions):
    """url: where to post. batch_size: spans in one request."""

    url: Address
    batch_size: int = Field(default=16, ge=1, le=1000)


class HttpScorer:
    """Asks the endpoint for the scores of batches of spans."""

    def __init__(self, name: str, options: HttpOptions, endpoint: Endpoint) -> None:
        self.name = name
        self.version = version_of(options)
        self.outputs = outputs_of(name, options.fields)
        self._fields = options.fields
        self._size = options.batch_size
        self._endpoint = endpoint
        self._pool = ThreadPoolExecutor(options.concurrency, thread_name_prefix=f"scorer-{name}")

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """What the endpoint gives. Raises EndpointError when it does not answer or not in the form agreed."""
        wanted = [span for span in spans if any(text_of(span, field) is not None for field in self._fields)]
        batches = [wanted[start : start + self._size] for start in range(0, len(wanted), self._size)]
        given = iter([one for batch in self._pool.map(self._asked, batches) for one in batch])
        found = {id(span): next(given) for span in wanted}
        return [
            [
                as_score(output, found[id(span)].get(field))
                for field, output in zip(self._fields, self.outputs, strict=True)
                if text_of(span, field) is not None
            ]
            for span in spans
        ]

    def _asked(self, batch: Sequence[SpanTexts]) -> list[Mapping[str, Any]]:
        """For every span of a batch {field: entry}."""
        answer = self._endpoint.post({"scorer": self.name, "spans": [_told(span) for span in batch]})
        if answer.status_code in TOO_MUCH:
            entry = {"value": None, "reason": f"the endpoint answered {answer.status_code}"}
            return [dict.fromkeys(self._fields, entry) for _ in batch]
        if not answer.is_success:
            raise refused(self._endpoint, answer.status_code)
        try:
            scores = answer.json()["scores"]
        except (ValueError, KeyError, TypeError):
            raise EndpointError(
                f'{self._endpoint.shown} must answer {{"scores": [...]}}; see howto/custom-scorers.md.'
            ) from None
        if not isinstance(scores, list) or len(scores) != len(batch):
            raise EndpointError(f"{self._endpoint.shown} gave no list of {len(batch)} scores, one per span in order.")
        return [self._by_field(entry) for entry in scores]

    def _by_field(self, entry: Any) -> Mapping[str, Any]:
        if isinstance(entry, Mapping) and any(field in entry for field in self._fields):
            return entry
        return {self._fields[0]: entry} if len(self._fields) == 1 else {}


def _told(span: SpanTexts) -> dict[str, str]:
    texts = {name: text for name in TEXTS if (text := text_of(span, name)) is not None}
    return {"id": span.id, **texts}


def create(name: str, values: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    """The scorer. Options: those of `EndpointOptions`, `batch_size`. Raises ConfigError."""
    options = options_of(HttpOptions, name, values)
    return HttpScorer(name, options, Endpoint(options.url, read_key(name, options), options))
