"""What every kind of scorer from the configuration shares: where it lives, its options, its results."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from leewatch.schema import Score, SpanTexts

TextField = Literal["prompt", "response", "context"]
NO_NUMBER = "the scorer gave no number"


@dataclass(frozen=True)
class Surroundings:
    """Where a scorer runs. data: directory for what must outlast the process, None for nothing; device: of models."""

    data: Path | None = None
    device: str = "auto"


class CustomOptions(BaseModel):
    """fields: texts that are scored, each giving the score `<field>.<name>`. version: spans are scored again when it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str
    enabled: bool = True
    fields: tuple[TextField, ...] = Field(default=("response",), min_length=1)
    version: str = ""

    @field_validator("fields")
    @classmethod
    def _each_once(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(fields)) != len(fields):
            raise ValueError("each field may be named once")
        return fields


def outputs_of(name: str, fields: Iterable[str]) -> tuple[str, ...]:
    """Addresses of the scores."""
    return tuple(f"{field}.{name}" for field in fields)


def text_of(span: SpanTexts, field: str) -> str | None:
    """The text under the name of a field or of an address."""
    text: str | None = getattr(span, field.partition(".")[0])
    return text


def fingerprint(*parts: Any) -> str:
    """12 hex digits that change with any of the parts, which are JSON values or texts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def version_of(options: CustomOptions, *more: Any) -> str:
    """The version that was given, else a hash of the options and of what else decides."""
    decisive = options.model_dump(mode="json", exclude={"version", "enabled"})
    return options.version or f"1-{fingerprint(decisive, *more)}"


def as_score(name: str, given: Any) -> Score:
    """A score from what a function or an endpoint gave: a number, true or false, None, or a mapping with `value` and more.

    Anything that is no finite number becomes None with a reason.
    """
    if isinstance(given, Score):
        return Score(name, given.value, given.label, given.explanation, given.details, given.reason)
    if isinstance(given, Mapping):
        plain = as_score(name, given.get("value"))
        reason = "" if plain.value is not None else str(given.get("reason") or plain.reason)
        return Score(
            name,
            plain.value,
            str(given.get("label") or ""),
            str(given.get("explanation") or ""),
            _details(given),
            reason,
        )
    if isinstance(given, int | float) and math.isfinite(given):
        return Score(name, float(given))
    return Score(name, None, reason=NO_NUMBER)


def _details(given: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    found = given.get("details")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return tuple(one for one in found if isinstance(one, Mapping))
