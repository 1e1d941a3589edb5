"""Personal data and secrets out of a text before it leaves the machine: the patterns of `leewatch.redaction.patterns`.

Every pattern runs in time linear in the text: an unbounded repeat is possessive and consumes what it scanned, every
other repeat is bounded, so no input makes it backtrack for long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from leewatch.redaction.checks import CHECKS
from leewatch.redaction.patterns import ESCAPE, PATTERNS, Pattern


def _compiled(pattern: Pattern) -> re.Pattern[str]:
    starts = {"word": rf"{ESCAPE}|\b", "run": rf"{ESCAPE}|(?<![{pattern.head}])" if pattern.head else f"{ESCAPE}|"}
    return re.compile(f"({starts.get(pattern.before, pattern.before)})({pattern.body})", re.ASCII)


_MOST_PASSES = 8
_SEVERAL_DIGITS = re.compile("[0-9][^A-Za-z]{4,}[0-9]")
_COMPILED = [(pattern, _compiled(pattern)) for pattern in PATTERNS]


def redact(text: str) -> str:
    """The text with every e-mail address, phone number, card, account, address and key replaced by its kind, e.g. `[EMAIL]`.

    A card is a number of 12 to 19 digits whose Luhn checksum holds (ISO/IEC 7812-1), so order numbers stay. Redacting a
    redacted text changes nothing.
    """
    for _ in range(_MOST_PASSES):
        before, text = text, redact_once(text)
        if text == before:
            break
    return text


def redact_once(text: str) -> str:
    """One pass over the patterns in order, as the database does it. What replaces a match may part what stood together."""
    for pattern, expression in _COMPILED:
        pieces: list[str] = []
        last = 0
        for start, end in _found(pattern, expression, text):
            pieces += [text[last:start], f"[{pattern.label}]{pattern.after}"]
            last = end
        if pieces:
            text = "".join([*pieces, text[last:]])
    return text


class Locator:
    """Finds what a table of patterns describes. `checks`: tests that its patterns name, those of `CHECKS` by default."""

    def __init__(
        self, patterns: Iterable[Pattern], checks: Mapping[str, Callable[[str], list[tuple[int, int]]]] = CHECKS
    ) -> None:
        self._compiled = [(pattern, _compiled(pattern)) for pattern in patterns]
        self._checks = checks

    def found(self, text: str) -> Iterator[tuple[int, int, Pattern]]:
        """(start, end, pattern) of what is found, in the order of the patterns; what one found no later one finds again."""
        taken: list[tuple[int, int]] = []
        several = _SEVERAL_DIGITS.search(text) is not None
        for pattern, expression in self._compiled:
            if pattern.digits and not several:
                continue
            if pattern.hints and not any(hint in text for hint in pattern.hints):
                continue
            for start, end in _found(pattern, expression, text, self._checks):
                if not any(start < last and first < end for first, last in taken):
                    taken.append((start, end))
                    yield start, end, pattern


def findings(text: str) -> list[str]:
    """What `redact` would replace first, as it stands in the text; empty when nothing."""
    return [text[start:end] for start, end, _ in located(text)]


def located(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of what is found, each character counted for the first kind only."""
    yield from ((start, end, pattern.kind) for start, end, pattern in _LOCATOR.found(text))


def _found(
    pattern: Pattern,
    expression: re.Pattern[str],
    text: str,
    checks: Mapping[str, Callable[[str], list[tuple[int, int]]]] = CHECKS,
) -> Iterator[tuple[int, int]]:
    for match in expression.finditer(text):
        start = match.start(2)
        for first, last in checks[pattern.check](match[2]):
            yield start + first, start + last


_LOCATOR = Locator(PATTERNS)
