"""Which policy holds for which project. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leewatch.redaction.expressions import Rule, re2


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to the telemetry of a project: rules in order, and whether its content is dropped once it is scored."""

    rules: tuple[Rule, ...] = ()
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The policies of named projects, and of all others.

    keep: attribute keys, or beginnings that end in `*`, that stay though content is dropped. waiting_mb: memory for content that
    is dropped, until it is scored.
    """

    apart: tuple[tuple[tuple[str, ...], Policy], ...] = ()
    rest: Policy = Policy()
    keep: tuple[str, ...] = ()
    waiting_mb: int = 256

    def __iter__(self) -> Iterator[Policy]:
        yield from (policy for _, policy in self.apart)
        yield self.rest

    @property
    def redacts(self) -> bool:
        """Whether anything is looked for."""
        return any(policy.rules for policy in self)

    @property
    def drops(self) -> bool:
        """Whether the content of any project is dropped."""
        return any(policy.drops for policy in self)

    def keeping(self) -> Plan:
        """The same policies for telemetry that has no content to drop."""
        return Plan(tuple((names, Policy(policy.rules)) for names, policy in self.apart), Policy(self.rest.rules))

    def drops_for(self, project: str) -> bool:
        """Whether the content of this project is dropped."""
        return next((policy.drops for names, policy in self.apart if project in names), self.rest.drops)

    def dropped(self, project: str) -> str:
        """SQL: whether the content of the project in this column is dropped."""
        others = sorted(name for names, policy in self.apart if policy.drops != self.rest.drops for name in names)
        if not others:
            return "true" if self.rest.drops else "false"
        return f"{project} {'NOT ' if self.rest.drops else ''}IN ({', '.join(repr(name) for name in others)})"

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
