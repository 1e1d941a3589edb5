from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from rich.console import Console

from analyzers.cli.drift import compare, is_file, read_texts, show, span_of, to_json
from leewatch.errors import InputError
from leewatch.schema import Cluster, DriftResult

RESULT = DriftResult(
    True,
    0.0003,
    0.01,
    0.012,
    "permutation",
    "1",
    0.12,
    5000,
    500,
    (Cluster("visa [x], trip", 0.02, 0.14, ("one", "two")),),
)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_texts_are_read_from_plain_and_zipped_files_alike(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", {"text": "one"}, {"text": ""}, {"text": None}, {"text": "two"})
    zipped = tmp_path / "b.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_texts(plain, "text") == read_texts(zipped, "text") == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", r"rows.jsonl:2: not valid JSON"),
        ("[1]", r"rows.jsonl:2: expected a JSON object"),
        ('{"prompt": "x"}', r"rows.jsonl:2: no key 'text'; its keys are prompt. Name the text's key with --field"),
        ('{"text": 3}', r"rows.jsonl:2: 'text' must be a string, got int"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "fine"}}\n{line}\n')
    with pytest.raises(InputError, match=fault):
        read_texts(path, "text")


def test_too_few_texts_are_refused_before_the_model_is_loaded() -> None:
    with pytest.raises(InputError, match="--current has 3 texts"):
        compare(["text"] * 50, ["text"] * 3, 0.01, 0)


def test_the_json_has_the_documented_keys() -> None:
    found = to_json(RESULT, "14 % of texts now come from topics that made up 2 %")
    assert {"drifted", "p_value", "statistic", "method", "effect", "n_reference", "n_current", "clusters"} <= set(found)
    (cluster,) = found["clusters"]
    documented = {"label": "visa [x], trip", "reference_share": 0.02, "current_share": 0.14, "examples": ["one", "two"]}
    assert documented.items() <= cluster.items()
    assert {"reference_interval", "current_interval"} <= set(cluster)
    json.dumps(found)


def test_the_verdict_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    show(RESULT, "14 % of texts now come from topics that made up 2 %", Console(width=100))
    printed = capsys.readouterr().out
    for text in ("drifted", "p = 0.0003", "visa [x], trip", "14 %", "one"):
        assert text in printed


def test_a_span_of_stored_calls_is_told_from_a_file(tmp_path: Path) -> None:
    there = write(tmp_path / "rows", {"text": "one"})
    assert is_file("missing.jsonl.gz")
    assert is_file(str(there))
    assert not is_file("8d..24h")
    span = span_of("2026-03-01T00:00:00Z..2026-03-02T12:00:00Z", "--current")
    assert (span.end - span.start).total_seconds() == 36 * 3600
    until_now = span_of("24h", "--current")
    assert (until_now.end - until_now.start).total_seconds() == pytest.approx(86_400, abs=5)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("yesterday", "--current 'yesterday' is neither a file nor a span of time: 'yesterday' is no time"),
        ("1h..2h", "--current '1h..2h': '1h' is not before '2h'"),
    ],
)
def test_a_span_that_is_none_is_named(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        span_of(text, "--current")
