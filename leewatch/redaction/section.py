"""Section `redaction` of the configuration: what happens to personal data and secrets before anything is stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from leewatch.config import Section
from leewatch.projects import is_name
from leewatch.redaction.expressions import Rule
from leewatch.redaction.patterns import KINDS, PATTERNS, Pattern
from leewatch.redaction.plan import Plan, Policy

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|P=|\()|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+")


def _off(value: Any) -> Any:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


Mode = Annotated[Literal["off", "mask", "hash"], BeforeValidator(_off)]


Content = Literal["keep", "drop"]


class OwnPattern(Section):
    """A regular expression of the user's."""

    regex: str = Field(description="regular expression as RE2 reads it: no look-around, no back-references")
    mode: Mode | None = Field(None, description="off, mask or hash; unset: as the policy says")

    @field_validator("regex")
    @classmethod
    def _readable(cls, text: str) -> str:
        if unknown := _NOT_RE2.search(text):
            raise ValueError(f"RE2 has no {unknown.group()!r} (look-around, back-reference or possessive repeat)")
        try:
            empty = re.search(text, "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if empty:
            raise ValueError("matches the empty text, so it would match everywhere")
        return text


def _own(value: Any) -> Any:
    """A plain text stands for a pattern without settings."""
    return {"regex": value} if isinstance(value, str) else value


class PolicySection(Section):
    """What happens to personal data and secrets of one project. What is not given is as in the section itself."""

    mode: Mode | None = Field(None, description="what happens to all kinds: off, mask or hash")
    content: Content | None = Field(None, description="what happens to prompts, answers and other texts: keep or drop")
    kinds: dict[str, Mode] | None = Field(None, description="kind: mode, where one differs")
    patterns: dict[str, Annotated[OwnPattern, BeforeValidator(_own)]] | None = Field(
        None, description="own patterns; NAME: REGEX, or NAME: {regex: REGEX, mode: MODE}"
    )

    @model_validator(mode="after")
    def _known(self) -> PolicySection:
        for kind in self.kinds or {}:
            if kind not in KINDS:
                raise ValueError(f"kinds: no kind is named {kind!r}; known: {', '.join(KINDS)}")
        for name in self.patterns or {}:
            if not _NAME.fullmatch(name) or name.lower() in KINDS:
                raise ValueError(f"patterns: {name!r} must be letters, digits and _ (32 at most), and no built-in kind")
        return self


class RedactionSection(PolicySection):
    """What happens to personal data and secrets before telemetry is stored (see howto/redaction.md)."""

    mode: Mode = Field("off", description="what happens to all kinds: off, mask ([EMAIL]) or hash ([EMAIL:token])")
    content: Content = Field(
        "keep",
        description="what happens to texts (prompts, answers, tools, documents): keep, or drop once they are scored",
    )
    keep_attributes: list[str] = Field(
        default_factory=list,
        description="attribute keys, or beginnings that end in *, that stay though content is dropped; also StatusMessage, Body",
    )
    waiting_mb: int = Field(
        256,
        ge=16,
        le=65_536,
        description="memory of the database for content that is to be dropped, until it is scored, MB",
    )
    kinds: dict[str, Mode] = Field(
        default_factory=dict, description=f"kind: mode, where one differs; kinds: {', '.join(KINDS)}"
    )
    patterns: dict[str, Annotated[OwnPattern, BeforeValidator(_own)]] = Field(
        default_factory=dict, description="own patterns; NAME: REGEX, or NAME: {regex: REGEX, mode: MODE}"
    )
    key_file: Path | None = Field(
        None,
        description="key of tokens, 32 hex digits, the same for all collectors; unset: DATA/redaction.key, made when missing",
    )
    projects: dict[str, PolicySection] = Field(
        default_factory=dict, description="project: policy, where one differs; what it does not give is as above"
    )

    @field_validator("keep_attributes")
    @classmethod
    def _not_all(cls, keys: list[str]) -> list[str]:
        for key in keys:
            if not key.strip("*") or "*" in key[:-1]:
                raise ValueError(f"{key!r} must be a key, or the beginning of keys and a * at its end")
        return keys

    @model_validator(mode="after")
    def _named(self) -> RedactionSection:
        for name in self.projects:
            if not is_name(name):
                raise ValueError(f"projects: {name!r} is no project name")
        return self

    def plan(self) -> Plan:
        """The policies, those of single projects first; projects with the same policy share one."""
        rest = _policy(self, self)
        apart: dict[Policy, list[str]] = {}
        for name, policy in self.projects.items():
            apart.setdefault(_policy(policy, self), []).append(name)
        apart.pop(rest, None)
        return Plan(
            tuple((tuple(sorted(names)), policy) for policy, names in apart.items()),
            rest,
            tuple(self.keep_attributes),
            self.waiting_mb,
        )


def _policy(given: PolicySection, base: RedactionSection) -> Policy:
    mode = given.mode or base.mode
    kinds = base.kinds if given.kinds is None else given.kinds
    patterns = base.patterns if given.patterns is None else given.patterns
    own = [
        (Pattern(name, name.upper(), pattern.regex, "run"), pattern.mode or mode) for name, pattern in patterns.items()
    ]
    every = [*own, *((pattern, kinds.get(pattern.kind, mode)) for pattern in PATTERNS)]
    rules = tuple(Rule(pattern, chosen) for pattern, chosen in every if chosen != "off")
    return Policy(rules, (given.content or base.content) == "drop")
