"""Rows of JSONL files, as every command reads them."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from leewatch.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"


def objects(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of a JSONL file, plain or gzipped, "-" for standard input; blank lines are skipped.

    Raises InputError, naming file and line, for a line that is not a JSON object and for a file that cannot be read.
    """
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _object(line, f"{path}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a complete gzip file"
        raise InputError(
            f"{path} cannot be read: {reason}. Give a JSONL file, gzipped or not, or - for standard input."
        ) from error


def _opened(path: str) -> BinaryIO:
    raw: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115  the caller closes it
    if not hasattr(raw, "peek"):
        return raw
    return cast(BinaryIO, gzip.open(raw)) if raw.peek(2)[:2] == GZIP_MAGIC else raw


def _object(line: bytes, place: str) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{place}: not valid JSON ({error}). Each line must be one JSON object.") from error
    if not isinstance(value, dict):
        raise InputError(f"{place}: expected a JSON object, got {type(value).__name__}.")
    return value
