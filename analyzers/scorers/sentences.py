"""Texts to sentences with their places, and to words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\sa-z])|\n+|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|vs|etc|e\.g|i\.e|No|Inc|Ltd|Co|Corp|U\.S|U\.K|approx|Fig|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)|\b[A-Z])\.$"
)
_WORD = re.compile(r"[^\W_]+(?:[’'.,-][^\W_]+)*", re.UNICODE)

MAX_SENTENCE = 600
"""Characters. A longer run without a full stop (a table, a list) is cut at the last space before this place."""
REMEMBERED_CHARACTERS = 10_000
"""Of a text whose sentences are remembered: longer ones would take the memory of many."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and its place: `text == whole[start:end]`."""

    text: str
    start: int
    end: int


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text in order, without the white space around them; [] for a blank text.

    A rule-based splitter: it ends a sentence at `.`, `!`, `?` before a capital, digit or quote, and at a line break,
    but not after a common abbreviation or an initial. Most scorers ask for those of the same texts: recent ones are known.
    """
    return list(_remembered(text) if len(text) <= REMEMBERED_CHARACTERS else _split(text))


@lru_cache(maxsize=2_000)
def _remembered(text: str) -> tuple[Sentence, ...]:
    return tuple(_split(text))


def _split(text: str) -> list[Sentence]:
    found: list[Sentence] = []
    start = 0
    for match in _END.finditer(text):
        head = text[start : match.start()]
        if "\n" not in match.group() and _ABBREVIATION.search(head):
            continue
        found.extend(_trimmed(text, start, match.end()))
        start = match.end()
    found.extend(_trimmed(text, start, len(text)))
    return found


def words(text: str) -> list[str]:
    """Words and numbers in order, as written. `3.5`, `don't` and `e-mail` are one word each."""
    return _WORD.findall(text)


def _trimmed(text: str, start: int, end: int) -> list[Sentence]:
    pieces: list[Sentence] = []
    while start < end:
        stop = end
        if end - start > MAX_SENTENCE:
            space = text.rfind(" ", start + 1, start + MAX_SENTENCE)
            stop = space if space > start else start + MAX_SENTENCE
        piece = text[start:stop]
        body = piece.strip()
        if any(letter.isalnum() for letter in body):
            first = start + len(piece) - len(piece.lstrip())
            pieces.append(Sentence(body, first, first + len(body)))
        start = stop
    return pieces
