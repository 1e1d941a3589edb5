"""Kind `regex`: whether a text holds a pattern of the user's own, or lacks it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator

from analyzers.scorers.custom.common import CustomOptions, Surroundings, outputs_of, text_of, version_of
from analyzers.scorers.options import options_of
from leewatch.contracts import Encoder, Scorer
from leewatch.schema import Score, SpanTexts

MOST_FINDINGS = 100
LONGEST_TEXT = 100_000
"""Characters that are searched: a pattern with nested repeats may take quadratic time."""


def _expression(text: str) -> str:
    try:
        empty = re.search(text, "")
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if empty:
        raise ValueError("matches the empty text, so it would match everywhere")
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class RegexOptions(CustomOptions):
    """pattern: one expression; patterns: several by name. missing: true warns of texts that have no match."""

    pattern: Expression = ""
    patterns: Mapping[str, Expression] = {}
    ignore_case: bool = False
    missing: bool = False

    @model_validator(mode="after")
    def _some(self) -> RegexOptions:
        if bool(self.pattern) == bool(self.patterns):
            raise ValueError("expected either pattern or patterns")
        return self


class RegexScorer:
    """Gives 1 where a pattern matches, else 0; `details` list the matches. With `missing` it is the other way round."""

    def __init__(self, name: str, options: RegexOptions) -> None:
        self.name = name
        self.version = version_of(options)
        self.outputs = outputs_of(name, options.fields)
        flags = re.IGNORECASE if options.ignore_case else re.NOFLAG
        given = dict(options.patterns) or {"": options.pattern}
        self._expressions = {label: re.compile(text, flags) for label, text in given.items()}
        self._missing = options.missing

    def score(self, spans: Sequence[SpanTexts], encoder: Encoder) -> list[list[Score]]:
        """One score per field that the span has."""
        return [
            [self._judge(output, text) for output in self.outputs if (text := text_of(span, output)) is not None]
            for span in spans
        ]

    def _judge(self, output: str, text: str) -> Score:
        found = [
            (match.start(), match.end(), label)
            for label, expression in self._expressions.items()
            for match in expression.finditer(text, 0, LONGEST_TEXT)
            if match.end() > match.start()
        ]
        details: tuple[dict[str, Any], ...] = tuple(
            {"start": start, "end": end, **({"type": label} if label else {})}
            for start, end, label in sorted(found)[:MOST_FINDINGS]
        )
        names = ", ".join(sorted({label for _, _, label in found if label}))
        return Score(output, float(bool(found) != self._missing), label=names, details=details)


def create(name: str, values: Mapping[str, Any], surroundings: Surroundings) -> Scorer:
    """The scorer. Options: `pattern` or `patterns`, `ignore_case`, `missing`, `fields`, `version`. Raises ConfigError."""
    return RegexScorer(name, options_of(RegexOptions, name, values))
