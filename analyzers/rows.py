"""Rows of JSONL files, as `leewatch score` and the training read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leewatch import jsonl
from leewatch.errors import InputError
from leewatch.schema import SpanTexts

TEXT_FIELDS = ("prompt", "response", "context")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `id` as in the file (the line number when there is none); `label` 1 = to be flagged, or None.
    `subset`: a category inside the file, "" where there is none."""

    id: Any
    texts: SpanTexts
    label: int | None
    line: int
    subset: str = ""


def read_rows(path: str, text_field: str = "") -> Iterator[Row]:
    """The rows of a JSONL file, plain or gzipped, "-" for standard input; blank lines are skipped.

    An empty text means that the row has no such text. `text_field`: the field that a column named `text` is read into.

    Raises InputError, naming file and line, for a line that is not a JSON object, a text that is not a string, a label
    that is neither 0 nor 1, and a file that cannot be read.
    """
    for number, value in jsonl.objects(path):
        yield row_of(value, f"{path}:{number}", number, text_field)


def row_of(value: Mapping[str, Any], place: str, number: int, text_field: str = "") -> Row:
    """One object as `read_rows` gives it. place: file and line, for errors; number: of the line."""
    texts: dict[str, str | None] = {}
    for field in TEXT_FIELDS:
        text = value.get("text" if field == text_field else field)
        if text is not None and not isinstance(text, str):
            raise InputError(f"{place}: {field!r} must be a string, got {type(text).__name__}.")
        texts[field] = text or None
    label = value.get("label")
    if label is not None and label not in (0, 1):
        raise InputError(f"{place}: 'label' must be 0 or 1, got {str(label)[:40]!r}.")
    identity = value.get("id", number)
    reason = value.get("finish_reason")
    spoken = SpanTexts(str(identity), **texts, finish_reason=reason if isinstance(reason, str) else "")
    return Row(identity, spoken, None if label is None else int(label), number, str(value.get("subset") or ""))
