"""Personal data and secrets out of a text before it leaves the machine: the patterns of `leewatch.redaction.patterns`.

Every pattern runs in time linear in the text: an unbounded repeat is possessive and consumes what it scanned, every
other repeat is bounded, so no input makes it backtrack for long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from leewatch.redaction.checks import CHECKS
from leewatch.redaction.patterns import ESCAPE, PATTERNS, Pattern


def _compiled(pattern: Pattern) -> re.Pattern[str]:
    starts = {"word": rf"{ESCAPE}|\b", "run": rf"{ESCAPE}|(?<![{pattern.head}])" if pattern.head else f"{ESCAPE}|"}
    return re.compile(f"({starts.get(pattern.before, pattern.before)})({pattern.body})", re.ASCII)


_MOST_PASSES = 8
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


def findings(text: str) -> list[str]:
    """What `redact` would replace first, as it stands in the text; empty when nothing."""
    return [text[start:end] for start, end, _ in located(text)]


def located(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of what is found, each character counted for the first kind only."""
    taken: list[tuple[int, int]] = []
    for pattern, expression in _COMPILED:
        for start, end in _found(pattern, expression, text):
            if not any(start < last and first < end for first, last in taken):
                taken.append((start, end))
                yield start, end, pattern.kind


def _found(pattern: Pattern, expression: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    for match in expression.finditer(text):
        start = match.start(2)
        for first, last in CHECKS[pattern.check](match[2]):
            yield start + first, start + last
