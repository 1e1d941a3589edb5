"""Chats put together from recorded texts, cut to a given length, none like another."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyzers.bench.texts import Shape
from analyzers.rows import TEXT_FIELDS, read_rows
from leewatch.errors import InputError
from leewatch.schema import SpanTexts


class Recorded:
    """Makes chats of what files hold: each of its texts is a run of words that no other one shares.

    Prompts, responses and contexts are put together at random, as the files hold them in any columns: speed does not
    depend on whether they belong together. The same seed makes the same chats.
    """

    def __init__(self, files: Sequence[Path], text_field: str, seed: int) -> None:
        """text_field: what a column `text` is read into. Raises InputError for a file that cannot be read, or for no prompt
        or response in all of them."""
        found: dict[str, dict[str, None]] = {field: {} for field in TEXT_FIELDS}
        for file in files:
            for row in read_rows(str(file), text_field):
                for field in TEXT_FIELDS:
                    if text := getattr(row.texts, field):
                        found[field][text] = None
        if missing := [field for field in ("prompt", "response") if not found[field]]:
            names = ", ".join(str(file) for file in files)
            raise InputError(
                f"{names}: no {' and no '.join(missing)} in any row; name files with both, or --text-field"
            )
        self._words: dict[str, Iterator[list[str]]] = {}
        for field, texts in found.items():
            order = list(texts)
            random.Random(f"{seed} {field}").shuffle(order)
            self._words[field] = (text.split() for text in order)
        self._contexts = bool(found["context"])
        self._made = 0

    def chats(self, shape: Shape, count: int) -> list[SpanTexts]:
        """Up to `count` chats of this shape: fewer when the texts run out, none of a shape that they do not have."""
        made: list[SpanTexts] = []
        while len(made) < count and (self._contexts or not shape.context):
            prompt, response = self._text("prompt", shape.prompt), self._text("response", shape.response)
            context = self._text("context", shape.context) if shape.context else None
            if not (prompt and response) or (shape.context and not context):
                break
            self._made += 1
            made.append(SpanTexts(str(self._made), prompt, response, context))
        return made

    def _text(self, field: str, words: int) -> str:
        """The next text with this many words: of one recorded text, or of several where they are shorter; "" at the end.

        What is left of the last one is left out, so that every text begins where a recorded one does.
        """
        taken: list[str] = []
        while len(taken) < words:
            following = next(self._words[field], None)
            if following is None:
                return ""
            taken += following
        return " ".join(taken[:words])
