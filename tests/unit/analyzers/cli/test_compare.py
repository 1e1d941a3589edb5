"""`leewatch compare` on files, and what it says about arguments that choose nothing. Uses the fake encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from analyzers import encoder
from analyzers.cli.compare import compare, show
from analyzers.comparison.report import Comparison, Line
from analyzers.comparison.stored import selector
from leewatch.errors import InputError
from leewatch.testing.encoder import HashingEncoder


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(compare)
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def write(path: Path, refuses: int, milliseconds: float) -> str:
    """Sixty questions, of which some are refused; latency varies by a tenth."""
    answers = ["I'm sorry, but I can't help with that request."] * refuses + ["Turn left at the bank."] * (60 - refuses)
    rows: list[dict[str, Any]] = [
        {
            "prompt": f"question {i}",
            "response": answer,
            "duration_ms": milliseconds * (1 + i % 11 / 100),
            "cached": i < 9,
        }
        for i, answer in enumerate(answers)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_files_are_scored_and_their_numbers_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "create_encoder", lambda: HashingEncoder())
    a, b = write(tmp_path / "a.jsonl", 2, 100.0), write(tmp_path / "b.jsonl", 50, 130.0)
    code, out = run("--a", a, "--b", b, "--scores", "refusal", "--fail-on", "duration_ms > 20%", "--json")
    found = json.loads(out)
    lines = {line["name"]: line for line in found["measures"]}
    assert (code, found["failed"], found["matched_by"]) == (1, True, "prompt")
    assert lines["response.refusal"]["verdict"] == "worse"
    assert lines["duration_ms"]["change"] == pytest.approx(1.3)
    assert (lines["cached"]["change"], lines["cached"]["verdict"]) == (0.0, "")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(InputError, match=r"--a .*a\.jsonl: the file has no rows"):
        run("--a", str(tmp_path / "a.jsonl"), "--b", write(tmp_path / "b.jsonl", 1, 1.0))


@pytest.mark.parametrize("text", ["colour=red", "model", ""])
def test_what_chooses_nothing_is_refused_with_the_keys(text: str) -> None:
    with pytest.raises(InputError, match=r"--a"):
        selector(text, "--a")


def test_several_keys_hold_together() -> None:
    found = selector("model=gpt-4o, metadata.tier = gold", "--a")
    assert (found.keys, found.values) == (("model", "metadata.tier"), ("gpt-4o", "gold"))


def test_a_person_reads_changes_on_the_scale_of_the_measure(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (
        Line("error_rate", "share", "", 0.01, 0.035, 0.025, 0.01, 0.04, 1e-9, 1e9, 0.02, 100, 100, 1.0, True, "worse"),
        Line(
            "duration_ms", "ratio", "ms", 100.0, 130.0, 1.3, 1.2, 1.41, 0.01, 100.0, 1.3, 100, 100, 1.0, True, "worse"
        ),
        Line("prompt.pii", "mean", "", n_a=3, n_b=4, reason="too few"),
    )
    show(Comparison(100, 100, 0.05, "prompt", 0.1, lines), "a", "b", [], Console(width=140))
    out = capsys.readouterr().out
    for shown in ("+2.50 pts", "+30.0%", "100 ms", "< 0.0001", "too few (3, 4)", "prompts matched one by one"):
        assert shown in out
