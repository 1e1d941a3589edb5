"""Which policy holds for which project. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leewatch.redaction.expressions import Rule, re2


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to the telemetry of a project: rules in order, and whether content is not stored."""

    rules: tuple[Rule, ...] = ()
    drop_content: bool = False


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
    def drops(self) -> bool:
        """Whether content of any project is not stored."""
        return any(policy.drop_content for policy in self)

    @property
    def expressions(self) -> dict[str, str]:
        """Every expression as the database reads it, with the name of its kind."""
        return {re2(rule.pattern): rule.pattern.kind for policy in self for rule in policy.rules}

    def dropping(self, column: str = "Project") -> str:
        """SQL: whether content of the row's project is not stored."""
        wanted = sorted(name for names, policy in self.apart if policy.drop_content for name in names)
        others = sorted(name for names, policy in self.apart if not policy.drop_content for name in names)
        if self.rest.drop_content:
            return f"{column} NOT IN ({_listed(others)})" if others else "true"
        return f"{column} IN ({_listed(wanted)})" if wanted else "false"


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


OFF = Plan()
"""Nothing is redacted."""
