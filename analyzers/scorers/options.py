"""Options of the built-in scorers, from `analyzers.scorers.<name>` in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from leewatch.errors import ConfigError

T = TypeVar("T", bound=BaseModel)


class ScorerOptions(BaseModel):
    """enabled: read by the scheduler. threshold: probability from which a finding is listed, None = the shipped one.
    weights: another weight file, "" = the shipped one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    weights: str = ""


def parse_options(name: str, values: Mapping[str, Any]) -> ScorerOptions:
    """The typed options. Raises ConfigError with every fault."""
    return options_of(ScorerOptions, name, values)


def options_of(kind: type[T], name: str, values: Mapping[str, Any]) -> T:
    """The options of scorer `name` as its own model. Raises ConfigError with every fault, each with its key."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        faults = [
            f"{'.'.join(('analyzers.scorers', name, *map(str, fault['loc'])))}: {_said(fault['msg'])}{_got(fault)}"
            for fault in error.errors(include_url=False)
        ]
        raise ConfigError(faults, f"the options of scorer {name}") from None


def _said(message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return plain[:1].lower() + plain[1:]


def _got(fault: ErrorDetails) -> str:
    """`, got VALUE`, except of what may hold a secret and of whole groups."""
    hidden = any(word in str(part) for part in fault["loc"] for word in ("secret", "key", "token", "header", "url"))
    value = fault.get("input")
    return f", got {value!r}" if isinstance(value, str | int | float | bool) and not hidden else ""
