"""The example in the documentation, installed as a package: found by entry point, run by the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs/reference/plugins.md"
COMMAND = """
import sys
import analyzers.cli.score as score
from leewatch.cli.main import main
from leewatch.testing.encoder import HashingEncoder
score.create_encoder = lambda model, device: HashingEncoder(2)
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the installed plugin."""
    source, target = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("site")
    for name, text in re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), re.S):
        (source / name).write_text(text)
    assert {file.name for file in source.iterdir()} == {"pyproject.toml", "shouting.py"}
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)
    return target


def leewatch(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(installed)}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True, text=True, timeout=120, cwd=installed, env=environment, check=False,
    )  # fmt: skip


def test_the_example_of_the_documentation_scores_rows_once_it_is_installed(installed: Path) -> None:
    rows = installed / "rows.jsonl"
    rows.write_text('{"id": 1, "prompt": "HELP me"}\n{"id": 2, "prompt": "12"}\n{"id": 3, "response": "x"}\n')
    done = leewatch(installed, "score", str(rows), "--scores", "shouting")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": 1, "scores": {"prompt.shouting": 0.666667}, "details": {}},
        {"id": 2, "scores": {"prompt.shouting": None}, "details": {"prompt.shouting": "no letters"}},
        {"id": 3, "scores": {"prompt.shouting": None}, "details": {"prompt.shouting": "no prompt"}},
    ]


def test_scorers_of_the_configuration_are_run_by_the_command(installed: Path) -> None:
    (installed / "leewatch.yaml").write_text(
        "analyzers:\n  scorers:\n    rivals: {kind: regex, pattern: acme, ignore_case: true}\n    pii: {threshold: 0.9}\n"
    )
    rows = installed / "rows.jsonl"
    rows.write_text('{"id": 1, "response": "ask Acme or a@example.org"}\n')
    done = leewatch(installed, "score", str(rows), "--scores", "rivals,response.pii")
    assert done.returncode == 0, done.stderr
    [line] = [json.loads(line) for line in done.stdout.splitlines()]
    assert line["scores"] == {"response.rivals": 1.0, "response.pii": 0.99}
    assert line["details"]["response.rivals"] == [{"start": 4, "end": 8}]


def test_a_wrong_scorer_in_the_configuration_ends_the_command_with_its_place(installed: Path) -> None:
    (installed / "leewatch.yaml").write_text("analyzers:\n  scorers:\n    rivals: {kind: regex, pattern: '('}\n")
    done = leewatch(installed, "score", "-", "--scores", "rivals")
    assert done.returncode == 2
    assert "analyzers.scorers.rivals.pattern: no regular expression" in done.stderr
