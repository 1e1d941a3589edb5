"""Functions of the user's as scorers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analyzers import catalog
from analyzers.config import AnalyzersSection
from analyzers.scorers.custom.common import Surroundings
from leewatch.contracts import Scorer
from leewatch.errors import ConfigError
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

CODE = """
from leewatch.schema import Score
def shouting(text):
    letters = [c for c in text if c.isalpha()]
    return sum(c.isupper() for c in letters) / len(letters) if letters else None
def echoes(prompt, response, context=None):
    return prompt == response
def explained(text):
    return Score("ignored", 0.5, label="half", explanation="half of it")
def mapped(text):
    return {"value": 0.25, "label": "quarter", "details": [{"start": 0, "end": 1}]}
def wrong(text):
    return float("nan")
def raises(text):
    raise RuntimeError("broken")
number = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def made(file: Path, function: str, **options: Any) -> Scorer:
    values = {"kind": "python", "function": f"{file}:{function}", **options}
    section = AnalyzersSection(scorers={"mine": values})
    return catalog.create(section, "mine", Surroundings())


def values(scorer: Scorer, *spans: SpanTexts) -> list[list[tuple[str, float | None, str]]]:
    return [[(one.name, one.value, one.reason) for one in given] for given in scorer.score(spans, HashingEncoder(2))]


def test_a_function_of_a_text_scores_every_field_that_is_named(file: Path) -> None:
    scorer = made(file, "shouting", fields=["prompt", "response"])
    assert scorer.outputs == ("prompt.mine", "response.mine")
    assert values(scorer, SpanTexts("a", "HELP me", "ok"), SpanTexts("b", "12")) == [
        [("prompt.mine", 4 / 6, ""), ("response.mine", 0.0, "")],
        [("prompt.mine", None, "the scorer gave no number")],
    ]


def test_a_function_whose_parameters_are_called_after_texts_gets_them(file: Path) -> None:
    scorer = made(file, "echoes")
    spans = SpanTexts("a", "x", "x"), SpanTexts("b", "x", "y", "c"), SpanTexts("c", "x")
    assert values(scorer, *spans) == [[("response.mine", 1.0, "")], [("response.mine", 0.0, "")], []]


def test_labels_explanations_and_findings_are_taken(file: Path) -> None:
    [[one]] = made(file, "explained").score([SpanTexts("a", response="x")], HashingEncoder(2))
    assert (one.name, one.value, one.label, one.explanation) == ("response.mine", 0.5, "half", "half of it")
    [[one]] = made(file, "mapped").score([SpanTexts("a", response="x")], HashingEncoder(2))
    assert (one.value, one.label, list(one.details)) == (0.25, "quarter", [{"start": 0, "end": 1}])


def test_what_is_no_finite_number_is_null_with_a_reason(file: Path) -> None:
    assert values(made(file, "wrong"), SpanTexts("a", response="x")) == [
        [("response.mine", None, "the scorer gave no number")]
    ]


def test_what_the_function_raises_escapes_to_the_scheduler(file: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        values(made(file, "raises"), SpanTexts("a", response="x"))


def test_an_edit_of_the_file_changes_the_version_and_a_fixed_one_stays(file: Path) -> None:
    before, fixed = made(file, "shouting").version, made(file, "shouting", version="7").version
    file.write_text(CODE + "\n# edited\n")
    assert made(file, "shouting").version != before
    assert made(file, "shouting", version="7").version == fixed == "7"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("nowhere.at.all:x", "nowhere.at.all cannot be imported: ModuleNotFoundError"),
        ("gone.py:x", "gone.py cannot be imported: FileNotFoundError"),
        ("json:nothing", "json has no function 'nothing'"),
        ("json.dumps", "expected package.module:function"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(function: str, said: str) -> None:
    section = AnalyzersSection(scorers={"mine": {"kind": "python", "function": function}})
    with pytest.raises(ConfigError, match=rf"analyzers\.scorers\.mine\.function: {said}"):
        catalog.create(section, "mine", Surroundings())


def test_a_function_of_an_installed_module_is_found() -> None:
    section = AnalyzersSection(scorers={"size": {"kind": "python", "function": "builtins:len", "version": "1"}})
    assert values(catalog.create(section, "size", Surroundings()), SpanTexts("a", response="four")) == [
        [("response.size", 4.0, "")]
    ]
