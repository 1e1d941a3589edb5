"""Which policy holds for which project. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leewatch.redaction.expressions import Rule, re2


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to the telemetry of a project: rules in order."""

    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The policies of named projects, and of all others."""

    apart: tuple[tuple[tuple[str, ...], Policy], ...] = ()
    rest: Policy = Policy()

    def __iter__(self) -> Iterator[Policy]:
        yield from (policy for _, policy in self.apart)
        yield self.rest

    @property
    def redacts(self) -> bool:
        """Whether anything is looked for."""
        return any(policy.rules for policy in self)

    @property
    def hashes(self) -> bool:
        """Whether a key is needed."""
        return any(rule.mode == "hash" for policy in self for rule in policy.rules)

    @property
    def expressions(self) -> dict[str, str]:
        """Every expression as the database reads it, with the name of its kind."""
        return {re2(rule.pattern): rule.pattern.kind for policy in self for rule in policy.rules}


OFF = Plan()
"""Nothing is redacted."""
