"""`leewatch score`: what it writes, for which rows, and what it says about broken input. Uses the fake encoder."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from analyzers.cli import score as module
from analyzers.rows import Row
from analyzers.scorers.weight_files import load_weights
from leewatch.errors import InputError
from leewatch.schema import SpanTexts
from leewatch.testing.encoder import HashingEncoder

ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "hello", "response": "We ship on Monday.", "context": "We ship on Monday.", "label": 0},
    {"id": 2, "prompt": "where is it?", "response": "On Mars, by rocket.", "context": "We ship on Monday.", "label": 1},
    {"prompt": "no answer here"},
]


@pytest.fixture(autouse=True)
def fake_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "create_encoder", lambda model, device: HashingEncoder())


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in ROWS).encode()))
    return file


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(module.score)
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in file.read_text().splitlines()]


def test_one_line_per_row_in_order_with_every_field_the_row_has(rows_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(str(rows_file), "--scores", "toxicity", "--output", str(out))
    lines = written(out)
    assert [line["id"] for line in lines] == ["a", 2, 3]
    assert [sorted(line["scores"]) for line in lines] == [["prompt.toxicity", "response.toxicity"]] * 2 + [
        ["prompt.toxicity"]
    ]
    assert all({"id", "scores", "details"} <= set(line) for line in lines)


def test_labels_and_explanations_are_told_where_there_are_any(tmp_path: Path) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    file.write_text(
        '{"prompt": "Answer in JSON, please", "response": "Men are lazy, a@example.org"}\n{"prompt": "hi"}\n'
    )
    run(str(file), "--scores", "pii,stereotype,span.json_valid", "--output", str(out))
    first, second = written(out)
    assert first["labels"] == {"response.pii": "EMAIL"}
    assert set(first["explanations"]) == {"response.stereotype", "span.json_valid"}
    assert set(second) == {"id", "scores", "details"}


def test_a_score_that_cannot_be_given_is_null_with_a_reason(rows_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(str(rows_file), "--scores", "prompt.toxicity,response.hallucination", "--output", str(out))
    last = written(out)[2]
    assert last["scores"]["response.hallucination"] is None
    assert last["details"]["response.hallucination"] == "no response"
    assert last["scores"]["prompt.toxicity"] is not None


def test_unsupported_sentences_are_listed_with_their_places(rows_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(str(rows_file), "--scores", "hallucination", "--output", str(out))
    good, bad, _ = written(out)
    assert good["scores"]["response.hallucination"] < bad["scores"]["response.hallucination"]
    assert bad["details"]["response.hallucination"][0].keys() == {"start", "end", "score"}


def test_scores_go_to_standard_output_without_a_file(rows_file: Path) -> None:
    lines = run(str(rows_file), "--scores", "refusal").stdout.splitlines()
    assert len([json.loads(line) for line in lines]) == 3


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 7, "prompt": "hi"}\n')))
    out = tmp_path / "out.jsonl"
    module.score(["-"], "prompt.toxicity", out)
    assert written(out)[0]["id"] == 7


def test_evaluate_prints_figures_per_file_and_the_macro(rows_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl.gz"
    other.write_bytes(rows_file.read_bytes())
    printed = run(str(rows_file), str(other), "--scores", "hallucination", "--evaluate").stdout
    assert printed.count("1.000") >= 3  # AUROC of both files and of the macro row
    assert "other.jsonl.gz" in printed
    assert "macro" in printed
    assert "{" not in printed


def test_evaluate_without_labels_says_so(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "hi"}\n')
    with pytest.raises(InputError, match=r"no row of .*rows\.jsonl has both a label"):
        run(str(file), "--scores", "toxicity", "--evaluate")


def test_a_rare_class_lowers_every_probability(rows_file: Path, tmp_path: Path) -> None:
    plain, shifted = tmp_path / "plain", tmp_path / "shifted"
    run(str(rows_file), "--scores", "refusal", "--output", str(plain))
    run(str(rows_file), "--scores", "refusal", "--output", str(shifted), "--prior", "0.01")
    for one, other in zip(written(plain)[:2], written(shifted)[:2], strict=True):
        before, after = one["scores"]["response.refusal"], other["scores"]["response.refusal"]
        assert after == pytest.approx(before * 0.01 / (before * 0.01 + (1 - before) * 0.99), abs=2e-4)


def test_held_out_leaves_out_rows_that_training_saw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    file.write_text('{"id": 1, "prompt": "seen"}\n{"id": 2, "prompt": "unseen"}\n')
    monkeypatch.setattr(
        "analyzers.scorers.toxicity.ToxicityScorer.trained_on", lambda self, span, output: span.prompt == "seen"
    )
    run(str(file), "--scores", "prompt.toxicity", "--output", str(out), "--held-out")
    assert [line["id"] for line in written(out)] == [2]


def test_shipped_weights_know_no_text_they_were_not_fitted_on() -> None:
    for name in ("toxicity", "refusal", "hallucination"):
        weights = load_weights(name)
        assert len(weights.tensors["trained"]) > 1000
        assert not weights.knows("a text that nobody has ever put into a training set")


@pytest.mark.parametrize("names", ["toxcity", "prompt.refusal", "response.nothing"])
def test_an_unknown_score_is_named_with_those_there_are(rows_file: Path, names: str) -> None:
    with pytest.raises(
        InputError, match=rf"no score is named '{names}'\. Known: .*prompt\.toxicity.*response\.refusal"
    ):
        run(str(rows_file), "--scores", names)


@pytest.mark.parametrize(
    ("option", "value", "said"), [("--prior", "1", "--prior must lie"), ("--scores", " ,", "--scores is empty")]
)
def test_a_useless_option_is_named(rows_file: Path, option: str, value: str, said: str) -> None:
    arguments = {"--scores": "toxicity", option: value}
    with pytest.raises(InputError, match=said):
        run(str(rows_file), *(text for pair in arguments.items() for text in pair))


def test_a_broken_row_ends_the_run_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "hi"}\nnot json\n')
    with pytest.raises(InputError, match=r"rows\.jsonl:2: not valid JSON"):
        run(str(file), "--scores", "toxicity")


def test_a_row_with_nothing_to_judge_gets_null() -> None:
    wanted = module.choose("toxicity")
    found = module.score_rows([Row("x", SpanTexts("x"), None, 1)], wanted, HashingEncoder())
    assert [one.reason for one in found[0].values()] == ["no prompt", "no response"]


def test_other_rows_of_a_file_are_the_evidence_of_consistency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "create_encoder", lambda *_: HashingEncoder())
    file, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    asked = "How long does a refund take to reach my card?"
    answers = ["It takes five working days."] * 4 + ["Elephants sleep standing in Kenya."]
    rows = [{"id": "same", "prompt": asked, "response": answer} for answer in answers]
    rows.append({"id": "other", "prompt": "Where is Paris?", "response": "In France."})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(str(file), "--scores", "response.consistency", "--output", str(out))
    *same, apart, lone = [line["scores"]["response.consistency"] for line in written(out)]
    assert max(same) < 0.5 < apart
    assert lone is None
    assert written(out)[-1]["details"]["response.consistency"].startswith("no evidence: 0 other answers")
