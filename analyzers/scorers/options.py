"""Options of the built-in scorers, from `analyzers.scorers.<name>` in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leewatch.errors import ConfigError


class ScorerOptions(BaseModel):
    """enabled: read by the scheduler. threshold: probability from which a finding is listed, None = the shipped one.
    weights: another weight file, "" = the shipped one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    threshold: float | None = Field(default=None, ge=0.0, le=1.0)
    weights: str = ""


def parse_options(name: str, values: Mapping[str, Any]) -> ScorerOptions:
    """The typed options. Raises ConfigError with every fault."""
    try:
        return ScorerOptions.model_validate(dict(values))
    except ValidationError as error:
        faults = [
            f"analyzers.scorers.{name}.{fault['loc'][0]}: {fault['msg'].lower()}, got {fault['input']!r}"
            for fault in error.errors()
        ]
        raise ConfigError(faults, f"the options of scorer {name}") from error
