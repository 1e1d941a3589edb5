"""Reading JSONL files, and what is said about broken ones."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from leewatch import jsonl
from leewatch.cli.replay import _rows
from leewatch.errors import InputError

GOOD = b'{"prompt": "hi"}\n\n{"prompt": "yo"}\n'
ROWS = [(1, {"prompt": "hi"}), (3, {"prompt": "yo"})]


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzipped_files_read_alike_with_their_line_numbers(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / "rows"
    file.write_bytes(gzip.compress(GOOD) if packed else GOOD)
    assert list(jsonl.objects(str(file))) == ROWS


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(gzip.compress(GOOD)))))
    assert list(jsonl.objects("-")) == ROWS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{oops", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[1]", "expected a JSON object, got list"),
    ],
)
def test_a_broken_line_is_named_by_file_and_line(tmp_path: Path, line: bytes, said: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"{}\n" + line + b"\n")
    with pytest.raises(InputError) as caught:
        list(jsonl.objects(str(file)))
    assert f"{file}:2: {said}" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl cannot be read: No such file"):
        list(jsonl.objects(str(tmp_path / "none.jsonl")))


@pytest.mark.parametrize("fault", ["cut", "overwritten"])
def test_a_damaged_gzip_file_is_named(tmp_path: Path, fault: str) -> None:
    whole = gzip.compress(GOOD * 100)
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(whole[:-20] if fault == "cut" else whole[:12] + b"\xff" * 20 + whole[32:])
    with pytest.raises(InputError, match="cannot be read: not a complete gzip file"):
        list(jsonl.objects(str(file)))


def test_replay_says_that_nothing_was_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.jsonl cannot be read: .* Nothing was sent\."):
        list(_rows([tmp_path / "absent.jsonl"]))
