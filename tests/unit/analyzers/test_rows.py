"""Rows with texts and labels, and what is said about broken ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from analyzers.rows import read_rows
from leewatch.errors import InputError

GOOD = b'{"id": "a", "prompt": "hi", "response": "", "label": 1}\n\n{"prompt": "yo", "context": "c"}\n'


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzipped_files_read_alike(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / "rows"
    file.write_bytes(gzip.compress(GOOD) if packed else GOOD)
    rows = list(read_rows(str(file)))
    assert [(row.id, row.label, row.line) for row in rows] == [("a", 1, 1), (3, None, 3)]
    assert rows[0].texts.response is None
    assert rows[1].texts.context == "c"


def test_a_text_column_can_stand_for_a_field(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_bytes(b'{"text": "words"}\n')
    assert next(read_rows(str(file), text_field="response")).texts.response == "words"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"prompt": 3}', "'prompt' must be a string, got int"),
        (b'{"label": "toxic"}', "'label' must be 0 or 1, got 'toxic'"),
        (b'{"label": 0.5}', "'label' must be 0 or 1, got '0.5'"),
    ],
)
def test_a_broken_row_is_named_by_file_and_line(tmp_path: Path, line: bytes, said: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"{}\n" + line + b"\n")
    with pytest.raises(InputError) as caught:
        list(read_rows(str(file)))
    assert f"{file}:2: {said}" in str(caught.value)
