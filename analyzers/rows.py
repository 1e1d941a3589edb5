"""Rows of JSONL files, as `leewatch score` and the training read them."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from leewatch.errors import InputError
from leewatch.schema import SpanTexts

TEXT_FIELDS = ("prompt", "response", "context")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `id` as in the file (the line number when there is none); `label` 1 = to be flagged, or None."""

    id: Any
    texts: SpanTexts
    label: int | None
    line: int


def read_rows(path: str, text_field: str = "") -> Iterator[Row]:
    """The rows of a JSONL file, plain or gzipped, "-" for standard input; blank lines are skipped.

    An empty text means that the row has no such text. `text_field`: the field that a column named `text` is read into.

    Raises InputError, naming file and line, for a line that is not a JSON object, a text that is not a string, a label
    that is neither 0 nor 1, and a file that cannot be read.
    """
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _row(line, f"{path}:{number}", number, text_field)
    except (OSError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a complete gzip file"
        raise InputError(
            f"{path} cannot be read: {reason}. Give a JSONL file, gzipped or not, or - for standard input."
        ) from error


def _opened(path: str) -> BinaryIO:
    raw: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115  the caller closes it
    if not hasattr(raw, "peek"):
        return raw
    return gzip.open(raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw  # type: ignore[return-value]


def _row(line: bytes, place: str, number: int, text_field: str) -> Row:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not valid JSON ({error}). Each line must be one JSON object.") from error
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, got {type(value).__name__}.")
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
    return Row(identity, SpanTexts(str(identity), **texts), None if label is None else int(label), number)
